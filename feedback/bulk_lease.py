"""Who works on a bulk change: claimed for a minute at a time, taken over where a worker was killed."""

from __future__ import annotations

import datetime as dt
import logging
from contextlib import suppress

from celery import current_app
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from kombu.exceptions import KombuError

from feedback.models import BulkChange

LEASE = dt.timedelta(seconds=60)  # longer than a chunk takes; renewed with each
KEEP_DRAFTS = dt.timedelta(days=7)
Status = BulkChange.Status
log = logging.getLogger(__name__)


class LostLeaseError(Exception):
    """Another worker has taken the change over; what this one was about to commit is rolled back."""


def hint(bulk_id: int) -> None:
    """Wake the worker once the transaction has committed. The sweeper finds what a lost hint left."""
    transaction.on_commit(lambda: _send_hint(bulk_id), robust=True)


def _send_hint(bulk_id: int) -> None:
    try:
        current_app.send_task("feedback.run_bulk", args=[bulk_id])
    except (KombuError, OSError) as error:
        log.warning("No hint sent, the sweeper will find the bulk change: %s", error)


def waiting(*, now: dt.datetime | None = None) -> list[int]:
    """Keys of the changes that nobody works on, oldest first: asked for, or their worker was killed."""
    return list(_unclaimed(now or timezone.now()).order_by("created_at", "pk").values_list("pk", flat=True))


def claim(bulk_id: int) -> BulkChange | None:
    """The change, ours for the length of a lease; None where there is nothing to do or another has it."""
    mine = _unclaimed(timezone.now()).filter(pk=bulk_id)
    if not mine.update(status=Status.RUNNING, claimed_until=renewed()):
        return None
    return BulkChange.objects.select_related("buyer", "takes_back", "upload").get(pk=bulk_id)


def keep(bulk: BulkChange, **columns: object) -> None:
    """Write these columns if the change is still ours, at the place where we left it; else LostLeaseError."""
    mine = BulkChange.objects.filter(
        pk=bulk.pk, status=Status.RUNNING, claimed_until=bulk.claimed_until, done=bulk.done
    )
    if not mine.update(**columns):
        raise LostLeaseError
    bulk.refresh_from_db(fields=list(columns))


def renewed() -> dt.datetime:
    """Until when the lease holds if it is renewed now."""
    return timezone.now() + LEASE


def finish(bulk: BulkChange, **columns: object) -> None:
    """The work has ended."""
    keep(bulk, finished_at=timezone.now(), claimed_until=None, **columns)


def fail(bulk: BulkChange, why: str) -> None:
    """The work has ended without success, unless another worker has taken over."""
    with suppress(LostLeaseError):
        finish(bulk, status=Status.FAILED, error=why[:500])


def drop_drafts(*, now: dt.datetime | None = None) -> int:
    """Forget what was asked more than 7 days ago and never confirmed. → how many."""
    old = (now or timezone.now()) - KEEP_DRAFTS
    return BulkChange.objects.filter(status=Status.DRAFT, created_at__lt=old).delete()[0]


def _unclaimed(now: dt.datetime) -> QuerySet[BulkChange]:
    return BulkChange.objects.filter(
        Q(status=Status.QUEUED) | Q(status=Status.RUNNING, claimed_until__lt=now)
    )
