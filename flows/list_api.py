"""Suppression lists as SuppressionList clients speak: ``/exists/…`` and ``/lists/…/items``.

These clients know their own shapes: an error is ``{"error": "…"}``. What is asked after may be an address or
a number of a person's, so it is in no log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from flows import bodies, keys, limits, request_log, strict_json, suppression
from flows.accept import accepts
from flows.http import (
    JSON,
    answered,
    json_response,
    key_text,
    malformed,
    once,
    problem_of,
    refusal,
    without_body,
)
from flows.models import ApiKey, SuppressionList
from flows.request_log import Trace
from flows.suppression import Value
from portal.access import Actor, visible_to

MAX_BYTES = 1024 * 1024
MOST_VALUES = 10_000
MOST_LISTS = 50
Handler = Callable[["ListCall"], tuple[int, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class ListCall:
    """One authenticated request on a seller's lists; ``parts``: those of its path."""

    request: HttpRequest
    key: ApiKey
    actor: Actor
    parts: Mapping[str, str]

    def lists(self, names: str) -> list[SuppressionList]:
        """The lists of these URL names, parted by ``|``, each once. One query. ProblemError 404."""
        wanted = list(dict.fromkeys(name for name in names.split("|") if name))[: MOST_LISTS + 1]
        if not wanted or len(wanted) > MOST_LISTS:
            raise refusal(404, "not_found", "No list", f"Name 1 to {MOST_LISTS} lists, parted by |.")
        rows = visible_to(self.actor, SuppressionList.objects.filter(slug__in=_storable(wanted)))
        found = {row.slug: row for row in rows}
        if missing := [name for name in wanted if name not in found]:
            detail = f"There is no list “{missing[0][:80]}”, or it is not yours."
            raise refusal(404, "not_found", "No such list", detail)
        return [found[name] for name in wanted]

    def one_list(self) -> SuppressionList:
        """The one list that the path names. ProblemError 404, 422 where it names several."""
        lists = self.lists(self.parts["name"])
        if len(lists) > 1:
            raise refusal(422, "validation_failed", "Several lists", "Name one list at a time.")
        return lists[0]

    def values(self) -> list[str]:
        """The body's ``values``: a list of texts, or texts parted by ``|``. ProblemError 400, 413, 415."""
        bodies.require_json(self.request)
        try:
            sent = strict_json.loads(bodies.read(self.request, MAX_BYTES)).get("values")
        except strict_json.MalformedJsonError as error:
            raise malformed(error) from None
        texts = sent.split("|") if isinstance(sent, str) else sent
        if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
            detail = 'Send {"values": ["a@example.com", …]} or {"values": "a@example.com|…"}.'
            raise refusal(422, "validation_failed", "No values", detail)
        if len(texts) > MOST_VALUES:
            detail = f"Send at most {MOST_VALUES:,} values at a time; these are {len(texts):,}."
            raise refusal(422, "validation_failed", "Too many values", detail)
        return texts


def exists(call: ListCall) -> tuple[int, dict[str, Any]]:
    """``GET /exists/{list}|{list2}/{value}``: 200 with the entries, 404 where there are none."""
    lists = call.lists(call.parts["lists"])
    asked = call.parts["value"].rstrip("/")  # some clients end every address so; no value does
    values = _read_for(lists, asked)
    entries = [entry for value, of in values.items() for entry in suppression.find(of, value)]
    by_pk = {each.pk: each for each in lists}
    told = {
        "specified_lists": [each.slug for each in lists],
        "key": next(iter(values))[1] if values else asked,
        "found": bool(entries),
    }
    if not entries:
        return 404, told
    told["exists_in_lists"] = [by_pk[entry.list_id].slug for entry in entries]
    told["entries"] = [
        {
            "list_id": str(entry.list_id),
            "list_url_name": by_pk[entry.list_id].slug,
            "added_at": entry.added_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        }
        for entry in entries
    ]
    return 200, told


def add_items(call: ListCall) -> tuple[int, dict[str, Any]]:
    """``POST /lists/{list}/items``: how many values are on the list now, and how many could not be read."""
    to = call.one_list()
    read, wrong = suppression.read_values(call.values(), to)
    if call.key.livemode:
        suppression.add_all(to, read, origin=suppression.Origin.API)
    return 200, {"accepted": len(read), "rejected": len(wrong)}


