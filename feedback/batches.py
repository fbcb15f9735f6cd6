"""Feedback over HTTP: up to a thousand pieces in one request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from django.http import HttpResponse

from feedback.api import origin_of
from feedback.intake import intake, validation_failed
from feedback.submission import Receipt, Submission
from flows.http import ApiCall, endpoint, takes_feedback
from flows.problems import Fault, Problem, ProblemError

MAX_BYTES = 4 * 1024 * 1024
MAX_ROWS = 1000
ROWS = "feedback"


def post_batch(call: ApiCall) -> HttpResponse:
    """``POST …/feedback/batch``: 200 with a result for each row; with ``?atomic=true`` all or 422."""
    rows = _rows(call.json(MAX_BYTES))
    atomic = _atomic(call.request.GET)

    def work() -> tuple[int, dict[str, Any]]:
        submissions = [Submission(index, row) for index, row in enumerate(rows)]
        receipts = intake(call.flow, submissions, origin_of(call), atomic=atomic)
        if atomic and any(receipt.problem for receipt in receipts):
            raise ProblemError(validation_failed(_faults(receipts)))
        return 200, answer_json(receipts, call)

    return call.once(work)


def _rows(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The batch's rows. ProblemError 422 with every fault where it is no batch."""
    rows = body.get(ROWS)
    strangers = [
        Fault(name, "unknown_field", f"Leave out {name}: a batch has only {ROWS}.", (ROWS,))
        for name in body
        if name != ROWS
    ]
    if faults := (*_shape_faults(rows), *strangers):
        raise ProblemError(validation_failed(faults))
    return cast(list[dict[str, Any]], rows)


def _shape_faults(rows: object) -> list[Fault]:
    if not rows:
        return [Fault(ROWS, "required", f"Send a list of 1 to {MAX_ROWS:,} objects of feedback.")]
    if not isinstance(rows, list):
        return [Fault(ROWS, "invalid_type", f"Send a list of 1 to {MAX_ROWS:,} objects of feedback.")]
    if len(rows) > MAX_ROWS:
        return [Fault(ROWS, "too_long", f"Send at most {MAX_ROWS:,} objects; these are {len(rows):,}.")]
    return [
        Fault(f"{ROWS}[{index}]", "invalid_type", "Send an object of feedback.")
        for index, row in enumerate(rows)
        if not isinstance(row, dict)
    ]


def _atomic(query: Mapping[str, str]) -> bool:
    given = query.get("atomic", "false")
    if given not in ("true", "false"):
        fault = Fault("atomic", "invalid_choice", "Send atomic=true or atomic=false.", ("true", "false"))
        raise ProblemError(validation_failed((fault,)))
    return given == "true"


def answer_json(receipts: Sequence[Receipt], call: ApiCall) -> dict[str, Any]:
    """What is answered to a batch."""
    counts = Counter(receipt.status for receipt in receipts)
    return {
        **{status: counts[status] for status in ("recorded", "unchanged", "rejected")},
        "livemode": call.livemode,
        "results": [_result(receipt, call.request_id) for receipt in receipts],
    }


def _result(receipt: Receipt, request_id: str) -> dict[str, Any]:
    result: dict[str, Any] = {"index": receipt.index, "status": receipt.status}
    if receipt.problem:
        return {**result, "problem": receipt.problem.as_json(request_id)}
    return {**result, "feedback_id": receipt.feedback_id, "warnings": list(receipt.warnings)}


def _faults(receipts: Sequence[Receipt]) -> tuple[Fault, ...]:
    """The faults of every row, each naming its row."""
    return tuple(
        fault
        for receipt in receipts
        if receipt.problem and receipt.problem.code != "not_recorded"
        for fault in _faults_of(receipt.index, receipt.problem)
    )


def _faults_of(index: int, problem: Problem) -> list[Fault]:
    row = f"{ROWS}[{index}]"
    if not problem.faults:
        return [Fault(row, problem.code, problem.detail)]
    return [replace(fault, field=f"{row}.{fault.field}" if fault.field else row) for fault in problem.faults]


batch = endpoint("buyer", guard=takes_feedback, POST=post_batch)
