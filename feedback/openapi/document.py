"""The OpenAPI 3.1 document of one flow, as one key may use it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.utils.timezone import now as wall_clock

from feedback import lead_query
from feedback.csv_template import csv_template
from feedback.openapi import problems, samples, shapes
from feedback.openapi.addresses import addresses, parameters_of
from feedback.openapi.operations import OPERATIONS, Answer, Operation
from feedback.openapi.parameters import HEADERS, PARAMETERS, SECURITY, path_parameter, query_parameters
from feedback.reading import agreement_of
from feedback.schema import compile_schema
from flows.examples import example_value
from flows.http import JSON, ApiCall, Method, takes_feedback
from flows.models import Agreement, Flow

Json = dict[str, Any]
ABOUT = """Send your key as `X-API-Key`, as a bearer token, or with Basic as user name or password. A test key
(`ll_test_…`) is answered in the same way and records nothing.

What is refused is answered with a problem document (RFC 9457) whose `errors` lists every fault, and nothing
of it is stored. What is answered with 2xx is stored for good. A method that an address does not take is
answered with 405 and the header `Allow`.

Money is text with the decimals of {currency}; as input a JSON number is taken too. Times are ISO 8601 and
answered in UTC; one without an offset is read in {zone}, with a warning. Bodies are UTF-8, not compressed."""


def document(call: ApiCall, *, now: dt.datetime | None = None) -> Json:
    """The document as JSON-typed values: only what the key's party may use, with the flow's own fields."""
    flow, moment = call.flow, (now or wall_clock()).replace(microsecond=0)
    writer = _Writer(call, agreement_of(call), moment)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{flow.name}: lead feedback",
            "version": str(flow.schema_version),
            "description": ABOUT.format(currency=flow.currency, zone=flow.timezone),
        },
        "servers": [{"url": settings.BASE_URL}],
        "security": [{name: []} for name in SECURITY],
        "paths": writer.paths(),
        "components": {
            "schemas": writer.schemas(),
            "parameters": PARAMETERS,
            "headers": HEADERS,
            "securitySchemes": SECURITY,
        },
    }


class _Writer:
    """Writes the parts of one document."""

    def __init__(self, call: ApiCall, agreement: Agreement, moment: dt.datetime) -> None:
        self.flow, self.side, self.moment = call.flow, call.actor.side, moment
        self.agreement = agreement
        self.query = query_parameters(call.flow)
        self.problems: Mapping[str, Json] = {}
        if call.actor.is_buyer:
            self.samples = samples.of_buyers(call, agreement, moment)
            self.problems = samples.problems(call.flow, moment)
        else:
            self.samples = samples.of_sellers(call, moment)

    def paths(self) -> Json:
        paths: Json = {}
        for path, endpoint in sorted(addresses().items()):
            for name, method in endpoint.methods.items():
                operation = OPERATIONS.get((path, name))
                if operation and method.party in ("any", self.side):
                    paths.setdefault(path, self._path(path))[name.lower()] = self._operation(
                        operation, method
                    )
        return paths

    def schemas(self) -> Json:
        own = shapes.of_sellers(self.flow)
        if self.side == "buyer":
            own = shapes.of_buyers(self.flow, self.agreement)
            _exemplify(own["Feedback"], self.flow, self.moment)
        return {**own, "OpenApi": {"type": "object"}, **shapes.common()}

    def _path(self, path: str) -> Json:
        return {"parameters": [path_parameter(name, self.flow) for name in parameters_of(path)]}

    def _operation(self, operation: Operation, method: Method) -> Json:
        written: Json = {
            "operationId": operation.name,
            "summary": operation.summary,
            "description": operation.about,
            "parameters": self._parameters(operation),
            "responses": {
                **{str(status): self._answer(each, operation) for status, each in operation.answers.items()},
                **self._problems(operation, method),
            },
        }
        if content := self._taken(operation):
            written["requestBody"] = {"required": True, "content": content}
        return written

    def _taken(self, operation: Operation) -> Json:
        if operation.body:
            return self._content(*operation.body)
        return shapes.file_content(csv_template(self.flow)) if operation.file else {}

    def _parameters(self, operation: Operation) -> list[Json]:
        headers = ["X-Request-Id"]
        headers += ["Idempotency-Key"] if operation.posts else []
        headers += ["If-None-Match"] if "ETag" in operation.headers else []
        hidden = set(lead_query.NAMES) - set(lead_query.allowed(self.agreement))
        query = [self.query[name] for name in operation.query if name not in hidden]
        return [*query, *({"$ref": f"#/components/parameters/{name}"} for name in headers)]

    def _answer(self, answer: Answer, operation: Operation) -> Json:
        headers = ["X-Request-Id", "RateLimit", "RateLimit-Policy", *operation.headers]
        headers += ["Idempotent-Replayed"] if operation.posts else []
        return {
            "description": answer.words,
            "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers},
            **({"content": self._content(*answer[1:])} if answer.shape else {}),
        }

    def _content(self, shape: str, sample: str, kind: str = JSON) -> Json:
        example = {"example": self.samples[sample]} if sample in self.samples else {}
        return {kind: {"schema": shapes.ref(shape), **example}}

    def _problems(self, operation: Operation, method: Method) -> Json:
        takes = "Feedback" if operation.body is None else operation.body[0]
        no_feedback = operation.file or operation.bare or operation.name == "listLeads"
        shown = self.problems if takes == "Feedback" and not no_feedback else {}
        return problems.problem_responses(_codes(operation, method), shown)


def _codes(operation: Operation, method: Method) -> Iterable[str]:
    """Every code that the method may be answered with."""
    yield from problems.ALWAYS
    if method.guard is takes_feedback:
        yield "feedback_disabled"
    if operation.body or operation.file:
        yield from problems.WITH_BODY
    if operation.body:
        yield from problems.WITH_JSON
    if operation.posts:
        yield from problems.WITH_KEY_OF_ONCE
    yield from operation.codes


def _exemplify(schema: Json, flow: Flow, moment: dt.datetime) -> None:
    """Give each field an example that the flow takes."""
    for spec in compile_schema(flow).fields:
        schema["properties"][spec.name]["examples"] = [example_value(spec, flow, moment)]
