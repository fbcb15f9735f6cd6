"""Long work that one worker does at a time: an upload, a bulk change.

Claimed for the length of a lease, renewed with each chunk; where a worker was killed its lease runs out, and
the next one goes on from where the row says that it is.
"""

from __future__ import annotations

import datetime as dt
import logging

from celery import current_app
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import KombuError

from feedback.models import BulkChange, Upload

LEASE = dt.timedelta(seconds=60)  # longer than a chunk takes
log = logging.getLogger(__name__)


class LostLeaseError(Exception):
    """Another worker has taken the work over; what this one was about to commit is rolled back."""


def renewed() -> dt.datetime:
    """Until when the lease holds if it is renewed now."""
    return timezone.now() + LEASE


def keep(work: Upload | BulkChange, place: str, columns: dict[str, object]) -> None:
    """Write these columns if the work is still ours, and where we left it; else LostLeaseError.

    ``place``: the column that tells how far it is.
    """
    unmoved = {name: getattr(work, name) for name in ("status", "claimed_until", place)}
    mine = type(work)._default_manager.filter(pk=work.pk, **unmoved)
    if not mine.update(**columns):
        raise LostLeaseError
    work.refresh_from_db(fields=list(columns))


def hint(task: str, pk: int) -> None:
    """Wake a worker once the transaction has committed. The sweeper finds what a lost hint left."""
    transaction.on_commit(lambda: _send(task, pk), robust=True)


def _send(task: str, pk: int) -> None:
    try:
        current_app.send_task(task, args=[pk])
    except (KombuError, OSError) as error:
        log.warning("No hint sent, the sweeper will find the work of %s: %s", task, error)
