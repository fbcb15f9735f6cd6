"""The ledger of credits: entries are only ever added, and what stands credited is their sum."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db.models import QuerySet, Sum

from feedback.models import Credit, ReturnMessage, ReturnRequest

Kind = Credit.Kind
NOUGHT = Decimal(0)


def book(requests: Sequence[ReturnRequest], messages: Sequence[ReturnMessage], *, now: dt.datetime) -> None:
    """Enter what was granted: the price at which the lead was sold, or the promise of another, worth nothing.

    ``messages``: of each request, in order, the one that granted it. In the transaction of the decision.
    """
    Credit.objects.bulk_create(
        [
            _entry(request, message, now, *_worth(request))
            for request, message in zip(requests, messages, strict=True)
        ]
    )


def take_back(request: ReturnRequest, message: ReturnMessage, *, now: dt.datetime) -> Credit | None:
    """Enter the opposite of what stands, if anything does. → what was taken back."""
    standing = entries_standing(request).first()
    if standing is not None:
        entry = _entry(request, message, now, Kind.REVERSAL, -standing.amount)
        entry.reverses = standing
        entry.save()
    return standing


def entries_standing(request: ReturnRequest) -> QuerySet[Credit]:
    """What was granted and not taken back since: one at most."""
    return Credit.objects.filter(request=request, reversal=None).exclude(kind=Kind.REVERSAL)


def sums(entries: QuerySet[Credit]) -> dict[str, Decimal]:
    """What stands credited, by currency, in the order of their codes."""
    totals = entries.order_by("currency").values("currency").annotate(total=Sum("amount"))
    return {row["currency"]: row["total"] for row in totals}


def _worth(request: ReturnRequest) -> tuple[str, Decimal]:
    if request.status == ReturnRequest.Status.CREDITED:
        return Kind.CREDIT, request.delivery.price
    return Kind.REPLACEMENT, NOUGHT


def _entry(
    request: ReturnRequest, message: ReturnMessage, now: dt.datetime, kind: str, amount: Decimal
) -> Credit:
    return Credit(
        request=request,
        flow_id=request.flow_id,
        buyer_id=request.buyer_id,
        kind=kind,
        amount=amount,
        currency=request.flow.currency,
        message=message,
        created_at=now,
        booked_on=now.astimezone(ZoneInfo(request.flow.timezone)).date(),
    )
