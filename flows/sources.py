"""What a person does to sources by hand, for everybody or for one buyer."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from flows.locks import locked
from flows.models import Flow, Source, SourceBuyer
from flows.source_changes import changed
from flows.source_events import Difference, columns_of
from portal.models import Buyer, User

Status = Source.Status
BY_HAND = "Paused by hand"


def pause(sources: QuerySet[Source], reason: str, *, user: User | None = None) -> int:
    """Buy nothing more from them; → how many were active. Intake answers ``source_paused``."""
    return _set(sources, Status.ACTIVE, Status.PAUSED, reason.strip()[:255] or BY_HAND, user)


def resume(sources: QuerySet[Source], reason: str, *, user: User | None = None) -> int:
    """Buy from them again; → how many were paused."""
    return _set(sources, Status.PAUSED, Status.ACTIVE, reason.strip()[:255], user)


def pause_for(source: Source, buyer: Buyer, reason: str, *, user: User | None = None) -> bool:
    """Buy nothing more from it for this buyer; False where that is so already."""
    return _set_for(source, buyer, Status.PAUSED, reason.strip()[:255] or BY_HAND, user)


def resume_for(source: Source, buyer: Buyer, reason: str, *, user: User | None = None) -> bool:
    """Buy from it for this buyer again, as far as the source itself is active; False where that is so."""
    return _set_for(source, buyer, Status.ACTIVE, reason.strip()[:255], user)


def buyers_of(source: Source) -> QuerySet[Buyer]:
    """Who may get its leads: the buyers of its flow, and those for whom it was paused before."""
    ours = Q(agreements__flow=source.flow_id) | Q(by_source__source=source)
    return Buyer.objects.filter(ours).distinct().order_by("name", "pk")


@transaction.atomic
def save_edited(source: Source, columns: Sequence[str], *, user: User | None = None) -> None:
    """Save the columns that a person edited; what a rule does to the others meanwhile stays."""
    stood = locked(Source.objects.filter(pk=source.pk)).get()
    source.save(update_fields=columns)
    stands = Source.objects.get(pk=source.pk)
    edited = Difference(source.flow, stands, columns_of(stood), columns_of(stands), user=user)
    changed([edited], now=timezone.now())


@transaction.atomic
def _set(sources: QuerySet[Source], old: Status, new: Status, reason: str, user: User | None) -> int:
    rows = list(locked(sources.filter(status=old).order_by("pk")))
    flows = Flow.objects.in_bulk({row.flow_id for row in rows})
    after = {"status": new.value, "status_reason": reason}
    count = Source.objects.filter(pk__in=[row.pk for row in rows]).update(**after)
    changed(
        [Difference(flows[row.flow_id], row, columns_of(row), after, user=user) for row in rows],
        now=timezone.now(),
    )
    return count


@transaction.atomic
def _set_for(source: Source, buyer: Buyer, new: Status, reason: str, user: User | None) -> bool:
    """The lock of the source guards its standing with each buyer."""
    fresh = locked(Source.objects.filter(pk=source.pk)).get()
    pair = SourceBuyer.objects.filter(source=fresh, buyer=buyer).first() or SourceBuyer(
        source=fresh, buyer=buyer
    )
    if pair.status == new:
        return False
    before = {"status": pair.status, "status_reason": pair.status_reason}
    pair.status, pair.status_reason = new.value, reason
    pair.save()
    after = {"status": new.value, "status_reason": reason}
    changed([Difference(fresh.flow, fresh, before, after, buyer, user=user)], now=timezone.now())
    return True
