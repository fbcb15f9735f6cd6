"""What every API endpoint shares: who asks, how often, for which flow, in what form, and what goes wrong.

An endpoint is made from plain functions, one a method::

    feedback = endpoint("buyer", guard=takes_feedback, POST=post_feedback)

    def post_feedback(call: ApiCall) -> HttpResponse:
        payload = call.json()
        return call.once(lambda: (201, record(payload)))

A handler raises `ProblemError` to refuse; whatever else goes wrong becomes a problem document too.
"""

from __future__ import annotations

import base64
import binascii
import copy
import dataclasses
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from django.core.exceptions import SuspiciousOperation
from django.core.serializers.json import DjangoJSONEncoder
from django.db import InterfaceError, OperationalError, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, UnreadablePostError

from flows import bodies, idempotency, keys, limits, request_log, strict_json
from flows.accept import accepts
from flows.idempotency import Answer
from flows.models import ApiKey, Flow
from flows.problems import Fault, Problem, ProblemError
from flows.request_log import Trace
from portal.access import Actor, get_or_404

Party = Literal["buyer", "seller", "any"]
Handler = Callable[..., HttpResponseBase]
Guard = Callable[["ApiCall"], None]
Work = Callable[[], tuple[int, dict[str, Any]]]  # → status and data; records all or, by raising, nothing
JSON = "application/json"
log = logging.getLogger(__name__)


@dataclass
class ApiCall:
    """One authenticated request on one flow."""

    request: HttpRequest
    key: ApiKey
    actor: Actor
    flow: Flow
    request_id: str
    parsed: dict[str, Any] | None = field(default=None, init=False)  # what `json` has read

    @property
    def livemode(self) -> bool:
        return self.key.livemode

    def json(self, max_bytes: int = 65536) -> dict[str, Any]:
        """The body's object, read strictly. ProblemError 400, 413 or 415."""
        bodies.require_json(self.request)
        body = bodies.read(self.request, max_bytes)
        try:
            self.parsed = strict_json.loads(body)
        except strict_json.MalformedJsonError as error:
            raise malformed(error) from None
        return self.parsed

    def once(self, work: Work, body: bytes | None = None) -> HttpResponse:
        """Do ``work`` in one transaction and answer with its status and data; with an Idempotency-Key, once.

        ``work`` records all or, by raising, nothing. ``body``: what tells this request from another one where
        that is not the request's own body (a digest of a large file, say).
        """
        return answered(once(self.request, self.key, work, body))


class Method(NamedTuple):
    """How one method of an endpoint is served."""

    party: Party
    handler: Handler
    guard: Guard | None
    produces: Sequence[str]


