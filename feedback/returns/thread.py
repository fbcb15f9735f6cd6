"""What is said and done on a return: one line of it for each act, with whose it was."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from feedback.models import ReturnMessage, ReturnRequest
from feedback.returns import told
from feedback.returns.evidence import Piece, attach, kept
from flows.problems import Problem, ProblemError
from portal.access import Actor

Act, Side, Status = ReturnMessage.Act, ReturnMessage.Side, ReturnRequest.Status
LONGEST = 5000  # characters


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who acts on a return: a person of either side, or the agreement itself."""

    side: str
    user_id: int | None = None

    @classmethod
    def of(cls, actor: Actor) -> Speaker:
        return cls(Side.BUYER if actor.is_buyer else Side.SELLER, actor.user_id)


def line(request: ReturnRequest, act: str, by: Speaker, body: str, now: dt.datetime) -> ReturnMessage:
    """Not saved yet. The request is another one from now on."""
    request.version += 1
    return ReturnMessage(
        request=request, act=act, side=by.side, user_id=by.user_id, body=body, created_at=now
    )


def say(
    request: ReturnRequest,
    actor: Actor,
    body: str,
    pieces: Sequence[Piece] = (),
    *,
    now: dt.datetime | None = None,
) -> ReturnMessage:
    """Write on the return, and tell the other side. ProblemError 409 where it was withdrawn.

    While it waits, a message of the seller's makes it the buyer's turn; the deadline stays. After a decision
    both may go on, as decisions can be taken back.
    """
    at, by = now or timezone.now(), Speaker.of(actor)
    with kept(pieces) as evidence, transaction.atomic():
        row = locked([request.pk])[0]
        if row.status == Status.WITHDRAWN:
            raise ProblemError(settled(row))
        row.buyers_turn = row.is_open and by.side == Side.SELLER
        message = line(row, Act.SAID, by, body, at)
        row.save(update_fields=["version", "buyers_turn"])
        message.save()
        attach(evidence, message)
        told.said(row, message)
    return message


def locked(pks: Sequence[int]) -> list[ReturnRequest]:
    """These requests with what a decision needs, locked in the order of their keys."""
    rows = ReturnRequest.objects.select_for_update(of=("self",), no_key=True)
    rows = rows.select_related("flow", "buyer", "delivery__source", "feedback")
    return list(rows.filter(pk__in=pks).order_by("pk"))


def settled(request: ReturnRequest) -> Problem:
    """The refusal of what comes too late."""
    stands = request.get_status_display().lower()
    detail = f"This return has changed since you opened it: it is now “{stands}”. Look at what stands."
    return Problem(409, "stale", "The return has changed", detail)
