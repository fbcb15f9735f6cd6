"""What a person does to sources by hand."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from flows.locks import locked
from flows.models import Flow, Source
from flows.source_events import SourceChange, announce, columns_of

Status = Source.Status


def pause(sources: QuerySet[Source], reason: str) -> int:
    """Buy nothing more from them; → how many were active. Intake answers ``source_paused``."""
    return _set(sources, Status.ACTIVE, Status.PAUSED, reason.strip()[:255] or "Paused by hand")


def resume(sources: QuerySet[Source], reason: str) -> int:
    """Buy from them again; → how many were paused."""
    return _set(sources, Status.PAUSED, Status.ACTIVE, reason.strip()[:255])


@transaction.atomic
def save_edited(source: Source, columns: Sequence[str]) -> None:
    """Save the columns that a person edited; what a rule does to the others meanwhile stays."""
    stood = locked(Source.objects.filter(pk=source.pk)).get()
    source.save(update_fields=columns)
    stands = Source.objects.get(pk=source.pk)
    announce([SourceChange(source.flow, stands, columns_of(stood), columns_of(stands))], now=timezone.now())


@transaction.atomic
def _set(sources: QuerySet[Source], old: Status, new: Status, reason: str) -> int:
    rows = list(locked(sources.filter(status=old).order_by("pk")))
    flows = Flow.objects.in_bulk({row.flow_id for row in rows})
    after = {"status": new.value, "status_reason": reason}
    count = Source.objects.filter(pk__in=[row.pk for row in rows]).update(**after)
    announce(
        [SourceChange(flows[row.flow_id], row, columns_of(row), after) for row in rows], now=timezone.now()
    )
    return count
