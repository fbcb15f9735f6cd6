"""What can go wrong: the answers to refused requests, by the status they come with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from flows.explanations import PROBLEMS

Json = dict[str, Any]
ALWAYS = (
    *("bad_request", "missing_api_key", "invalid_api_key", "expired_api_key", "revoked_api_key"),
    *("key_not_allowed", "flow_not_found", "not_acceptable", "rate_limited", "internal_error", "unavailable"),
)
WITH_BODY = ("body_too_large", "unsupported_media_type")
WITH_JSON = ("malformed_json",)
WITH_KEY_OF_ONCE = ("request_in_progress", "idempotency_key_reused", "validation_failed")
HEADERS: Mapping[int, tuple[str, ...]] = {
    401: ("WWW-Authenticate",),
    409: ("Retry-After",),
    429: ("Retry-After", "RateLimit", "RateLimit-Policy"),
    503: ("Retry-After",),
}


def problem_responses(codes: Iterable[str], examples: Mapping[str, Json]) -> dict[str, Json]:
    """The responses of the statuses that these codes come with. ``examples``: code → a problem document."""
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in dict.fromkeys(codes):
        by_status[PROBLEMS[code].status].append(code)
    return {str(status): _response(status, by_status[status], examples) for status in sorted(by_status)}


def _response(status: int, codes: list[str], examples: Mapping[str, Json]) -> Json:
    narrowed = {"properties": {"status": {"const": status}, "code": {"enum": codes}}}
    content: Json = {"schema": {"allOf": [{"$ref": "#/components/schemas/Problem"}, narrowed]}}
    if shown := {code: {"value": examples[code]} for code in codes if code in examples}:
        content["examples"] = shown
    headers = ("X-Request-Id", *HEADERS.get(status, ()))
    return {
        "description": "\n".join(f"- `{code}`: {PROBLEMS[code].means} {PROBLEMS[code].do}" for code in codes),
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers},
        "content": {"application/problem+json": content},
    }
