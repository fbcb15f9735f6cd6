"""The one way in, whatever the door: match → validate → record, for a whole list."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

from django.db import transaction
from django.utils import timezone

from feedback.match import NOT_ON_RECORD, Match, match, not_found, outside_window
from feedback.record import Entry, weigh, write
from feedback.schema import Schema, compile_schema, read_ids
from feedback.submission import Origin, Receipt, Submission
from flows.models import Flow
from flows.problems import Fault, Problem, ProblemError


def intake(
    flow: Flow,
    submissions: Sequence[Submission],
    origin: Origin,
    *,
    now: dt.datetime | None = None,
    atomic: bool = False,
) -> list[Receipt]:
    """Take the submissions in, in one transaction. → a receipt for each, in order.

    Good ones are kept when others are refused; with ``atomic`` all or none. ProblemError (403) where the flow
    takes no feedback. Once the transaction has committed, what the receipts say is durable.
    """
    refuse_if_disabled(flow)
    moment = now or timezone.now()
    with transaction.atomic(savepoint=False):
        refused, entries = _look_over(flow, submissions, origin, moment)
        decided, histories = weigh(entries, now=moment)
        learned = {entry.delivery: entry.learn for entry in entries if entry.learn and not entry.test}
        receipts = sorted([*refused, *decided], key=lambda receipt: receipt.index)
        if atomic and any(receipt.problem for receipt in receipts):
            return [_held_back(receipt) for receipt in receipts]
        lost = write(flow, histories, origin, now=moment, learned=learned)
    return [_not_learned(receipt) if receipt.delivery in lost else receipt for receipt in receipts]


def refuse_if_disabled(flow: Flow) -> None:
    """ProblemError (403) where the flow takes no feedback."""
    if not flow.feedback_enabled:
        detail = "This flow does not take feedback. Ask the seller to switch it on."
        raise ProblemError(Problem(403, "feedback_disabled", "Feedback is disabled", detail))


def _look_over(
    flow: Flow, submissions: Sequence[Submission], origin: Origin, now: dt.datetime
) -> tuple[list[Receipt], list[Entry]]:
    """Sort out what cannot be taken."""
    schema = compile_schema(flow)
    wanted = [read_ids(each.payload)[0] for each in submissions]
    matches = match(flow, origin.actor, wanted, lock=origin.livemode, learns=origin.learns_ids)
    refused, entries = [], []
    for submission, matched in zip(submissions, matches, strict=True):
        looked = _look(schema, submission, matched, origin, now)
        if isinstance(looked, Problem):
            refused.append(Receipt(submission.index, "rejected", problem=looked))
        else:
            entries.append(looked)
    return refused, entries


def _look(
    schema: Schema, submission: Submission, matched: Match, origin: Origin, now: dt.datetime
) -> Entry | Problem:
    delivery = matched.delivery
    known = delivery is not None and delivery.pk is not None
    delivered_at = delivery.delivered_at if delivery is not None and known else None
    clean = schema.validate(submission.payload, now=now, delivered_at=delivered_at)
    faults = (matched.fault,) if matched.fault else ()
    if isinstance(clean, tuple) or faults:
        return validation_failed((*faults, *clean) if isinstance(clean, tuple) else faults)
    if delivery is None:
        return not_found()
    if known and (closed := outside_window(delivery, now)):
        return closed
    if matched.warning:
        clean = clean.warn(matched.warning)
    test = not (known and origin.livemode)
    return Entry(submission.index, clean, delivery, submission.expected_version, test, matched.learn)


def _not_learned(receipt: Receipt) -> Receipt:
    """Somebody else took the id for another lead at the same moment."""
    if not receipt.learned:
        return receipt
    return replace(receipt, learned=False, warnings=(*receipt.warnings, NOT_ON_RECORD))


def validation_failed(faults: tuple[Fault, ...]) -> Problem:
    """The 422 that lists every fault."""
    count = "One thing is" if len(faults) == 1 else f"{len(faults)} things are"
    detail = f"{count} wrong with this feedback; nothing was recorded. See errors."
    return Problem(422, "validation_failed", "The feedback is not valid", detail, faults)


def _held_back(receipt: Receipt) -> Receipt:
    """What becomes of a receipt when all or none was asked, and something was refused."""
    if receipt.problem:
        return receipt
    detail = (
        "Not recorded: all or none was asked for, and other rows were refused. Mend those, then send all."
    )
    problem = Problem(422, "not_recorded", "Not recorded", detail)
    return Receipt(receipt.index, "rejected", problem=problem)
