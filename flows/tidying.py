"""Drop rows that have had their time."""

from __future__ import annotations

import datetime as dt

from django.utils import timezone

from flows.models import IdempotentRequest, RequestLog, SuppressionEntry

KEEP_IDEMPOTENT = dt.timedelta(hours=24)  # as the contract promises
KEEP_REQUESTS = dt.timedelta(days=30)
KEEP_EXPIRED = dt.timedelta(days=30)


def tidy(*, now: dt.datetime | None = None) -> int:
    """Delete answers to idempotent requests of more than 24 hours ago, what was logged of requests more than
    30 days ago, and suppressed values that expired as long ago; the number of rows deleted.
    """
    moment = now or timezone.now()
    answers = IdempotentRequest.objects.filter(claimed_at__lt=moment - KEEP_IDEMPOTENT)
    requests = RequestLog.objects.filter(at__lt=moment - KEEP_REQUESTS)
    expired = SuppressionEntry.objects.filter(expires_at__lt=moment - KEEP_EXPIRED)
    return answers.delete()[0] + requests.delete()[0] + expired.delete()[0]
