"""Who works on an upload: claimed for a minute at a time, taken over where a worker was killed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TypeVar

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from feedback.announcements import announce_upload
from feedback.models import Upload
from feedback.upload_alerts import alert_of_upload

LEASE = dt.timedelta(seconds=60)  # longer than a chunk takes; renewed with each
GLANCE = 1_000  # rows gone through between two looks at the clock
T = TypeVar("T")
Status = Upload.Status


class LostLeaseError(Exception):
    """Another worker has taken the upload over; what this one was about to commit is rolled back."""


def waiting(*, now: dt.datetime | None = None) -> list[int]:
    """Keys of the uploads that nobody works on, oldest first: asked for, or their worker was killed."""
    return list(_unclaimed(now or timezone.now()).order_by("created_at", "pk").values_list("pk", flat=True))


def claim(upload_id: int) -> Upload | None:
    """The upload, ours for the length of a lease; None where there is nothing to do or another has it."""
    mine = _unclaimed(timezone.now()).filter(pk=upload_id)
    lease = timezone.now() + LEASE
    to_check = mine.filter(status=Status.CHECKING).update(claimed_until=lease)
    if not to_check and not mine.update(status=Status.RUNNING, claimed_until=lease):
        return None
    return Upload.objects.select_related("flow", "buyer", "undo").get(pk=upload_id)


def keep(upload: Upload, **columns: object) -> None:
    """Write these columns if the upload is still ours, at the row where we left it; else LostLeaseError."""
    mine = Upload.objects.filter(
        pk=upload.pk,
        status=upload.status,
        claimed_until=upload.claimed_until,
        rows_done=upload.rows_done,
    )
    if not mine.update(**columns):
        raise LostLeaseError
    upload.refresh_from_db(fields=list(columns))


def renewed() -> dt.datetime:
    """Until when the lease holds if it is renewed now."""
    return timezone.now() + LEASE


def held(upload: Upload, rows: Iterable[T]) -> Iterator[T]:
    """The rows, with the lease renewed while they are gone through: of a long file that takes minutes."""
    for number, row in enumerate(rows):
        if number % GLANCE == 0 and _is_half_over(upload):
            keep(upload, claimed_until=renewed())
        yield row


def _is_half_over(upload: Upload) -> bool:
    return upload.claimed_until is not None and upload.claimed_until - timezone.now() < LEASE / 2


def fail(upload: Upload, why: str) -> None:
    """The work has ended without success, unless another worker has taken over."""
    with suppress(LostLeaseError):
        finish(upload, status=Status.FAILED, error=why[:500])


@transaction.atomic
def finish(upload: Upload, **columns: object) -> None:
    """The work has ended; where it was the reading of a confirmed file, the seller is told."""
    was_reading = upload.status == Status.RUNNING and not upload.undo_id
    keep(upload, finished_at=timezone.now(), claimed_until=None, **columns)
    if was_reading:
        announce_upload(upload)
        alert_of_upload(upload)


def _unclaimed(now: dt.datetime) -> QuerySet[Upload]:
    working = Q(status__in=(Status.CHECKING, Status.RUNNING))
    return Upload.objects.filter(
        Q(status=Status.QUEUED)
        | Q(status=Status.CHECKING, claimed_until=None)
        | working & Q(claimed_until__lt=now)
    )