class Endpoint:
    """A view: picks the method's handler once the request has passed every check before it."""

    csrf_exempt = True  # a key is not sent by a browser on its own

    def __init__(self) -> None:
        self.methods: dict[str, Method] = {}

    def add(
        self,
        method: str,
        party: Party,
        handler: Handler,
        *,
        guard: Guard | None = None,
        produces: Sequence[str] = (JSON,),
    ) -> None:
        """Serve one more method, here or in an app above (one path may serve buyers and sellers)."""
        self.methods[method] = Method(party, handler, guard, produces)

    def __call__(self, request: HttpRequest, flow_id: str, **kwargs: Any) -> HttpResponseBase:
        trace = Trace(request, {"flow_id": flow_id, **kwargs})
        headers: dict[str, str] = {}
        response = self._safely(request, lambda: self._answer(trace, flow_id, headers, kwargs))
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        request_log.write(trace, response)
        return without_body(response) if request.method == "HEAD" else response

    def rehearse(self, request: HttpRequest, flow_id: str, key: ApiKey, **kwargs: Any) -> HttpResponse:
        """What ``request`` would be answered with ``key``, but as a test: nothing is recorded or logged.

        For endpoints that answer in JSON.
        """
        trial = copy.copy(key)
        trial.livemode = False
        trace, actor = Trace(request, key=trial), keys.actor_of_key(key)
        response = self._safely(
            request, lambda: self._serve(self._method(request), trace, actor, flow_id, kwargs)
        )
        assert isinstance(response, HttpResponse)  # noqa: S101  # no file
        return response

    @staticmethod
    def _safely(request: HttpRequest, work: Callable[[], HttpResponseBase]) -> HttpResponseBase:
        try:
            response = work()
        except Exception as error:  # noqa: BLE001  # an API answers in JSON, whatever happens
            response = problem_response(problem_of(error), getattr(request, "request_id", ""))
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    def _answer(
        self, trace: Trace, flow_id: str, headers: dict[str, str], kwargs: dict[str, Any]
    ) -> HttpResponseBase:
        request = trace.request
        if request.method == "OPTIONS":
            return HttpResponse(status=204, headers={"Allow": self.allowed()})
        method = self._method(request)
        try:
            trace.key, actor = keys.authenticate(key_text(request))
        except keys.KeyOverError as error:
            trace.key = error.key
            raise
        headers.update(limits.limiter().hit(str(trace.key.pk)))
        return self._serve(method, trace, actor, flow_id, kwargs)

    def _serve(
        self, method: Method, trace: Trace, actor: Actor, flow_id: str, kwargs: dict[str, Any]
    ) -> HttpResponseBase:
        """The answer to one whose key is known."""
        request = trace.request
        assert trace.key is not None  # noqa: S101  # set by both callers
        trace.flow = flow_of(actor, flow_id)
        call = ApiCall(request, trace.key, actor, trace.flow, getattr(request, "request_id", ""))
        require_party(call, method.party)
        if method.guard:
            method.guard(call)
        if not any(accepts(request, kind) for kind in method.produces):
            raise _not_acceptable(method.produces)
        try:
            return method.handler(call, **kwargs)
        finally:
            trace.payload = call.parsed

    def _method(self, request: HttpRequest) -> Method:
        method = self.methods.get("GET" if request.method == "HEAD" else request.method or "")
        if method is None:
            raise self._not_allowed(request)
        return method

    def allowed(self) -> str:
        """The methods, as in the header Allow."""
        head = {"HEAD"} if "GET" in self.methods else set()
        return ", ".join(sorted({"OPTIONS", *self.methods, *head}))

    def _not_allowed(self, request: HttpRequest) -> ProblemError:
        allow = self.allowed()
        detail = f"This address takes {allow}, not {request.method}."
        return refusal(405, "method_not_allowed", "Method not allowed", detail, headers={"Allow": allow})


def endpoint(
    party: Party, *, guard: Guard | None = None, produces: Sequence[str] = (JSON,), **handlers: Handler
) -> Endpoint:
    """A view for ``path("flows/<flow_id>/…")``: ``endpoint("buyer", POST=post_feedback)``.

    The checks come in this order: method (405), key (401), rate limit (429), flow (404), party and the key's
    list of flows (403), ``guard`` (which raises to refuse), Accept (406); then ``handler(call, **kwargs)``.
    """
    view = Endpoint()
    for method, handler in handlers.items():
        view.add(method, party, handler, guard=guard, produces=produces)
    return view


def takes_feedback(call: ApiCall) -> None:
    """Guard of the endpoints that record feedback."""
    if not call.flow.feedback_enabled:
        detail = "This flow does not take feedback at present. Ask the seller."
        raise refusal(403, "feedback_disabled", "The flow does not take feedback", detail)


def key_text(request: HttpRequest) -> str:
    """The key as X-API-Key, as Bearer, or as user name or password of Basic. ProblemError 401 without one.

    Never from the address, which ends up in logs and histories.
    """
    scheme, _, credentials = request.headers.get("Authorization", "").strip().partition(" ")
    given = request.headers.get("X-API-Key", "").strip()
    if not given and scheme.lower() == "bearer":
        given = credentials.strip()
    if not given and scheme.lower() == "basic":
        given = _basic(credentials)
    if not given:
        detail = "Send your API key in the header X-API-Key. A key in the address is not accepted."
        raise keys.unauthorised("missing_api_key", detail)
    return given


def flow_of(actor: Actor, flow_id: str) -> Flow:
    """The actor's flow, whether or not the key's list has it (see `require_party`). ProblemError 404."""
    try:
        return get_or_404(dataclasses.replace(actor, flow_ids=None), Flow.objects.all(), public_id=flow_id)
    except Http404:
        detail = "There is no such flow, or it is not yours."
        raise refusal(404, "flow_not_found", "No such flow", detail) from None


