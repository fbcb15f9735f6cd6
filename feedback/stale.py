"""Say that deliveries changed: marks for the worker, and a hint that wakes it."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Sequence
from typing import Any

from celery import current_app
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import KombuError

from feedback.models import StaleMark
from flows.models import Delivery

HINT_EVERY = 0.25  # seconds: one hint covers everything that commits until the worker wakes
log = logging.getLogger(__name__)
_next_hint = 0.0


def mark(deliveries: Sequence[Delivery], *, now: dt.datetime | None = None) -> None:
    """Mark the deliveries' cells as stale, in the caller's transaction, and wake the worker after it."""
    moment = now or timezone.now()
    StaleMark.objects.bulk_create(
        StaleMark(delivery=each, source_id=each.source_id, day=each.delivered_on, marked_at=moment)
        for each in deliveries
    )
    hint_recompute()


def mark_new(*, deliveries: Sequence[Delivery], **signal: Any) -> None:
    """Receiver of ``flows.signals.deliveries_created``: a new delivery changes its cell too."""
    mark(deliveries)


def hint_recompute() -> None:
    """Wake the worker once the transaction has committed. Cheap to call often; never raises.

    A hint that is lost, or not sent because the broker is away, costs seconds: the sweeper finds the marks.
    """
    transaction.on_commit(_send_hint, robust=True)


def _send_hint() -> None:
    """At most one hint per HINT_EVERY and process; it wakes the worker at the end of that time, so that
    nothing that was held back meanwhile is overlooked."""
    global _next_hint  # noqa: PLW0603  # per process on purpose: throttling must not cost a round trip
    now = time.monotonic()
    if now < _next_hint:
        return
    _next_hint = now + HINT_EVERY
    try:
        current_app.send_task("feedback.recompute", countdown=HINT_EVERY, expires=60)
    except (KombuError, OSError) as error:
        _next_hint = now + 5
        log.warning("No hint sent, the sweeper will find the work: %s", error)
