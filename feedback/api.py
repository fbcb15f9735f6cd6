"""Feedback over HTTP: one piece of it."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from feedback.intake import intake
from feedback.models import Door
from feedback.present import state_json
from feedback.submission import Origin, Receipt, Submission
from flows.http import ApiCall, endpoint, takes_feedback
from flows.problems import ProblemError


def post_feedback(call: ApiCall) -> HttpResponse:
    """``POST /flows/{flow_id}/feedback``: 201 recorded, 200 unchanged or test."""
    payload = call.json()

    def work() -> tuple[int, dict[str, Any]]:
        (receipt,) = intake(call.flow, [Submission(0, payload)], origin_of(call))
        if receipt.problem:
            raise ProblemError(receipt.problem)
        return (201 if receipt.status == "recorded" else 200), receipt_json(receipt, call)

    return call.once(work)


def origin_of(call: ApiCall) -> Origin:
    """The call as the pipeline sees it."""
    return Origin(actor=call.actor, door=Door.API, livemode=call.livemode, request_id=call.request_id)


def receipt_json(receipt: Receipt, call: ApiCall) -> dict[str, Any]:
    """The answer to one piece of feedback that was taken."""
    delivery = receipt.delivery
    if delivery is None:
        raise ValueError("Only a receipt of feedback that was taken has an answer.")
    return {
        "feedback_id": receipt.feedback_id,
        "lead_id": delivery.public_id,
        "external_id": delivery.external_id,
        "status": receipt.status,
        "applied": receipt.applied,
        "livemode": call.livemode,
        "lead": state_json(delivery, call.flow),
        "warnings": list(receipt.warnings),
    }


feedback = endpoint("buyer", guard=takes_feedback, POST=post_feedback)
