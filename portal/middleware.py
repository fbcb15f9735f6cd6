"""Every request gets an id, a log line and an actor."""

from __future__ import annotations

import logging
import re
import secrets
import time
import zoneinfo
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from portal import formats
from portal.actors import actor_of
from portal.errors import explained
from portal.sessions import note_visit

SAFE_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
log = logging.getLogger("leadloop.request")
Handler = Callable[[HttpRequest], HttpResponse]


class RequestIdMiddleware:
    """Keep a safe incoming ``X-Request-Id`` or make one; answer with it and log one line.

    The line carries the path without its query, which may hold credentials or personal data.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-Id", "")
        request_id = given if SAFE_ID.fullmatch(given) else f"req_{secrets.token_hex(10)}"
        request.request_id = request_id  # type: ignore[attr-defined]
        started = time.monotonic()
        response = explained(request, self.get_response(request))
        response["X-Request-Id"] = request_id
        millis = (time.monotonic() - started) * 1000
        path = logged_path(request)
        log.info("%s %s %s %.0fms %s", request.method, path, response.status_code, millis, request_id)
        return response


def logged_path(request: HttpRequest) -> str:
    """The path, without the value of a person's that is asked after (``/exists/{list}/{value}``) and without
    the token of an invitation (``/join/{token}/``).
    """
    parts = request.path.split("/", 3)
    if parts[1] == "join":
        return "/join/•••"
    return f"/exists/{parts[2]}/•••" if parts[1] == "exists" and len(parts) > 3 else request.path


class ActorMiddleware:
    """Set ``request.actor`` (looked up on first use), the person's time zone and their formats."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.actor = SimpleLazyObject(lambda: actor_of(request))  # type: ignore[attr-defined]
        if request.user.is_authenticated:
            note_visit(request)
            zone = zoneinfo.ZoneInfo(request.actor.timezone)  # type: ignore[attr-defined]
            with timezone.override(zone), formats.using(request.user.formats):
                return self.get_response(request)
        return self.get_response(request)
