"""Who works on a bulk change, and what becomes of one that nobody confirms."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress

from django.db.models import Q, QuerySet
from django.utils import timezone

from feedback import leases
from feedback.leases import LostLeaseError, renewed
from feedback.models import BulkChange

KEEP_DRAFTS = dt.timedelta(days=7)
Status = BulkChange.Status


def hint(bulk_id: int) -> None:
    """Wake the worker once the transaction has committed."""
    leases.hint("feedback.run_bulk", bulk_id)


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
    leases.keep(bulk, "done", columns)


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
