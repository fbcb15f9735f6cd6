"""The view: who asks, which delivery, what it is told, and the answer.

Whoever has a key is known by it, from a header or, here alone, from ``key=``. Without one, the id of a lead
is enough where its flow allows that (`Flow.event_id_is_credential`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse

from feedback.intake import intake
from feedback.leadconduit import answers, asking
from feedback.match import TEST_ID
from feedback.models import Door
from feedback.schema import compile_schema
from feedback.submission import Origin, Submission
from flows import keys, limits, request_log
from flows.http import key_text, once, problem_of, refusal
from flows.models import Agreement, Delivery, Flow, Outcome
from flows.problems import Problem, ProblemError
from flows.request_log import Trace
from portal.access import Actor, visible_to

METHODS = ("GET", "POST")
OUTCOMES: Mapping[str, str] = {"conversion": Outcome.CONVERTED.value, "return": Outcome.RETURNED.value}
FORBIDDEN = ("feedback_disabled", "outside_update_window")
NO_KEY = "Send your API key in the header X-API-Key, or as key=."


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks; without a key, of one flow only."""

    actor: Actor
    livemode: bool = True


class ForbiddenError(Exception):
    """Raised where feedback is forbidden, so that nothing is kept; with the code and the answer."""

    def __init__(self, code: str, data: Mapping[str, Any]) -> None:
        super().__init__(code)
        self.code, self.data = code, data


def feedback(request: HttpRequest) -> HttpResponse:
    """``GET|POST /feedback``: 201 with the outcome, 409 where it is forbidden; refusals in plain text."""
    trace, headers = Trace(request), dict[str, str]()
    try:
        response = _answer(trace, headers)
    except Exception as error:  # noqa: BLE001  # a program is answered, whatever happens
        problem = problem_of(error)
        trace.said = problem.as_json()
        response = answers.plain(problem)
    for name, value in headers.items():
        response.headers.setdefault(name, value)
    request_log.write(trace, response)
    return response


feedback.csrf_exempt = True  # type: ignore[attr-defined]  # a key is not sent by a browser on its own


def _answer(trace: Trace, headers: dict[str, str]) -> HttpResponse:
    request = trace.request
    if request.method not in METHODS:
        raise asking.refused(415, "Send GET or POST.", Allow=", ".join(METHODS))
    named = asking.of_address(request)
    trace.payload = _without_key(named)  # a call whose body is refused is found under its lead too
    key = _header_key(request) or named.get("key")
    caller = _holder(trace, key, headers) if key else None
    kind = answers.kind_of(request)
    asked = asking.parameters(request)
    trace.payload = _without_key(asked)
    if caller is None:
        caller = (
            _holder(trace, asked["key"], headers) if "key" in asked else _known_by_id(asked, trace, headers)
        )
    try:
        status, data = _once(trace, asked, caller, headers)
    except ForbiddenError as error:
        trace.said = {**error.data, "code": error.code}
        return answers.answer(error.data, 409, kind)
    trace.said = data
    return answers.answer(data, status, kind)


def _without_key(asked: Mapping[str, str]) -> dict[str, Any]:
    return {name: text for name, text in asked.items() if name != "key"}


def _header_key(request: HttpRequest) -> str:
    try:
        return key_text(request)
    except ProblemError:
        return ""


def _holder(trace: Trace, key: str, headers: dict[str, str]) -> Caller:
    """Who has this key. ProblemError 401, 403 or 429."""
    try:
        trace.key, actor = keys.authenticate(key)
    except keys.KeyOverError as error:
        trace.key = error.key
        raise
    headers.update(limits.limiter().hit(str(trace.key.pk)))
    if not actor.is_buyer:
        detail = "This needs the API key of a buyer."
        raise refusal(403, "key_not_allowed", "The API key does not allow this", detail)
    return Caller(actor, trace.key.livemode)


def _known_by_id(asked: Mapping[str, str], trace: Trace, headers: dict[str, str]) -> Caller:
    """Who may speak of the lead without a key. ProblemError 401 or 429.

    One query, whether the id is known, known in a flow that asks for keys, or not known at all.
    """
    address = limits.address_of(trace.request)
    headers.update(limits.limiter().hit(f"address:{address}", "Your address"))
    found = list(
        Delivery.objects.filter(public_id=asked.get("event_id", ""), flow__event_id_is_credential=True)
        .exclude(public_id=TEST_ID)
        .select_related("flow")[:2]
    )
    if len(found) != 1:
        raise keys.unauthorised("missing_api_key", NO_KEY)
    (delivery,) = found
    return Caller(Actor("buyer", party_id=delivery.buyer_id, flow_ids=frozenset({delivery.flow_id})))


