"""The body of a request: of the right type, not compressed, never longer than allowed, whatever it claims."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from flows.problems import Problem, ProblemError

DRAINED = 1024 * 1024  # bytes over a limit that are read and thrown away


def require_json(request: HttpRequest) -> None:
    """ProblemError 415 unless the body is plain UTF-8 JSON."""
    require_type(request, "application/json")
    charset = request.content_params.get("charset", "utf-8").lower() if request.content_params else "utf-8"
    if charset not in ("utf-8", "utf8"):
        raise _unsupported("JSON is sent in UTF-8. Leave the charset out.", "application/json")


def require_type(request: HttpRequest, *types: str) -> None:
    """ProblemError 415 unless the body is of one of the media types, and not compressed."""
    if request.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise _unsupported(
            "Send the body without compression (no Content-Encoding).", *types, encoding="identity"
        )
    if request.content_type not in types:
        raise _unsupported(f"Send the body with the header Content-Type: {' or '.join(types)}.", *types)


def read(request: HttpRequest, max_bytes: int) -> bytes:
    """The whole body. ProblemError 413 as soon as it is over ``max_bytes``, 400 when it broke off."""
    if not hasattr(request, "_body"):
        request._body = _read(request, max_bytes)  # what request.body would have kept
    if len(request.body) > max_bytes:
        raise too_large(max_bytes)
    return request.body


def _read(request: HttpRequest, max_bytes: int) -> bytes:
    source = stream(request)
    declared = declared_length(request) if source is request else 0
    if declared > max_bytes + DRAINED:
        raise too_large(max_bytes)
    body: bytes = source.read(max_bytes + 1)
    if len(body) > max_bytes:
        source.read(DRAINED)  # else the server closes the connection on a client that would use it again
    elif len(body) < declared:
        detail = f"The body broke off after {len(body):,} of {declared:,} bytes."
        raise ProblemError(Problem(400, "bad_request", "Bad request", detail))
    return body


def declared_length(request: HttpRequest) -> int:
    """Content-Length; 0 where there is none or it is nonsense."""
    declared = request.META.get("CONTENT_LENGTH") or ""
    return int(declared) if declared.isdecimal() and len(declared) < 20 else 0


def stream(request: HttpRequest) -> Any:
    """The body as a file; reading it counts the bytes that come, not those that were announced.

    Django reads nothing of a body without Content-Length; the server tells where a chunked one ends.
    """
    chunked = "chunked" in request.headers.get("Transfer-Encoding", "").lower()
    http2 = request.META.get("SERVER_PROTOCOL", "").startswith("HTTP/2")
    if chunked or (http2 and not request.META.get("CONTENT_LENGTH")):
        return request.META["wsgi.input"]
    return request


def too_large(max_bytes: int) -> ProblemError:
    """413 with the limit."""
    detail = f"The body is larger than {max_bytes:,} bytes. Send less at a time."
    return ProblemError(
        Problem(413, "body_too_large", "The body is too large", detail, extra={"max_bytes": max_bytes})
    )


def _unsupported(detail: str, *types: str, encoding: str = "") -> ProblemError:
    headers = {"Accept-Encoding": encoding} if encoding else {"Accept-Post": ", ".join(types)}
    return ProblemError(
        Problem(415, "unsupported_media_type", "Unsupported media type", detail, headers=headers)
    )
