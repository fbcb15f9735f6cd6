"""The in-app feed of alerts: what is unread, and reading it. Read is read for the whole team."""

from __future__ import annotations

import datetime as dt

from django.db.models import BooleanField, Case, Q, QuerySet, Value, When
from django.utils import timezone

from flows.models import Alert
from portal.access import Actor, visible_to

MOST = 99
OPEN = Q(resolved_at=None) & ~Q(condition="")  # what it tells of lasts
STANDS = Case(When(OPEN, then=Value(True)), default=Value(False), output_field=BooleanField())


def unread(actor: Actor) -> QuerySet[Alert]:
    return visible_to(actor, Alert.objects.filter(read_at=None))


def unread_badge(actor: Actor) -> str:
    """For the rail: ``"3 new"``, ``"99+ new"``, or ``""``. Counts no further than it says."""
    count = unread(actor).order_by()[: MOST + 1].count()
    return f"{min(count, MOST)}{'+' if count > MOST else ''} new" if count else ""


def mark_read(alerts: QuerySet[Alert], *, now: dt.datetime | None = None) -> int:
    """Mark those of the alerts that are unread; how many there were."""
    return alerts.filter(read_at=None).update(read_at=now or timezone.now())
