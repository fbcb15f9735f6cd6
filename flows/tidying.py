"""Drop rows that have had their time."""

from __future__ import annotations

import datetime as dt

from django.utils import timezone

from flows.models import IdempotentRequest

KEEP_IDEMPOTENT = dt.timedelta(hours=24)  # as the contract promises


def tidy(*, now: dt.datetime | None = None) -> int:
    """Delete answers to idempotent requests of more than 24 hours ago; the number deleted."""
    old = IdempotentRequest.objects.filter(claimed_at__lt=(now or timezone.now()) - KEEP_IDEMPOTENT)
    return old.delete()[0]
