"""What a request at this door asks for: parameters of its address and of a JSON, form or XML body, as texts.

Knows no database. The address wins over the body.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, QueryDict

from feedback.schema.values import UNSTORABLE
from flows import bodies, strict_json
from flows.problems import Problem, ProblemError

MAX_BYTES = 65536
FORM = "application/x-www-form-urlencoded"
NAMES = ("event_id", "type", "reason", "key")
LONGEST = 5_000  # characters of a parameter


def parameters(request: HttpRequest) -> dict[str, str]:
    """The parameters of `NAMES` that were sent, trimmed, those without a text left out.

    ProblemError 400 (cannot be read), 406 (a type of body that is not taken), 413, 415 (no type, compressed).
    """
    sent = {**_of_body(request), **_of_query(request)}
    found = {name: text.strip() for name, text in sent.items() if name in NAMES and text.strip()}
    for name, text in found.items():
        if UNSTORABLE.search(text):
            raise refused(400, f"{name} holds characters that no text may have.")
        if len(text) > LONGEST:
            raise refused(400, f"{name} is longer than {LONGEST:,} characters.")
    return found


def refused(status: int, detail: str, **headers: str) -> ProblemError:
    """A refusal, which this door answers in plain text."""
    codes = {400: "bad_request", 406: "not_acceptable", 415: "unsupported_media_type"}
    return ProblemError(Problem(status, codes[status], "Refused", detail, headers=headers))


def _of_query(request: HttpRequest) -> dict[str, str]:
    return {name: value for name, value in request.GET.items() if isinstance(value, str)}


def _of_body(request: HttpRequest) -> dict[str, str]:
    if request.method != "POST":
        return {}
    body = bodies.read(request, MAX_BYTES)
    if not body:
        return {}
    if not request.headers.get("Content-Type", "").strip():
        raise refused(415, f"Send the body with a Content-Type: {', '.join(READERS)}.")
    if request.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise refused(415, "Send the body without compression (no Content-Encoding).")
    read = READERS.get(request.content_type or "")
    if read is None:
        raise refused(406, f"A body of this type is not taken. Send {', '.join(READERS)}.")
    return read(body)


def _json(body: bytes) -> dict[str, str]:
    try:
        data = strict_json.loads(body)
    except strict_json.MalformedJsonError as error:
        detail = f"The body is not well-formed JSON. {error.reason} Line {error.line}, column {error.column}."
        raise refused(400, detail) from None
    return {name: _text(name, data[name]) for name in NAMES if data.get(name) is not None}


def _text(name: str, value: Any) -> str:
    if isinstance(value, (str, int, Decimal)) and not isinstance(value, bool):
        return str(value)
    raise refused(400, f"Send {name} as a text.")


def _form(body: bytes) -> dict[str, str]:
    try:
        sent = QueryDict(body.decode(), encoding="utf-8")
    except (UnicodeDecodeError, SuspiciousOperation, ValueError):
        raise refused(400, "The body is not a well-formed form in UTF-8.") from None
    return {name: str(value) for name, value in sent.items()}


def _xml(body: bytes) -> dict[str, str]:
    """The children of the root, whatever it is called."""
    try:
        root = fromstring(body, forbid_dtd=True)
    except DefusedXmlException:
        raise refused(400, "Send XML without a document type and without entities.") from None
    except (ParseError, ValueError, LookupError):
        raise refused(400, "The body is not well-formed XML.") from None
    return {child.tag: child.text or "" for child in root}


READERS: Mapping[str, Callable[[bytes], dict[str, str]]] = {
    "application/json": _json,
    FORM: _form,
    "application/xml": _xml,
    "text/xml": _xml,
}
