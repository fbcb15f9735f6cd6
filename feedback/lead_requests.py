"""“My feedback is not updating”: what stands for a lead id, and which requests named it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q
from django.utils import timezone

from feedback.desk import Desk, Sheet
from feedback.match import TEST_ID
from feedback.models import ChangeSet, Door
from flows.masking import mask_id
from flows.models import Delivery, RequestLog
from portal.access import Actor, visible_to

MOST_CALLS = 50  # of one lead that are looked for in the log
ABOUT = dt.timedelta(minutes=2)  # a call is logged once it is answered
MOST = 5  # deliveries of one id: a buyer's own id may stand on several flows


@dataclass(frozen=True)
class LeadAnswer:
    """Whether the id is a lead of the one who asks, how it stands, and the last request that named it."""

    asked: str
    sheets: list[Sheet]
    meant: str  # the id that was most likely meant, or ""
    latest: RequestLog | None

    @property
    def is_test(self) -> bool:
        return self.asked == TEST_ID


def look_up(actor: Actor, text: str, *, now: dt.datetime | None = None) -> LeadAnswer:
    """What there is to say of a lead id or of a buyer's own id."""
    asked = text.strip()
    desk = Desk(actor, now or timezone.now())
    sheets = [Sheet.of(delivery, desk) for delivery in _deliveries(actor, asked)]
    named = visible_to(actor, RequestLog.objects.filter(_named(asked, [s.delivery for s in sheets])))
    meant = "" if sheets else _meant(actor, asked)
    return LeadAnswer(asked, sheets, meant, named.order_by("-at", "-pk").first())


def calls_of(actor: Actor, change_sets: Iterable[ChangeSet]) -> dict[str, int]:
    """Request id → primary key in the log of requests, for changes through the API that it has still.

    One query. The log is indexed by time, so each call is looked for about when it was made.
    """
    latest = [each for each in change_sets if each.door == Door.API and each.request_id][:MOST_CALLS]
    found = Q()
    for each in latest:
        about = (each.created_at - ABOUT, each.created_at + ABOUT)
        found |= Q(request_id=each.request_id, at__range=about)
    rows = RequestLog.objects.filter(found).order_by()
    return dict(visible_to(actor, rows).values_list("request_id", "pk")) if found else {}


def naming(actor: Actor, text: str) -> Q:
    """The requests that named a lead by either of its ids, alone or in a batch."""
    asked = text.strip()
    return _named(asked, _deliveries(actor, asked)) if asked else Q()


def _deliveries(actor: Actor, asked: str) -> list[Delivery]:
    rows = Delivery.objects.filter(Q(public_id=asked) | Q(external_id=asked)).select_related("flow", "lead")
    return list(visible_to(actor, rows).order_by("-delivered_at", "-pk")[:MOST]) if asked else []


def _named(asked: str, deliveries: list[Delivery]) -> Q:
    ids = {mask_id(asked)[:128]}
    for delivery in deliveries:
        ids |= {delivery.public_id} | ({delivery.external_id} if delivery.external_id else set())
    found = Q(lead_id__in=ids)
    for each in ids:
        found |= Q(lead_ids__contains=f" {each} ")
    return found


def _meant(actor: Actor, asked: str) -> str:
    """The same letters in another case: ids are told apart by case."""
    rows = visible_to(actor, Delivery.objects.filter(public_id__iexact=asked[:64]))
    return rows.values_list("public_id", flat=True).first() or "" if asked else ""
