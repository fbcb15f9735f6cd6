"""Leads in: the only writer of leads and deliveries. Obeys pause, cap, suppression and duplicate."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from django.db import IntegrityError, transaction
from django.utils import timezone

from flows.models import Delivery, Flow, Lead
from flows.money import offered_price, rounded
from flows.offers import LeadIn, Offer, look_at
from flows.problems import Fault, Problem
from flows.refusals import count_refusals
from flows.signals import deliveries_created
from flows.standing import Standing

__all__ = ["LeadIn", "LeadReceipt", "preview_leads", "take_leads"]

TRIES = 3  # an id may be taken by somebody else between the look and the insert
Reason = Literal["source_paused", "cap_reached", "suppressed", "duplicate"]


@dataclass(frozen=True, slots=True)
class LeadReceipt:
    """What became of one lead.

    ``success``: sold, with its id and price (``replayed``: by an earlier request of the same content).
    ``failure``: refused by the state of the flow, for ``reason``. ``error``: at fault, see ``problem``.
    """

    index: int
    outcome: Literal["success", "failure", "error"]
    reason: str | None = None
    lead_id: str | None = None
    price: Decimal | None = None
    replayed: bool = False
    warnings: tuple[str, ...] = ()
    problem: Problem | None = None


def take_leads(flow: Flow, leads: Sequence[LeadIn], *, now: dt.datetime | None = None) -> list[LeadReceipt]:
    """Sell the leads, in their order, in one transaction; a receipt for each. Give some 1,000 at a time.

    The number of queries does not depend on the number of leads. Refusals are counted; of a refused lead
    nothing is kept. The sources are locked, so that a cap holds however many requests come at once.
    """
    moment = now or timezone.now()
    for _ in range(TRIES - 1):
        try:
            with transaction.atomic():
                return _take(flow, leads, moment)
        except IntegrityError:
            continue
    with transaction.atomic():
        return _take(flow, leads, moment)


def preview_leads(
    flow: Flow, leads: Sequence[LeadIn], *, now: dt.datetime | None = None
) -> list[LeadReceipt]:
    """What `take_leads` would answer, by doing it and taking it back."""
    with transaction.atomic():
        receipts = take_leads(flow, leads, now=now)
        transaction.set_rollback(True)
    return receipts


def _take(flow: Flow, leads: Sequence[LeadIn], moment: dt.datetime) -> list[LeadReceipt]:
    offers = [look_at(given, flow, moment) for given in leads]
    desk = _Desk(flow, Standing(flow, offers))
    receipts = [desk.serve(index, offer) for index, offer in enumerate(offers)]
    for delivery in desk.sold:
        delivery.updated_at = moment
    Lead.objects.bulk_create(delivery.lead for delivery in desk.sold)
    Delivery.objects.bulk_create(desk.sold)
    count_refusals(flow, desk.refused)
    if desk.sold:
        deliveries_created.send(sender=Flow, deliveries=desk.sold)
    return receipts


class _Desk:
    """Decides on one offer after the other, each against all that stood and all that was sold before it."""

    def __init__(self, flow: Flow, standing: Standing) -> None:
        self.flow = flow
        self.standing = standing
        self.sold: list[Delivery] = []
        self.refused: list[tuple[int, dt.date, str]] = []  # source, day, reason

    def serve(self, index: int, offer: Offer) -> LeadReceipt:
        warnings = offer.given.warnings
        earlier = self.standing.by_event_id(offer)
        if earlier and not offer.faults and self.standing.is_same(earlier, offer):
            return self._success(index, earlier, warnings, replayed=True)
        if faults := (*offer.faults, *self.standing.faults(offer)):
            return LeadReceipt(index, "error", problem=not_valid(faults))
        if reason := self._reason(offer):
            source = self.standing.source(offer)
            self.refused.append((source.pk, offer.day, reason))
            return LeadReceipt(index, "failure", reason, warnings=warnings)
        return self._success(index, self._sell(offer), warnings)

    def _reason(self, offer: Offer) -> Reason | None:
        """Why the state of the flow forbids the sale, if it does."""
        standing = self.standing
        if standing.is_paused(offer):
            return "source_paused"
        if standing.is_full(offer):
            return "cap_reached"
        if standing.is_suppressed(offer):
            return "suppressed"
        return "duplicate" if standing.is_duplicate(offer) else None

    def _sell(self, offer: Offer) -> Delivery:
        given, source = offer.given, self.standing.source(offer)
        offer.lead.source = source
        price = offered_price(source, self.flow.decimals) if given.price is None else abs(given.price)
        delivery = Delivery(
            flow=self.flow,
            lead=offer.lead,
            source=source,
            buyer=self.standing.buyer(offer),
            external_id=given.external_id,
            price=price,
            delivered_at=offer.delivered_at,
            delivered_on=offer.day,
        )
        if given.event_id is not None:
            delivery.public_id = given.event_id
        self.sold.append(delivery)
        self.standing.remember(delivery, offer)
        return delivery

    def _success(
        self, index: int, delivery: Delivery, warnings: tuple[str, ...], *, replayed: bool = False
    ) -> LeadReceipt:
        price = rounded(delivery.price, self.flow.decimals)
        return LeadReceipt(index, "success", None, delivery.public_id, price, replayed, warnings)


def not_valid(faults: Sequence[Fault]) -> Problem:
    """422 with every fault."""
    count = len(faults)
    detail = "One thing is wrong with the lead." if count == 1 else f"{count} things are wrong with the lead."
    return Problem(422, "validation_failed", "The lead is not valid", detail, tuple(faults))
