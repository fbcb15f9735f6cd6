"""What becomes of a request: granted, rejected, withdrawn, and a decision taken back.

Each act is one transaction: the request, the line in its thread, the ledger, what it says of the lead, and
what leaves the house. Requests are locked before leads, both in the order of their keys.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from django.db import transaction
from django.utils import timezone

from feedback.models import Door, ReturnMessage, ReturnRequest
from feedback.returns import ledger, told
from feedback.returns.record import say_returned, unsay_returned
from feedback.returns.thread import Act, Side, Speaker, line, locked, settled
from feedback.submission import Origin
from flows.models import Agreement, Delivery
from flows.problems import Fault, Problem, ProblemError
from portal.access import Actor, visible_to

APPROVE, REJECT = "approve", "reject"
AS_WANTED = "wanted"  # each as its buyer asked for
Remedy, Status = ReturnRequest.Remedy, ReturnRequest.Status
COLUMNS = (
    *("status", "buyers_turn", "due_at", "version"),
    *("decided_at", "decided_by", "by_rule", "feedback", "replacement"),
)


def decide(
    seen: Mapping[int, int],
    verdict: str,
    actor: Actor,
    *,
    remedy: str = AS_WANTED,
    note: str = "",
    request_id: str = "",
    now: dt.datetime | None = None,
) -> list[ReturnRequest]:
    """Approve or reject all of these, or none. → as they stand then.

    ``seen``: a request's key → its version that the person had before their eyes. ProblemError 409 where one
    of them has changed since: it was decided, or something was said on it.
    """
    at = now or timezone.now()
    with transaction.atomic():
        rows = locked(list(seen))
        for row in rows:
            if row.version != seen[row.pk] or not row.is_open:
                raise ProblemError(settled(row))
        by = Speaker.of(actor)
        if verdict == APPROVE:
            grant(rows, remedy, by, note, Origin(actor, Door.PORTAL, request_id=request_id), now=at)
        else:
            for row in rows:
                _settle(row, Status.REJECTED, by, at)
            _write(rows, Act.REJECTED, by, note, at)
            told.decided(rows, note, now=at)
    return rows


def grant(
    rows: Sequence[ReturnRequest], remedy: str, by: Speaker, note: str, origin: Origin, *, now: dt.datetime
) -> None:
    """Credit these, or promise another lead, in the caller's transaction, which holds their locks."""
    say_returned(rows, origin, now=now)
    for row in rows:
        chosen = row.wanted if remedy == AS_WANTED else remedy
        _settle(row, Status.CREDITED if chosen == Remedy.CREDIT else Status.APPROVED, by, now)
    credited = [row for row in rows if row.status == Status.CREDITED]
    promised = [row for row in rows if row.status == Status.APPROVED]
    ledger.book(credited, _write(credited, Act.CREDITED, by, note, now), now=now)
    ledger.book(promised, _write(promised, Act.PROMISED, by, note, now), now=now)
    told.decided(rows, note, now=now)


def replace_by(request: ReturnRequest, lead_id: str, actor: Actor, *, now: dt.datetime | None = None) -> None:
    """Name the lead that takes the returned one's place.

    ProblemError 422 with a fault of ``lead_id`` where it cannot be that, 409 where no replacement is owed.
    """
    at = now or timezone.now()
    with transaction.atomic():
        row = locked([request.pk])[0]
        if row.status != Status.APPROVED:
            raise ProblemError(settled(row))
        row.replacement = _replacement(row, lead_id.strip(), actor)
        row.status = Status.REPLACED
        _write([row], Act.REPLACED, Speaker.of(actor), row.replacement.public_id, at)
        told.decided([row], "", now=at)


def withdraw(request: ReturnRequest, actor: Actor, *, note: str = "", now: dt.datetime | None = None) -> None:
    """The buyer takes the request back. ProblemError 409 once it was decided."""
    at = now or timezone.now()
    with transaction.atomic():
        row = locked([request.pk])[0]
        if not row.is_open:
            raise ProblemError(settled(row))
        row.status, row.buyers_turn = Status.WITHDRAWN, False
        _write([row], Act.WITHDREW, Speaker.of(actor), note, at)
        told.withdrawn(row, now=at)


def reopen(
    request: ReturnRequest,
    version: int,
    actor: Actor,
    *,
    note: str,
    request_id: str = "",
    now: dt.datetime | None = None,
) -> ReturnRequest:
    """Take a decision back: the request waits anew, nothing of it stands credited, the lead is as without it.

    ProblemError 409 where it has changed since it was ``version``, or was not decided.
    """
    at = now or timezone.now()
    with transaction.atomic():
        row = locked([request.pk])[0]
        if row.version != version or not (row.is_granted or row.status == Status.REJECTED):
            raise ProblemError(settled(row))
        unsay_returned(row, Origin(actor, Door.PORTAL, request_id=request_id), now=at)
        _settle(row, Status.REQUESTED, None, at)
        row.due_at = at + dt.timedelta(days=_answer_days(row))
        (message,) = _write([row], Act.REOPENED, Speaker.of(actor), note, at)
        ledger.take_back(row, message, now=at)
        told.decided([row], note, now=at)
    return row


def _settle(row: ReturnRequest, status: str, by: Speaker | None, now: dt.datetime) -> None:
    """Set what a decision sets; without anybody it is undecided again."""
    row.status, row.buyers_turn, row.replacement = status, False, None
    row.decided_at = now if by else None
    row.decided_by_id = by.user_id if by else None
    row.by_rule = by is not None and by.side == Side.RULE


def _write(
    rows: Sequence[ReturnRequest], act: str, by: Speaker, body: str, now: dt.datetime
) -> list[ReturnMessage]:
    """Save the requests, and of each the line that says what was done."""
    lines = [line(row, act, by, body, now) for row in rows]
    ReturnRequest.objects.bulk_update(rows, COLUMNS, batch_size=200)
    return ReturnMessage.objects.bulk_create(lines)


def _answer_days(row: ReturnRequest) -> int:
    days = Agreement.objects.filter(flow=row.flow_id, buyer=row.buyer_id)
    return days.values_list("return_answer_days", flat=True).first() or Agreement().return_answer_days


def _replacement(row: ReturnRequest, lead_id: str, actor: Actor) -> Delivery:
    sold = Delivery.objects.filter(flow=row.flow_id, buyer=row.buyer_id, public_id=lead_id[:64])
    found = visible_to(actor, sold).first() if lead_id and "\0" not in lead_id else None
    if found is None:
        fault = "No lead of this buyer on this flow has this id. Write it as it was delivered, such as evt_…."
    elif found.pk == row.delivery_id:
        fault = "This is the returned lead itself."
    elif found.delivered_at < row.delivery.delivered_at:
        fault = "This lead was delivered before the one that it is to replace."
    elif ReturnRequest.objects.filter(replacement=found).exists():
        fault = "This lead replaces another one already."
    elif ReturnRequest.objects.filter(delivery=found, status__in=ReturnRequest.COUNTED).exists():
        fault = "This lead was sent back itself."
    else:
        return found
    faults = (Fault("lead_id", "invalid_choice", fault),)
    raise ProblemError(Problem(422, "validation_failed", "Not a replacement", fault, faults))
