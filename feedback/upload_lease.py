"""Who works on an upload, and what is told when the work has ended."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TypeVar

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from feedback import leases
from feedback.announcements import announce_upload
from feedback.leases import LEASE, LostLeaseError, renewed
from feedback.models import Upload
from feedback.upload_alerts import alert_of_upload

GLANCE = 1_000  # rows gone through between two looks at the clock
T = TypeVar("T")
Status = Upload.Status


def waiting(*, now: dt.datetime | None = None) -> list[int]:
    """Keys of the uploads that nobody works on, oldest first: asked for, or their worker was killed."""
    return list(_unclaimed(now or timezone.now()).order_by("created_at", "pk").values_list("pk", flat=True))


def claim(upload_id: int) -> Upload | None:
    """The upload, ours for the length of a lease; None where there is nothing to do or another has it."""
    mine = _unclaimed(timezone.now()).filter(pk=upload_id)
    to_check = mine.filter(status=Status.CHECKING).update(claimed_until=renewed())
    if not to_check and not mine.update(status=Status.RUNNING, claimed_until=renewed()):
        return None
    return Upload.objects.select_related("flow", "buyer", "undo").get(pk=upload_id)


def keep(upload: Upload, **columns: object) -> None:
    """Write these columns if the upload is still ours, at the row where we left it; else LostLeaseError."""
    leases.keep(upload, "rows_done", columns)


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