def delete_items(call: ListCall) -> tuple[int, dict[str, Any]]:
    """``DELETE /lists/{list}/items``: how many values were taken off, and how many could not be read."""
    listed = call.one_list()
    read, wrong = suppression.read_values(call.values(), listed)
    take_off = suppression.remove_all if call.key.livemode else _count
    return 200, {"deleted": take_off(listed, read), "rejected": len(wrong)}


def nowhere(call: ListCall) -> tuple[int, dict[str, Any]]:
    """Any other address below these two: 404, and which there are."""
    detail = "There is no such address. Ask GET /exists/{list}/{value}; send to /lists/{list}/items."
    raise refusal(404, "not_found", "No such address", detail)


class ListEndpoint:
    """A view of one path: checks method, key, rate, party and Accept, then calls the method's handler."""

    csrf_exempt = True  # a key is not sent by a browser on its own

    def __init__(self, **handlers: Handler) -> None:
        self.handlers = handlers

    def __call__(self, request: HttpRequest, **parts: str) -> HttpResponseBase:
        trace, headers = Trace(request, parts), dict[str, str]()
        try:
            response = self._answer(trace, headers, parts)
        except Exception as error:  # noqa: BLE001  # a program is answered in JSON, whatever happens
            problem = problem_of(error)
            response = json_response(problem.status, {"error": problem.detail}, problem.headers)
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        # Django logs the path of what is not found, and in it the value that was asked after.
        response._has_been_logged = True  # type: ignore[attr-defined]
        request_log.write(trace, response)
        return without_body(response) if request.method == "HEAD" else response

    def _answer(self, trace: Trace, headers: dict[str, str], parts: Mapping[str, str]) -> HttpResponse:
        request = trace.request
        allowed = ", ".join(
            sorted({"OPTIONS", *self.handlers, *(["HEAD"] if "GET" in self.handlers else [])})
        )
        if request.method == "OPTIONS":
            return HttpResponse(status=204, headers={"Allow": allowed})
        handler = self.handlers.get("GET" if request.method == "HEAD" else request.method or "")
        if handler is None:
            detail = f"This address takes {allowed}, not {request.method}."
            raise refusal(405, "method_not_allowed", "Method not allowed", detail, headers={"Allow": allowed})
        try:
            trace.key, actor = keys.authenticate(key_text(request))
        except keys.KeyOverError as error:
            trace.key = error.key
            raise
        headers.update(limits.limiter().hit(str(trace.key.pk)))
        _require_all_of_a_seller(actor)
        if not accepts(request, JSON):
            raise refusal(406, "not_acceptable", "Not acceptable", f"This address answers in {JSON}.")
        call = ListCall(request, trace.key, actor, parts)
        named = request.method == "POST" and "Idempotency-Key" in request.headers
        body = bodies.read(request, MAX_BYTES) if named else None
        return answered(once(request, trace.key, lambda: handler(call), body))


def _require_all_of_a_seller(actor: Actor) -> None:
    """Lists hold for every flow of a seller, so a key that is limited to some does not open them."""
    if not actor.is_seller:
        detail = "This needs the API key of a seller."
    elif actor.flow_ids is not None:
        detail = "This API key is limited to some flows; lists hold for all of them."
    else:
        return
    raise refusal(403, "key_not_allowed", "The API key does not allow this", detail)


def _read_for(lists: Sequence[SuppressionList], text: str) -> dict[Value, list[SuppressionList]]:
    """The value as each list reads it: a number without a prefix depends on the list's country."""
    found: dict[Value, list[SuppressionList]] = {}
    for each in lists:
        try:
            value = suppression.read_value(text, each.country)
        except ValidationError:
            if "/" not in text:
                continue
            value = (suppression.Kind.SOURCE.value, text.strip())
        found.setdefault(value, []).append(each)
    return {value: of for value, of in found.items() if _storable([value[1]])}


def _count(listed: SuppressionList, values: Sequence[Value]) -> int:
    return len(suppression.standing_of(listed, values))


def _storable(texts: Sequence[str]) -> list[str]:
    return [text for text in texts if "\0" not in text]


exists_view = ListEndpoint(GET=exists)
items_view = ListEndpoint(POST=add_items, DELETE=delete_items)
nowhere_view = ListEndpoint(**dict.fromkeys(("GET", "POST", "PUT", "PATCH", "DELETE"), nowhere))
