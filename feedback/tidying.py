"""Drop files that nobody went on with."""

from __future__ import annotations

import datetime as dt

from django.db.models import Q
from django.utils import timezone

from feedback.models import Upload
from feedback.upload_steps import discard
from flows.problems import ProblemError

KEEP_DRAFTS = dt.timedelta(days=7)


def drop_drafts(*, now: dt.datetime | None = None) -> int:
    """Discard uploads that were begun more than 7 days ago and never confirmed. → how many."""
    old = Upload.objects.filter(created_at__lt=(now or timezone.now()) - KEEP_DRAFTS)
    failed_check = Q(status=Upload.Status.FAILED, findings={}) & ~Q(mapping={})
    dropped = 0
    for upload in old.filter(Q(status__in=Upload.PREPARING) | failed_check):
        try:
            discard(upload)
        except ProblemError:  # confirmed at this moment
            continue
        dropped += 1
    return dropped