def _once(
    trace: Trace, asked: Mapping[str, str], caller: Caller, headers: dict[str, str]
) -> tuple[int, dict[str, Any]]:
    """Do the work in one transaction; with an Idempotency-Key, once.

    Without an API key there is nobody whose Idempotency-Key it could be; feedback said again is unchanged.
    """
    answer = once(trace.request, trace.key, lambda: _work(trace, asked, caller))
    if answer.replayed:
        headers["Idempotent-Replayed"] = "true"
    return answer.status, json.loads(answer.body)


def _work(trace: Trace, asked: Mapping[str, str], caller: Caller) -> tuple[int, dict[str, Any]]:
    """ForbiddenError where feedback is forbidden; ProblemError."""
    event_id = asked.get("event_id", "")
    if not event_id:
        return 201, _error("Send event_id: the id of the lead, as it was delivered.")
    if asked.get("type") not in OUTCOMES:
        return 201, _error("Send type=conversion or type=return.")
    found = _flows_with(event_id, caller)
    if not found:
        return 201, _error("No lead of yours has this event_id.")
    if len(found) > 1:
        return 201, _error("Two flows have a lead of yours with this event_id. Use their own addresses.")
    (trace.flow,) = found
    return 201, _tell(trace.flow, event_id, asked, caller, trace)


def _flows_with(event_id: str, caller: Caller) -> list[Flow]:
    """The flows in which the caller has a delivery of that id; for the test lead, one that takes feedback."""
    flows = visible_to(caller.actor, Flow.objects.all())
    if event_id == TEST_ID:
        return list(flows.order_by("-feedback_enabled", "pk")[:1])
    mine = visible_to(caller.actor, Delivery.objects.filter(public_id=event_id))
    return list(flows.filter(pk__in=mine.values("flow"))[:2])


def _tell(
    flow: Flow, event_id: str, asked: Mapping[str, str], caller: Caller, trace: Trace
) -> dict[str, Any]:
    payload = {"lead_id": event_id, **_feedback(flow, asked)}
    origin = Origin(
        caller.actor,
        Door.LEADCONDUIT,
        livemode=caller.livemode,
        request_id=getattr(trace.request, "request_id", ""),
    )
    delivery = _delivery(flow, event_id, caller)
    agreement = visible_to(caller.actor, Agreement.objects.filter(flow=flow)).first()
    problem = _refusal(flow, payload, origin)
    if problem is None:
        return answers.outcome_data("success", None, delivery, agreement)
    data = answers.outcome_data("failure", problem.as_text(), delivery, agreement)
    if problem.code in FORBIDDEN:
        raise ForbiddenError(problem.code, data)
    return data


def _feedback(flow: Flow, asked: Mapping[str, str]) -> dict[str, Any]:
    """What is said, in the fields that the flow has: the outcome, or whether the lead converted."""
    outcome, known = OUTCOMES[asked["type"]], compile_schema(flow).by_name
    if "outcome" not in known and "converted" in known:
        said: dict[str, Any] = {"converted": outcome == Outcome.CONVERTED}
    else:
        said = {"outcome": outcome}
    return {**said, "reason": asked["reason"]} if asked.get("reason") else said


def _refusal(flow: Flow, payload: Mapping[str, Any], origin: Origin) -> Problem | None:
    """Take it in. → why it was refused, else None."""
    try:
        (receipt,) = intake(flow, [Submission(0, payload)], origin)
    except ProblemError as error:
        if error.problem.code not in FORBIDDEN:
            raise
        return error.problem
    return receipt.problem


def _delivery(flow: Flow, event_id: str, caller: Caller) -> Delivery:
    if event_id == TEST_ID:
        return Delivery(public_id=TEST_ID, flow=flow)
    mine = visible_to(caller.actor, Delivery.objects.filter(flow=flow, public_id=event_id))
    return mine.select_related("lead", "flow").get()


def _error(reason: str) -> dict[str, Any]:
    return answers.outcome_data("error", reason)
