"""Try a request out: the very code of the API, in this process, as a test that records nothing."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpResponse

from feedback.api import feedback as endpoint
from feedback.snippets import pretty
from flows.explanations import Explanation, explain
from flows.models import ApiKey, Flow

SHOWN_HEADERS = ("Content-Type", "X-Request-Id", "Retry-After", "Allow", "Accept-Post", "Cache-Control")


@dataclass(frozen=True)
class Trial:
    """What came back, as a person reads it."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: str
    answer: dict[str, Any]

    @property
    def status_line(self) -> str:
        """``422 Unprocessable Entity``."""
        return f"{self.status} {HTTPStatus(self.status).phrase}"

    @property
    def good(self) -> bool:
        return self.status < 400

    @property
    def explanation(self) -> Explanation:
        return explain(str(self.answer.get("code", "")))

    @property
    def faults(self) -> list[dict[str, Any]]:
        """Each fault with what its code means and what to do."""
        return [{**fault, "words": explain(fault["code"])} for fault in self.answer.get("errors", [])]


def try_out(flow: Flow, key: ApiKey, body: str, request_id: str) -> Trial:
    """POST ``body`` as feedback on the flow with this key, in test mode."""
    request = _request(f"/flows/{flow.public_id}/feedback", body.encode(errors="surrogatepass"))
    request.request_id = request_id  # type: ignore[attr-defined]  # as the middleware does
    response = endpoint.rehearse(request, flow.public_id, key)
    response.headers.setdefault("X-Request-Id", request_id)
    answer = json.loads(response.content)
    return Trial(response.status_code, _headers(response), pretty(answer), answer)


def _request(path: str, body: bytes) -> WSGIRequest:
    return WSGIRequest(
        {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": path,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
        }
    )


def _headers(response: HttpResponse) -> tuple[tuple[str, str], ...]:
    return tuple((name, response.headers[name]) for name in SHOWN_HEADERS if name in response.headers)
