"""Where a person is logged in: each session's device, address and last visit; sessions end at once."""

from __future__ import annotations

import re
from typing import Any

from allauth.usersessions.models import UserSession
from django.core.cache import cache
from django.db.models import QuerySet
from django.http import HttpRequest

from portal.models import User

SEEN_EVERY = 60  # seconds between two notes of a visit: a busy page costs no write a request
# The first that fits names it: Edge and Opera say “Chrome” too, and Chrome says “Safari”.
BROWSERS = (
    (r"Edg(e|A|iOS)?/", "Edge"),
    (r"OPR/|Opera", "Opera"),
    (r"SamsungBrowser/", "Samsung Internet"),
    (r"Firefox/|FxiOS/", "Firefox"),
    (r"Chrome/|CriOS/|Chromium/", "Chrome"),
    (r"Safari/", "Safari"),
)
SYSTEMS = (
    (r"iPhone|iPod", "iPhone"),
    (r"iPad", "iPad"),
    (r"Android", "Android"),
    (r"Windows", "Windows"),
    (r"CrOS", "ChromeOS"),
    (r"Mac OS X|Macintosh", "Mac"),
    (r"Linux|X11", "Linux"),
)


def device(user_agent: str) -> str:
    """``"Firefox on Windows"``; what is said of neither is ``"An unknown device"``."""
    browser, system = (
        next((name for pattern, name in known if re.search(pattern, user_agent)), "")
        for known in (BROWSERS, SYSTEMS)
    )
    if browser and system:
        return f"{browser} on {system}"
    return browser or system or "An unknown device"


def seen_key(session_key: str) -> str:
    """Under which the cache keeps that a session was noted just now."""
    return f"seen:{session_key}"


def note_visit(request: HttpRequest) -> None:
    """Keep the session's address, device and time of the last visit, to the minute."""
    key = request.session.session_key
    if key and cache.add(seen_key(key), 1, SEEN_EVERY):
        UserSession.objects.create_from_request(request)


def sessions_of(user: User) -> QuerySet[UserSession]:
    """The person's sessions, the last seen first; those that are over are forgotten on the way."""
    UserSession.objects.purge_and_list(user)
    rows: QuerySet[UserSession] = UserSession.objects.filter(user=user)
    return rows.order_by("-last_seen_at", "-pk")


def end(sessions: QuerySet[UserSession]) -> int:
    """Log these sessions out at once; → how many."""
    ended = list(sessions)
    for session in ended:
        session.end()
    return len(ended)


def end_all(user: User) -> int:
    """Log a person out everywhere."""
    return end(UserSession.objects.filter(user=user))


def in_words(session: Any) -> dict[str, Any]:
    """``{session, device}`` for the list."""
    return {"session": session, "device": device(session.user_agent)}
