"""Deliver what must leave the house: claimed by lease, sent outside any transaction, tried again."""

from __future__ import annotations

import datetime as dt
import logging
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from django.db import transaction
from django.db.models import F, QuerySet, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from flows import endpoints, transports
from flows.egress import EgressError
from flows.models import Attempt, OutboxMessage
from flows.transports import GONE, AnsweredError, PermanentError, Sent

LEASE = dt.timedelta(minutes=5)  # longer than any attempt takes; a killed worker's message is due again then
# Between one attempt and the next, as Standard Webhooks proposes: ten attempts in three days and four hours.
PAUSES = tuple(
    dt.timedelta(seconds=seconds)
    for seconds in (5, 300, 1800, *(hours * 3600 for hours in (2, 5, 10, 14, 20, 24)))
)
MAX_ATTEMPTS = len(PAUSES) + 1
LONGEST_WISH = dt.timedelta(hours=24)  # further off than this no receiver may put us
SIDE_BY_SIDE = 8  # messages on their way at the same time
PER_ENDPOINT = 200  # in one sweep, one after the other: a slow receiver holds up its own messages only
BUDGET = 30.0  # seconds after which a sweep begins nothing new
log = logging.getLogger(__name__)
Status = OutboxMessage.Status


@dataclass(frozen=True, slots=True)
class _Try:
    """What came of handing a message to its transport."""

    sent: Sent | None
    error: Exception | None
    duration_ms: int


def deliver(*, now: dt.datetime | None = None, limit: int = 1000) -> int:
    """Send up to ``limit`` messages that are due; the number that left.

    Several are on their way side by side, of each endpoint one. After a failure its endpoint rests until the
    next sweep. At least once: a worker killed before closing leaves its message to be sent again.
    """
    begun, left = time.monotonic(), 0
    waiting = _due(now or timezone.now(), limit)
    out: dict[Future[_Try], OutboxMessage] = {}
    with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="outbox") as pool:
        while waiting or out:
            if time.monotonic() - begun > BUDGET:
                waiting.clear()
            while len(out) < SIDE_BY_SIDE and (message := _next(waiting, out)):
                if _claim(message, now or timezone.now()):
                    out[pool.submit(_send, message)] = message
            for future in wait(out, return_when=FIRST_COMPLETED).done if out else ():
                message, result = out.pop(future), future.result()
                if _note(message, result, now or timezone.now()):
                    left += 1
                elif message.endpoint_id and not isinstance(result.error, PermanentError):
                    waiting = [each for each in waiting if each.endpoint_id != message.endpoint_id]
    return left


def pause_after(attempts: int) -> dt.timedelta:
    """How long to wait after so many failed attempts, fewer than `MAX_ATTEMPTS`."""
    return PAUSES[attempts - 1]


def send_again(messages: QuerySet[OutboxMessage], *, now: dt.datetime) -> int:
    """Let these be sent anew, with the bytes and ids that they had; → how many. What waits is left alone."""
    over = messages.filter(status__in=(Status.DONE, Status.DEAD))
    return over.update(status=Status.PENDING, attempts=0, next_attempt_at=now, done_at=None, last_error="")


def _due(now: dt.datetime, limit: int) -> list[OutboxMessage]:
    """In turns: of each endpoint (and of all e-mails) first the longest waiting, then the next, and so on."""
    due = OutboxMessage.objects.filter(status=Status.PENDING, next_attempt_at__lte=now)
    turn = Window(RowNumber(), partition_by="endpoint", order_by=("next_attempt_at", "pk"))
    ordered = due.annotate(turn=turn).filter(turn__lte=PER_ENDPOINT).order_by("turn", "next_attempt_at", "pk")
    return list(ordered.select_related("endpoint")[:limit])


def _next(waiting: list[OutboxMessage], out: dict[Future[_Try], OutboxMessage]) -> OutboxMessage | None:
    """Take out the first message whose endpoint has none on its way."""
    busy = {message.endpoint_id for message in out.values()} - {None}
    for place, message in enumerate(waiting):
        if message.endpoint_id not in busy:
            return waiting.pop(place)
    return None


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


def _send(message: OutboxMessage) -> _Try:
    """In a thread, without the database."""
    begun = time.monotonic()
    sent, failed = None, None
    try:
        sent = transports.get(message.kind).send(message)
    except Exception as error:  # noqa: BLE001  # whatever a transport stumbles on, the others go on
        failed = error
    return _Try(sent, failed, round((time.monotonic() - begun) * 1000))


@transaction.atomic
def _note(message: OutboxMessage, result: _Try, now: dt.datetime) -> bool:
    """Write down what came of it: log, message and endpoint in one transaction; → whether it left."""
    _log(message, result, now)
    if result.error is None:
        _close(message, status=Status.DONE, done_at=now, last_error="")
        endpoints.heard(message.endpoint)
        return True
    if message.attempts >= MAX_ATTEMPTS or _is_final(result.error):
        log.error("Outbox message %s is given up after %s attempts.", message.pk, message.attempts)
        _close(message, status=Status.DEAD, last_error=_words(result.error))
    else:
        log.warning("Outbox message %s: attempt %s failed.", message.pk, message.attempts)
        _close(message, next_attempt_at=_when(message, result.error, now), last_error=_words(result.error))
    if message.endpoint and not isinstance(result.error, PermanentError):
        endpoints.failed(message.endpoint, result.error, now=now)
    return False


def _is_final(error: Exception) -> bool:
    gone = isinstance(error, AnsweredError) and error.status_code == GONE
    return gone or isinstance(error, PermanentError)


def _log(message: OutboxMessage, result: _Try, now: dt.datetime) -> None:
    answered = result.sent or (result.error if isinstance(result.error, AnsweredError) else None)
    Attempt.objects.create(
        message_id=message.pk,
        at=now,
        ok=result.error is None,
        status_code=answered.status_code if answered else None,
        duration_ms=result.duration_ms,
        detail=(answered.detail if answered else _words(result.error))[:500],
    )


def _when(message: OutboxMessage, error: Exception, now: dt.datetime) -> dt.datetime:
    """When to try again: after the pause, or later where the receiver asked for it, within a day."""
    asked = _asked(getattr(error, "retry_after", None), now)
    return now + max(pause_after(message.attempts), min(asked, LONGEST_WISH))


def _asked(retry_after: str | None, now: dt.datetime) -> dt.timedelta:
    """``Retry-After`` as a span, from seconds or an HTTP date; none where it is neither."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdecimal():
        return dt.timedelta(seconds=min(int(text[:9]), 10**8))
    try:
        at = parsedate_to_datetime(text)
        return (at if at.tzinfo else at.replace(tzinfo=dt.UTC)) - now
    except (ValueError, TypeError, IndexError, OverflowError):
        return dt.timedelta(0)


def _close(message: OutboxMessage, **columns: object) -> None:
    """Write the attempt's end, unless the lease ran out and another worker has taken over."""
    OutboxMessage.objects.filter(pk=message.pk, attempts=message.attempts).update(**columns)


def _words(error: Exception | None) -> str:
    """For the seller where the words are ours, with the kind of error where they are not."""
    ours = isinstance(error, PermanentError | AnsweredError | EgressError)
    return (str(error) if ours else f"{type(error).__name__}: {error}")[:500]
