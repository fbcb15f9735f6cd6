"""Whether a lead may be returned now, and if not, why."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.utils.formats import date_format

from feedback.models import ReturnRequest
from feedback.wording import when
from flows.models import Agreement, Delivery, Flow
from flows.returns import Cap, month_of, return_deadline
from portal.formats import number

NO_RETURNS = "Returns are not part of your agreement on this flow. Ask the seller if this lead must go back."


@dataclass(frozen=True, slots=True)
class Offer:
    """What stands for one lead.

    ``deadline``: until when it may be returned; None: never. ``request``: that it was already. ``blocked``:
    why it cannot be returned (any more), "" while it can.
    """

    deadline: dt.datetime | None
    cap: Cap
    request: ReturnRequest | None = None
    blocked: str = ""


def offer_of(delivery: Delivery, flow: Flow, agreement: Agreement, now: dt.datetime) -> Offer:
    """In one query, and two more where there is a cap to be held against."""
    deadline = return_deadline(delivery, agreement)
    request = (
        ReturnRequest.objects.exclude(status=ReturnRequest.Status.WITHDRAWN).filter(delivery=delivery).first()
    )
    cap = cap_of(delivery, flow, agreement) if deadline else Cap(delivery.delivered_on.replace(day=1))
    if request:
        blocked = "This lead has been returned already."
    elif deadline is None:
        blocked = NO_RETURNS
    elif now > deadline:
        days = agreement.return_window_days
        blocked = f"Leads could be returned for {days} days after delivery, this one until {when(deadline)}."
    else:
        blocked = f"The cap is reached. {cap_words(cap)}" if cap.reached else ""
    return Offer(deadline, cap, request, blocked)


def cap_of(delivery: Delivery, flow: Flow, agreement: Agreement) -> Cap:
    """The cap of the month in which the lead was delivered, and what of it is used.

    A month's returns are held against that month's leads, so that a share has something to be a share of
    from its first day, and whoever returns late takes nothing from the next month.
    """
    begin, end = month_of(delivery.delivered_at, flow)
    if agreement.return_cap_kind == Agreement.ReturnCap.NONE:
        return Cap(begin.date())
    party = {"flow": flow, "buyer": delivery.buyer_id}
    delivered = Delivery.objects.filter(**party, delivered_at__gte=begin, delivered_at__lt=end).count()
    used = ReturnRequest.objects.filter(
        **party,
        status__in=ReturnRequest.COUNTED,
        delivery__delivered_at__gte=begin,
        delivery__delivered_at__lt=end,
    ).count()
    return Cap.of(agreement, begin.date(), delivered=delivered, used=used)


def cap_words(cap: Cap) -> str:
    """``"Of the 34 leads delivered in November 2026, 3 (10 %) may be returned: 1 used, 2 left."``"""
    month = date_format(cap.month, "F Y")
    if cap.limit is None:
        return f"There is no cap on returns of leads delivered in {month}."
    share = "" if cap.percent is None else f" ({cap.percent} %)"
    leads = f"{number(cap.delivered)} lead{'' if cap.delivered == 1 else 's'}"
    over = " More than that were granted." if cap.used > cap.limit else ""
    return (
        f"Of the {leads} delivered in {month}, {number(cap.limit)}{share} may be returned: "
        f"{number(cap.used)} used, {number(cap.left or 0)} left.{over}"
    )
