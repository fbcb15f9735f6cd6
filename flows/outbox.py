"""Deliver what must leave the house: claimed by lease, sent outside any transaction, tried again."""

from __future__ import annotations

import datetime as dt
import logging

from django.db.models import F
from django.utils import timezone

from flows import transports
from flows.models import OutboxMessage

MAX_ATTEMPTS = 10
LEASE = dt.timedelta(
    minutes=5
)  # longer than any attempt takes; a killed worker's message is due again after it
FIRST_PAUSE = dt.timedelta(seconds=30)
LONGEST_PAUSE = dt.timedelta(hours=6)
log = logging.getLogger(__name__)
Status = OutboxMessage.Status


def deliver(*, now: dt.datetime | None = None, limit: int = 100) -> int:
    """Send up to ``limit`` messages that are due, the longest waiting first; the number that left.

    At least once: a worker killed between sending and closing leaves the message to be sent again.
    """
    due = OutboxMessage.objects.filter(status=Status.PENDING, next_attempt_at__lte=now or timezone.now())
    return sum(_attempt(message, now) for message in due.order_by("next_attempt_at", "pk")[:limit])


def pause_after(attempts: int) -> dt.timedelta:
    """How long to wait after so many failed attempts: 30 s, doubled each time, 6 hours at most."""
    return min(FIRST_PAUSE * (1 << (attempts - 1)), LONGEST_PAUSE)


def _attempt(message: OutboxMessage, now: dt.datetime | None) -> bool:
    """Whether this worker got the message, and it left."""
    if not _claim(message, now or timezone.now()):
        return False
    try:
        transports.get(message.kind).send(message)
    except transports.PermanentError as error:
        _give_up(message, error)
    except Exception as error:  # noqa: BLE001  # whatever a transport stumbles on, the others go on
        _put_off(message, error, now or timezone.now())
    else:
        _close(message, status=Status.DONE, done_at=now or timezone.now(), last_error="")
        return True
    return False


def _claim(message: OutboxMessage, now: dt.datetime) -> bool:
    """Compare and swap: of several workers that read the row, one changes it. Works on SQLite too."""
    as_read = OutboxMessage.objects.filter(
        pk=message.pk,
        status=Status.PENDING,
        attempts=message.attempts,
        next_attempt_at=message.next_attempt_at,
    )
    if not as_read.update(attempts=F("attempts") + 1, next_attempt_at=now + LEASE):
        return False
    message.attempts += 1
    return True


def _put_off(message: OutboxMessage, error: Exception, now: dt.datetime) -> None:
    if message.attempts >= MAX_ATTEMPTS:
        _give_up(message, error)
        return
    log.warning("Outbox message %s: attempt %s failed: %s", message.pk, message.attempts, error)
    _close(message, next_attempt_at=now + pause_after(message.attempts), last_error=_words(error))


def _give_up(message: OutboxMessage, error: Exception) -> None:
    log.error("Outbox message %s is given up after %s attempts: %s", message.pk, message.attempts, error)
    _close(message, status=Status.DEAD, last_error=_words(error))


def _close(message: OutboxMessage, **columns: object) -> None:
    """Write the attempt's end, unless the lease ran out and another worker has taken over."""
    OutboxMessage.objects.filter(pk=message.pk, attempts=message.attempts).update(**columns)


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:500]
