"""What a request at this door asks for: parameters of its address and of a JSON, form or XML body, as texts.

Knows no database. The address wins over the body.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring
from django.http import HttpRequest

from feedback.schema.values import UNSTORABLE
from flows import bodies, strict_json
from flows.problems import Problem, ProblemError

MAX_BYTES = 65536
FORM = "application/x-www-form-urlencoded"
NAMES = ("event_id", "type", "reason", "key")
LONGEST = 5_000  # characters of a parameter
MOST = 1_000  # parameters


def parameters(request: HttpRequest) -> dict[str, str]:
    """The parameters of `NAMES` that were sent, trimmed, those without a text left out.

    ProblemError 400 (cannot be read), 406 (a type of body that is not taken), 413, 415 (no type, compressed).
    """
    return _usable({**_of_body(request), **_of_address(request)})


def of_address(request: HttpRequest) -> dict[str, str]:
    """Those of them that stand in the address. ProblemError 400."""
    return _usable(_of_address(request))


def _usable(sent: Mapping[str, str]) -> dict[str, str]:
    found = {name: text.strip() for name, text in sent.items() if text.strip()}
    for name, text in found.items():
        if UNSTORABLE.search(text):
            raise refused(400, f"{name} holds characters that no text may have.")
        if len(text) > LONGEST:
            raise refused(400, f"{name} is longer than {LONGEST:,} characters.")
    return found


def refused(status: int, detail: str, *, code: str = "", **headers: str) -> ProblemError:
    """A refusal, which this door answers in plain text."""
    codes = {400: "bad_request", 406: "not_acceptable", 415: "unsupported_media_type"}
    return ProblemError(Problem(status, code or codes[status], "Refused", detail, headers=headers))


def _of_address(request: HttpRequest) -> dict[str, str]:
    # WSGI hands bytes over as Latin-1
    return _pairs(request.META.get("QUERY_STRING", "").encode("latin-1", "replace"), "The address")


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
        raise refused(400, detail, code="malformed_json") from None
    return {name: _text(name, data[name]) for name in NAMES if data.get(name) is not None}


def _text(name: str, value: Any) -> str:
    if isinstance(value, (str, int, Decimal)) and not isinstance(value, bool):
        return str(value)
    raise refused(400, f"Send {name} as a text.")


def _form(body: bytes) -> dict[str, str]:
    return _pairs(body, "The body")


def _pairs(raw: bytes, where: str) -> dict[str, str]:
    """What a query or a form says; other encodings than UTF-8 are refused, not guessed at."""
    try:
        pairs = parse_qsl(raw.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST)
    except ValueError:  # a UnicodeDecodeError is one
        raise refused(400, f"{where} is not a well-formed query or form in UTF-8.") from None
    return _each_once(pairs)


def _xml(body: bytes) -> dict[str, str]:
    """The children of the root, whatever it and their namespaces are called."""
    try:
        root = fromstring(body, forbid_dtd=True)
    except DefusedXmlException:
        raise refused(400, "Send XML without a document type and without entities.") from None
    except (ParseError, ValueError, LookupError):
        raise refused(400, "The body is not well-formed XML.") from None
    known = [(child.tag.rpartition("}")[2], child) for child in root]
    for name, child in known:
        if name in NAMES and len(child):
            raise refused(400, f"Send {name} as a text, without elements in it.")
    return _each_once((name, child.text or "") for name, child in known)


def _each_once(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Those of `NAMES`. ProblemError 400 where one is said in two ways."""
    found: dict[str, str] = {}
    for name, text in pairs:
        if name in NAMES and found.setdefault(name, text) != text:
            raise refused(400, f"{name} is there twice. Send it once.")
    return found


READERS: Mapping[str, Callable[[bytes], dict[str, str]]] = {
    "application/json": _json,
    FORM: _form,
    "application/xml": _xml,
    "text/xml": _xml,
}