def require_party(call: ApiCall, party: Party) -> None:
    """ProblemError 403 where the key is of the other kind of party or does not open the flow."""
    if party not in ("any", call.actor.side):
        detail = f"This needs the API key of a {party}."
    elif call.actor.flow_ids is not None and call.flow.pk not in call.actor.flow_ids:
        detail = "This API key is limited to other flows."
    else:
        return
    raise refusal(403, "key_not_allowed", "The API key does not allow this", detail)


def refusal(status: int, code: str, title: str, detail: str, **more: Any) -> ProblemError:
    """A problem to raise; ``more``: faults, extra, headers."""
    return ProblemError(Problem(status, code, title, detail, **more))


def malformed(error: strict_json.MalformedJsonError) -> ProblemError:
    """400 with the place of the fault."""
    detail = f"{error.reason} Line {error.line}, column {error.column}."
    fault = Fault("", "malformed_json", detail)
    place = {"line": error.line, "column": error.column}
    return refusal(
        400, "malformed_json", "The body is not well-formed JSON", detail, faults=(fault,), extra=place
    )


def problem_of(error: Exception) -> Problem:
    """What to answer to an exception; the unexpected is logged."""
    match error:
        case ProblemError():
            return error.problem
        case Http404():
            return Problem(404, "not_found", "Not found", "There is nothing here, or it is not yours to see.")
        case OperationalError() | InterfaceError():
            log.exception("The database is away")
            detail = "Nothing was recorded. Send the same request again in a few seconds."
            return Problem(
                503, "unavailable", "Unavailable for the moment", detail, headers={"Retry-After": "5"}
            )
        case UnreadablePostError() | SuspiciousOperation():
            return Problem(400, "bad_request", "Bad request", "The request could not be read.")
        case _:
            log.exception("An API request failed")
            detail = "This is a fault of ours. Nothing was recorded; the log has it under this request_id."
            return Problem(500, "internal_error", "Internal error", detail)


def once(request: HttpRequest, key: ApiKey | None, work: Work, body: bytes | None = None) -> Answer:
    """Do ``work`` in one transaction; of a POST with an Idempotency-Key of that API key, once."""
    named = idempotency.key_of(request) if request.method == "POST" else None
    if named is None or key is None:
        with transaction.atomic(durable=True):
            return Answer(*_dumped(*work()))
    mark = idempotency.fingerprint(request, request.body if body is None else body)
    return idempotency.once(key, named, mark, lambda: _dumped(*work()))


def answered(answer: Answer) -> HttpResponse:
    """The answer as it is sent, saying whether it was given before."""
    headers = {"Idempotent-Replayed": "true"} if answer.replayed else None
    return _response(answer.status, answer.body, JSON, headers)


def json_response(
    status: int, data: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """An answer of an API."""
    return _response(status, dumps(data), JSON, headers)


def problem_response(problem: Problem, request_id: str) -> HttpResponse:
    """The problem as an answer (RFC 9457)."""
    return _response(
        problem.status, dumps(problem.as_json(request_id)), "application/problem+json", problem.headers
    )


def dumps(data: Mapping[str, Any]) -> str:
    """JSON text; decimals become strings, times ISO 8601."""
    return json.dumps(data, cls=DjangoJSONEncoder, ensure_ascii=False, allow_nan=False)


def _dumped(status: int, data: Mapping[str, Any]) -> tuple[int, str]:
    return status, dumps(data)


def _response(status: int, body: str, kind: str, headers: Mapping[str, str] | None) -> HttpResponse:
    return HttpResponse(
        body, status=status, content_type=kind, headers={"Cache-Control": "no-store", **(headers or {})}
    )


def without_body(response: HttpResponseBase) -> HttpResponseBase:
    """For HEAD: the headers of GET, its length included unless nobody knows it yet.

    A stream is dropped unread, not closed: ``close()`` says that the request is over, and Django then closes
    the database connection under whatever is still to come.
    """
    if not isinstance(response, HttpResponse):
        return HttpResponse(headers=response.headers)
    response.headers.setdefault("Content-Length", str(len(response.content)))
    response.content = b""
    return response


def _basic(credentials: str) -> str:
    """The key out of Basic credentials: whichever part begins as keys do."""
    try:
        user, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return password if password.startswith("ll_") else user or password


def _not_acceptable(produces: Sequence[str]) -> ProblemError:
    offered = ", ".join(produces)
    return refusal(406, "not_acceptable", "Not acceptable", f"This address answers in {offered}.")
