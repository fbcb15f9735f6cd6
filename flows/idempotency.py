"""``Idempotency-Key``: the work of a POST is done once, however often the POST arrives.

A claim is committed first. The answer is written into it in the work's own transaction, so both stand or
neither does. A claim without an answer is a request under way, until its lease runs out: then its process
died before the commit and has recorded nothing, so the next one takes the claim over. ``claimed_at`` tells
claims apart: whoever writes names the one that it made, and finds nothing when another took it over.

Test keys are served alike: what is kept is the answer, and a client's retries can be tried out.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass

from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from flows.models import ApiKey, IdempotentRequest
from flows.problems import Fault, Problem, ProblemError

KEPT = dt.timedelta(hours=24)
LEASE = dt.timedelta(seconds=60)
PRINTABLE = re.compile(r"[\x20-\x7e]{1,255}")

Work = Callable[[], tuple[int, str]]  # → status and body


@dataclass(frozen=True, slots=True)
class Answer:
    """What to send: the work's answer, or the one that was given before."""

    status: int
    body: str
    replayed: bool = False


class _ClaimLostError(Exception):
    """Another request took the claim over while this one worked."""


def key_of(request: HttpRequest) -> str | None:
    """The request's ``Idempotency-Key``; None without one. ProblemError 422 for one that cannot be a key."""
    key = request.headers.get("Idempotency-Key")
    if key is None or PRINTABLE.fullmatch(key):
        return key
    code = "too_long" if len(key) > 255 else "invalid_type"
    message = "An Idempotency-Key has 1 to 255 printable ASCII characters."
    fault = Fault("Idempotency-Key", code, message)
    raise ProblemError(Problem(422, "validation_failed", "The request is not valid", message, (fault,)))


def fingerprint(request: HttpRequest, body: bytes) -> str:
    """SHA-256 of method, path, query and body."""
    head = f"{request.method} {request.get_full_path()}\n"
    return hashlib.sha256(head.encode() + body).hexdigest()


def once(api_key: ApiKey, key: str, print_: str, work: Work, *, now: dt.datetime | None = None) -> Answer:
    """Do ``work`` in one transaction and keep its answer, or give the answer kept for this key.

    ProblemError 409 while another request works on the same key, 422 where that request was another one.
    Whatever ``work`` raises goes on to the caller, and the key is free again.
    """
    moment = now or timezone.now()
    claim = _claim(api_key, key, print_, moment)
    if claim.status is not None:
        return Answer(claim.status, claim.body, replayed=True)
    try:
        return _work_and_keep(claim, work)
    except _ClaimLostError:
        raise _in_progress() from None
    except BaseException:
        with contextlib.suppress(DatabaseError):  # then the lease ends the claim
            _mine(claim).delete()
        raise


def _claim(api_key: ApiKey, key: str, print_: str, moment: dt.datetime) -> IdempotentRequest:
    """The row of this key: freshly claimed (no status), or with its answer."""
    try:
        row, created = IdempotentRequest.objects.get_or_create(
            api_key=api_key, key=key, defaults={"fingerprint": print_, "claimed_at": moment}
        )
    except IntegrityError:  # another one claimed it and has just given it up
        raise _in_progress() from None
    if created:
        return row
    if row.claimed_at > moment - KEPT:
        if row.fingerprint != print_:
            raise _reused()
        if row.status is not None:
            return row
        if row.claimed_at > moment - LEASE:
            raise _in_progress()
    return _take_over(row, print_, moment)


def _take_over(row: IdempotentRequest, print_: str, moment: dt.datetime) -> IdempotentRequest:
    """Claim a row that is out of date; of several at once one succeeds."""
    taken = IdempotentRequest.objects.filter(pk=row.pk, claimed_at=row.claimed_at, status=row.status).update(
        fingerprint=print_, claimed_at=moment, status=None, body=""
    )
    if not taken:
        raise _in_progress()
    row.fingerprint, row.claimed_at, row.status = print_, moment, None
    return row


def _work_and_keep(claim: IdempotentRequest, work: Work) -> Answer:
    with transaction.atomic(durable=True):
        status, body = work()
        if not _mine(claim).update(status=status, body=body):
            raise _ClaimLostError
    return Answer(status, body)


def _mine(claim: IdempotentRequest) -> QuerySet[IdempotentRequest]:
    return IdempotentRequest.objects.filter(pk=claim.pk, claimed_at=claim.claimed_at, status=None)


def _in_progress() -> ProblemError:
    detail = "A request with this Idempotency-Key is being worked on. Send it again in a moment."
    headers = {"Retry-After": "1"}
    return ProblemError(Problem(409, "request_in_progress", "Being worked on", detail, headers=headers))


def _reused() -> ProblemError:
    detail = "This Idempotency-Key came with another request. Use a fresh one for each request."
    return ProblemError(Problem(422, "idempotency_key_reused", "The Idempotency-Key is taken", detail))
