"""The log of API requests: one row a call, written once the answer stands, masked, kept for 30 days.

A call whose key is not known is nobody's and is not logged. Failing to log is noted and fails nothing.
"""

from __future__ import annotations

import json
import logging
import math
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest, UnreadablePostError
from django.http.response import HttpResponseBase
from django.utils import timezone

from flows import bodies, strict_json
from flows.masking import ID, MOST_BYTES, mask_id, mask_name, mask_text, masked_json
from flows.models import ApiKey, Flow, RequestLog
from flows.problems import ProblemError

LATE_BYTES = 65536  # of a body that no handler has read
UNREAD = (400, 413, 415, 429)  # refused because of the body, or to spare work: it is not read afterwards
MOST_ANSWER = 1024 * 1024  # of an answer that is looked into, bytes
MOST_FAULTS, MOST_ROWS = 20, 10
VALUE = "value"  # the part of a path that is an address or a number of a person's
ROW = re.compile(r"feedback\[\d+\]\.")
UNSAFE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
TOLD = (
    *("code", "detail", "closed_at", "window_days", "max_bytes", "line", "column"),
    *("status", "applied", "livemode", "feedback_id", "upload_id", "warnings"),
    *("recorded", "unchanged", "rejected", "outcome", "reason"),
)
# Refusals whose words repeat what was sent: told in general.
GENERAL = {
    "unknown_field": "This flow has no field of this name.",
    "malformed_json": "The body is not well-formed JSON.",
}
log = logging.getLogger(__name__)


@dataclass
class Trace:
    """One call under way: what is known of it so far."""

    request: HttpRequest
    ids: Mapping[str, str] = field(default_factory=dict)  # the parts of its path, by name
    started: float = field(default_factory=time.monotonic)
    key: ApiKey | None = None
    flow: Flow | None = None
    payload: dict[str, Any] | None = None
    said: Mapping[str, Any] | None = None  # the answer, by a door that may not answer in JSON


def write(trace: Trace, response: HttpResponseBase) -> None:
    """One INSERT: what was asked and answered. Nothing where the key is not known or the database is away."""
    if trace.key is None or response.status_code == 503:
        return
    try:
        _row(trace, trace.key, response).save(force_insert=True)
    except Exception:  # the work is done: whatever goes wrong here must not undo its answer
        log.exception("An API request could not be logged")


def _row(trace: Trace, key: ApiKey, response: HttpResponseBase) -> RequestLog:
    request = trace.request
    answer = _data(response) if trace.said is None else trace.said
    payload = trace.payload if trace.payload is not None else _late_payload(request, response.status_code)
    lead_id, lead_ids = _lead_ids(trace.ids, payload or {})
    return RequestLog(
        request_id=getattr(request, "request_id", ""),
        at=timezone.now(),
        api_key=key,
        seller_id=_tenant_id(key),
        buyer_id=key.buyer_id,
        flow=trace.flow,
        method=(request.method or "")[:8],
        path=_path(request.path, trace.ids),
        status=response.status_code,
        code=str(answer.get("code", "")) if response.status_code >= 400 else "",
        duration_ms=math.ceil((time.monotonic() - trace.started) * 1000),
        lead_id=lead_id,
        lead_ids=lead_ids,
        body_bytes=_length(request),
        body="" if payload is None else masked_json(payload)[:MOST_BYTES],
        answer=_told(answer),
    )


def _tenant_id(key: ApiKey) -> int:
    """The seller's: a key is one party's, by a check constraint."""
    return key.seller_id or key.buyer.seller_id  # type: ignore[union-attr]


def _data(response: HttpResponseBase) -> dict[str, Any]:
    """The answer's object; empty for what is no JSON object, or too long to look into."""
    content = b"" if response.streaming else response.content  # type: ignore[attr-defined]  # not streaming
    if "json" not in response.headers.get("Content-Type", "") or len(content) > MOST_ANSWER:
        return {}
    data = json.loads(content or b"{}")
    return data if isinstance(data, dict) else {}


def _late_payload(request: HttpRequest, status: int) -> dict[str, Any] | None:
    """The body of a call that was refused before anybody read it."""
    if request.method != "POST" or status in UNREAD:
        return None
    try:
        bodies.require_json(request)
        return strict_json.loads(bodies.read(request, LATE_BYTES))
    except (ProblemError, UnreadablePostError, strict_json.MalformedJsonError):
        return None


def _length(request: HttpRequest) -> int | None:
    """Bytes of the body: as read, else as announced."""
    if hasattr(request, "_body"):
        return len(request.body)
    announced = request.META.get("CONTENT_LENGTH") or ""
    return min(int(announced), 2**31 - 1) if announced.isdecimal() and len(announced) < 20 else None


def _path(path: str, ids: Mapping[str, str]) -> str:
    """The path with every part masked that is no plain id, or that is a value asked after."""
    for name, part in ids.items():
        if name == VALUE or not ID.fullmatch(part):
            path = path.replace(part, mask_text(part))
    return UNSAFE.sub("�", path)[:255]


def _lead_ids(ids: Mapping[str, str], payload: Mapping[str, Any]) -> tuple[str, str]:
    """The id that the call names, and those of a batch."""
    rows = payload.get("feedback")
    if isinstance(rows, list):
        named = filter(None, (_named(row) for row in rows if isinstance(row, dict)))
        return "", "".join(f" {each}" for each in dict.fromkeys(named)) + " "
    return mask_id(ids["lead_id"])[:128] if "lead_id" in ids else _named(payload), ""


def _named(payload: Mapping[str, Any]) -> str:
    for name in ("lead_id", "external_id", "event_id"):
        value = payload.get(name)
        if isinstance(value, str) and value:
            return mask_id(value)[:128]
    return ""


def _told(answer: Mapping[str, Any]) -> dict[str, Any]:
    """What of an answer is kept: how it ended, and what was wrong."""
    told = {name: answer[name] for name in TOLD if answer.get(name) not in (None, "", [])}
    if told.get("code") in GENERAL:
        told["detail"] = GENERAL[told["code"]]
    if errors := answer.get("errors"):
        told["errors"] = [_fault(error) for error in errors[:MOST_FAULTS]]
        told["faults"] = len(errors)
    if rows := _refused(answer.get("results") or ()):
        told["rows"] = rows
    return told


def _refused(results: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The first rows of a batch that were refused."""
    refused = (result for result in results if result.get("problem"))
    return [
        {"index": result["index"], **_told(result["problem"])}
        for result, _ in zip(refused, range(MOST_ROWS), strict=False)
    ]


def _fault(error: Mapping[str, Any]) -> dict[str, Any]:
    """A fault without what the sender wrote in a field's name."""
    code = str(error.get("code", ""))
    message = GENERAL.get(code) or str(error.get("message", ""))[:300]
    told = {"field": _field_name(str(error.get("field", ""))), "code": code, "message": message}
    if meant := error.get("did_you_mean"):
        told["did_you_mean"] = str(meant)
    return told


def _field_name(name: str) -> str:
    """``feedback[3].revenue`` stays; a name that looks like a value does not."""
    row, _, last = name.partition("].") if ROW.match(name) else ("", "", name)
    return f"{row}].{mask_name(last)}" if row else mask_name(name) if name else ""
