"""Which delivery a submission speaks of: one query for a whole list, within what the actor may see."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from django.db.models import Q, QuerySet

from feedback.schema import Ids
from feedback.schema.clock import iso
from flows.models import Delivery, Flow
from flows.problems import Fault, Problem
from portal.access import Actor, visible_to

TEST_ID = "evt_test"  # the lead that every flow has for trying out
NOT_ON_RECORD = "external_id is not on record for this lead; lead_id alone was used."


class Match(NamedTuple):
    """The delivery found, if one was; a fault where the ids contradict each other; a word of warning.

    ``learn``: the buyer's own id, where it is not on record for the delivery and free to be.
    """

    delivery: Delivery | None = None
    fault: Fault | None = None
    warning: str = ""
    learn: str = ""


def match(
    flow: Flow, actor: Actor, wanted: Sequence[Ids], *, lock: bool, learns: bool = False
) -> list[Match]:
    """A match for each of ``wanted``, in their order.

    With ``lock`` the deliveries' rows are locked in order of their primary key, until the transaction ends.
    ``learns``: own ids of the buyer that are not on record are to be put there.
    """
    found = _Found(_deliveries(flow, actor, wanted, lock=lock), flow, learns=learns)
    return [found.match(ids) for ids in wanted]


def _deliveries(flow: Flow, actor: Actor, wanted: Iterable[Ids], *, lock: bool) -> QuerySet[Delivery]:
    lead_ids = {ids.lead_id for ids in wanted} - {None, TEST_ID}
    external_ids = {ids.external_id for ids in wanted if ids.lead_id != TEST_ID} - {None}
    if not lead_ids and not external_ids:
        return Delivery.objects.none()
    by_id = Q(public_id__in=lead_ids) if lead_ids else Q()
    by_external_id = Q(external_id__in=external_ids) if external_ids else Q()
    rows = visible_to(actor, Delivery.objects.filter(by_id | by_external_id, flow=flow)).order_by("pk")
    return rows.select_for_update(of=("self",), no_key=True) if lock else rows


class _Found:
    """The deliveries of one query, by either id."""

    def __init__(self, deliveries: Iterable[Delivery], flow: Flow, *, learns: bool) -> None:
        self.flow, self.learns = flow, learns
        self.learned: dict[str | None, Delivery] = {}  # own ids that earlier rows of the list claim
        self.by_id: dict[str | None, Delivery] = {}
        self.by_external_id: dict[str | None, list[Delivery]] = {}
        for delivery in deliveries:
            delivery.flow = flow  # spares a query each
            self.by_id[delivery.public_id] = delivery
            if delivery.external_id is not None:
                self.by_external_id.setdefault(delivery.external_id, []).append(delivery)

    def match(self, ids: Ids) -> Match:
        if ids.lead_id == TEST_ID:
            return Match(Delivery(public_id=TEST_ID, flow=self.flow))
        if ids.lead_id is None:
            return Match(self._only(ids.external_id) or self.learned.get(ids.external_id))
        delivery = self.by_id.get(ids.lead_id)
        if delivery is None or ids.external_id in (None, delivery.external_id):
            return Match(delivery)
        if self.by_external_id.get(ids.external_id):
            return Match(delivery, fault=_mismatch())
        if delivery.external_id is not None:
            return Match(delivery, fault=_another(delivery.external_id))
        if self.learns:
            return self._learn(delivery, str(ids.external_id))
        return Match(delivery, warning=NOT_ON_RECORD)

    def _learn(self, delivery: Delivery, external_id: str) -> Match:
        if self.learned.setdefault(external_id, delivery) is not delivery:
            return Match(delivery, fault=_mismatch())
        return Match(delivery, learn=external_id)

    def _only(self, external_id: str | None) -> Delivery | None:
        """The one delivery of that external id; a seller may see several, one for each buyer."""
        deliveries = self.by_external_id.get(external_id, [])
        return deliveries[0] if len(deliveries) == 1 else None


def _mismatch() -> Fault:
    message = "lead_id and external_id belong to two different leads. Send one of them."
    return Fault("external_id", "id_mismatch", message)


def _another(on_record: str) -> Fault:
    message = f"This lead is on record under another id of yours, {on_record}. Send that, or lead_id alone."
    return Fault("external_id", "id_mismatch", message)


def not_found() -> Problem:
    """The lead does not exist, or is another's: nobody can tell which."""
    return Problem(
        404,
        "lead_not_found",
        "Lead not found",
        "No lead of yours on this flow has this id. Send lead_id as it was delivered (evt_…), "
        "or external_id if your own id is on record for the lead.",
    )


def outside_window(delivery: Delivery, now: dt.datetime) -> Problem | None:
    """The refusal of feedback on a delivery whose update window has closed, else None."""
    closed_at = delivery.window_closes_at()
    if now <= closed_at:
        return None
    days = delivery.flow.update_window_days
    return Problem(
        422,
        "outside_update_window",
        "Outside the update window",
        f"Feedback on this lead was taken for {days} days after its delivery, until {iso(closed_at)}. "
        "Ask the seller if it must still be changed.",
        extra={
            "delivered_at": iso(delivery.delivered_at),
            "window_days": days,
            "closed_at": iso(closed_at),
        },
    )
