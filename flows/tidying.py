"""Drop rows that have had their time."""

from __future__ import annotations

import datetime as dt

from django.utils import timezone

from flows.models import IdempotentRequest, OutboxMessage, RequestLog, SuppressionEntry

KEEP_IDEMPOTENT = dt.timedelta(hours=24)  # as the contract promises
KEEP_REQUESTS = dt.timedelta(days=30)
KEEP_EXPIRED = dt.timedelta(days=30)
KEEP_SENT = dt.timedelta(
    days=30
)  # what left the house; what was given up may yet be wanted: three times that


def tidy(*, now: dt.datetime | None = None) -> int:
    """Delete answers to idempotent requests of more than 24 hours ago, what was logged of requests more than
    30 days ago, suppressed values that expired and messages that left as long ago, messages that were given
    up after 90 days, with their attempts; the number of rows deleted.
    """
    moment = now or timezone.now()
    answers = IdempotentRequest.objects.filter(claimed_at__lt=moment - KEEP_IDEMPOTENT)
    requests = RequestLog.objects.filter(at__lt=moment - KEEP_REQUESTS)
    expired = SuppressionEntry.objects.filter(expires_at__lt=moment - KEEP_EXPIRED)
    status = OutboxMessage.Status
    sent = OutboxMessage.objects.filter(status=status.DONE, done_at__lt=moment - KEEP_SENT)
    dead = OutboxMessage.objects.filter(status=status.DEAD, created_at__lt=moment - 3 * KEEP_SENT)
    return sum(rows.delete()[0] for rows in (answers, requests, expired, sent, dead))
