"""What a person does to sources by hand."""

from __future__ import annotations

from django.db.models import QuerySet

from flows.models import Source


def pause(sources: QuerySet[Source], reason: str) -> int:
    """Buy nothing more from them; → how many were active. Intake answers ``source_paused``."""
    active = sources.filter(status=Source.Status.ACTIVE)
    return active.update(status=Source.Status.PAUSED, status_reason=reason.strip()[:255] or "Paused by hand")


def resume(sources: QuerySet[Source], reason: str) -> int:
    """Buy from them again; → how many were paused."""
    paused = sources.filter(status=Source.Status.PAUSED)
    return paused.update(status=Source.Status.ACTIVE, status_reason=reason.strip()[:255])
