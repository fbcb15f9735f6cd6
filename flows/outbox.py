"""Deliver what must leave the house: claimed by lease, sent outside any transaction, tried again."""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

from django.db import connection, transaction
from django.db.models import F, QuerySet, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from flows import endpoints, transports
from flows.locks import locked
from flows.models import Attempt, OutboxMessage
from flows.targets import EgressError
from flows.transports import GONE, AnsweredError, PermanentError, Sent, ServerAwayError

LONGEST_ATTEMPT = 60.0  # seconds; what has not ended then counts as failed
LEASE = dt.timedelta(minutes=2)  # longer than any attempt; a killed worker's message is due again then
# Between one attempt and the next, as Standard Webhooks proposes: ten attempts in three days and four hours.
PAUSES = tuple(
    dt.timedelta(seconds=seconds)
    for seconds in (5, 300, 1800, *(hours * 3600 for hours in (2, 5, 10, 14, 20, 24)))
)
MAX_ATTEMPTS = len(PAUSES) + 1
LONGEST_WISH = dt.timedelta(hours=24)  # further off than this no receiver may put us
SIDE_BY_SIDE = 8  # messages on their way at the same time
MAILS_AT_ONCE = 4  # of them e-mails: one mail server has them all. Of an endpoint it is one
BUDGET = 30.0  # seconds after which a sweep begins nothing new
log = logging.getLogger(__name__)
Status = OutboxMessage.Status


class _LateError(Exception):
    """An attempt that has not ended in time."""


@dataclass(frozen=True, slots=True)
class _Try:
    """What came of handing a message to its transport."""

    sent: Sent | None
    error: Exception | None
    duration_ms: int


@dataclass(slots=True)
class _Sending:
    """A message on its way, in a thread of its own that the sweep need not wait for."""

    message: OutboxMessage
    begun: float = field(default_factory=time.monotonic)
    future: Future[_Try] = field(default_factory=Future)

    def start(self) -> _Sending:
        threading.Thread(target=self._run, daemon=True, name="outbox").start()
        return self

    def _run(self) -> None:
        try:
            self.future.set_result(_send(self.message))
        except BaseException as error:  # noqa: BLE001  # for the sweep's own thread, which waits for it
            self.future.set_exception(error)

    def left(self) -> float:
        """Seconds until it is late."""
        return max(self.begun + LONGEST_ATTEMPT - time.monotonic(), 0)

    def ended(self) -> bool:
        return self.future.done() or not self.left()

    def result(self) -> _Try:
        """Of one that has ended. What is late is left to itself: should it get through, it has been sent once
        more than noted, as may happen to any message."""
        if self.future.done():
            return self.future.result()
        late = _LateError(f"It had not ended after {LONGEST_ATTEMPT:.0f} seconds.")
        return _Try(None, late, round(LONGEST_ATTEMPT * 1000))


def deliver(*, now: dt.datetime | None = None, limit: int = 1000) -> int:
    """Send up to ``limit`` messages that are due; the number that left. RuntimeError within a transaction.

    Several are on their way side by side, of each endpoint one. After a failure its endpoint rests until the
    next sweep, and so do e-mails where the mail server is away. At least once: a worker killed before closing
    leaves its message to be sent again. Whatever the others do, it ends within `BUDGET` and
    `LONGEST_ATTEMPT`.
    """
    _require_no_transaction()
    begun, left = time.monotonic(), 0
    waiting = _due(now or timezone.now(), limit)
    out: list[_Sending] = []
    while waiting or out:
        if time.monotonic() - begun > BUDGET:
            waiting.clear()
        while len(out) < SIDE_BY_SIDE and (message := _next(waiting, out)):
            if _claim(message, now or timezone.now()):
                out.append(_Sending(message).start())
        for sending in _first_ended(out):
            out.remove(sending)
            message, result = sending.message, sending.result()
            if _note(message, result, now or timezone.now()):
                left += 1
            elif _rests(message, result.error):
                waiting = [each for each in waiting if each.endpoint_id != message.endpoint_id]
    return left


def _require_no_transaction() -> None:
    """A receiver may take its time, and what is locked would be locked for all of it; and a rollback would
    forget what has been sent."""
    blocks = connection.atomic_blocks
    if blocks and not getattr(blocks[-1], "_from_testcase", False):  # as Django's own check of durable blocks
        raise RuntimeError("Messages are sent outside of transactions: call deliver() after the commit.")


def _first_ended(out: Sequence[_Sending]) -> list[_Sending]:
    """Wait until at least one has ended; those that have."""
    if out:
        soonest = min(sending.left() for sending in out)
        wait([sending.future for sending in out], timeout=soonest, return_when=FIRST_COMPLETED)
    return [sending for sending in out if sending.ended()]


def _rests(message: OutboxMessage, error: Exception | None) -> bool:
    """Whether what else waits for this receiver has to wait for the next sweep."""
    if message.endpoint_id:
        return not isinstance(error, PermanentError)
    return isinstance(error, ServerAwayError | _LateError)


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
    ordered = due.annotate(turn=turn).order_by("turn", "next_attempt_at", "pk")
    return list(ordered.select_related("endpoint")[:limit])


def _next(waiting: list[OutboxMessage], out: Sequence[_Sending]) -> OutboxMessage | None:
    """Take out the first message whose receiver has fewer on their way than it may have."""
    busy = Counter(sending.message.endpoint_id for sending in out)
    for place, message in enumerate(waiting):
        if busy[message.endpoint_id] < (1 if message.endpoint_id else MAILS_AT_ONCE):
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
    if not locked(OutboxMessage.objects.filter(pk=message.pk)).first():
        return result.error is None  # deleted meanwhile, with its endpoint
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
    ours = isinstance(error, PermanentError | AnsweredError | EgressError | ServerAwayError | _LateError)
    return (str(error) if ours else f"{type(error).__name__}: {error}")[:500]
