"""Undo of an upload: what it recorded is taken back by events of a change set of their own.

Own ids of the buyer that it put on record go too, where they still stand.
"""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from feedback.models import ExternalIdChange, Upload
from feedback.retract import new_change_set, take_back
from feedback.submission import Origin
from feedback.uploads import hint
from flows.problems import Problem, ProblemError

AT_ONCE = 500  # events, or own ids, that are taken back while the asker waits
Status = Upload.Status


def undo(upload: Upload, origin: Origin) -> Upload:
    """Take the upload back: at once where it recorded little, else the worker does. → as it stands then.

    ``origin``: who asks, and by which door. Where it is taken back already, or about to be, nothing more
    happens. ProblemError 409 while the file is still being read. The leads' update window does not matter:
    it limits what is said of a lead, not the mending of a mistake.
    """
    with transaction.atomic():
        row = Upload.objects.select_for_update().get(pk=upload.pk)
        if row.status == Status.UNDONE or row.is_being_undone:
            return row
        if row.finished_at is None:
            raise ProblemError(_still_read())
        _begin(row, origin)
        row.save()
    return row


def _begin(row: Upload, origin: Origin) -> None:
    row.error = ""
    if not row.livemode:  # nothing was recorded
        row.status = Status.UNDONE
        return
    row.undo = row.undo or new_change_set(row, origin)
    if row.recorded > AT_ONCE or _learned(row) > AT_ONCE:
        row.status, row.finished_at = Status.QUEUED, None
        hint(row.pk)
        return
    row.taken_back += sum(take_back(each, row.undo).taken for each in row.change_sets.order_by("pk"))
    row.status, row.finished_at = Status.UNDONE, timezone.now()


def _learned(row: Upload) -> int:
    """How many ids of the buyer's own it put on record, as far as `AT_ONCE` and one more."""
    return ExternalIdChange.objects.filter(change_set__upload=row)[: AT_ONCE + 1].count()


def _still_read() -> Problem:
    detail = "This file is still being read. Undo it once its status is done or failed."
    return Problem(409, "upload_running", "The upload is still running", detail, headers={"Retry-After": "2"})
