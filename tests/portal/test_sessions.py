"""A person sees where they are logged in, and ends it."""

from __future__ import annotations

import datetime as dt

import pytest
from allauth.usersessions.models import UserSession
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from portal.sessions import device

WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/19.0 Mobile/15E148 Safari/604.1"
)


@pytest.fixture(autouse=True)
def fresh_cache():
    cache.clear()


def on(user, agent: str, address: str) -> Client:
    """A device on which the person is logged in and has looked at a page."""
    client = Client(headers={"User-Agent": agent}, REMOTE_ADDR=address)
    client.force_login(user)
    client.get("/preferences/")
    return client


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (WINDOWS, "Firefox on Windows"),
        (IPHONE, "Safari on iPhone"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36", "Chrome on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Mobile Safari/537.36", "Chrome on Android"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 14) Version/18 Safari/605", "Safari on Mac"),
        ("curl/8.0", "An unknown device"),
        ("", "An unknown device"),
    ],
)
def test_a_device_in_words(text, said):
    assert device(text) == said


def test_the_list_names_device_address_and_which_is_this_one(world):
    on(world.agent, IPHONE, "203.0.113.7")
    here = on(world.agent, WINDOWS, "198.51.100.4")
    text = here.get("/accounts/sessions/").text
    for part in ("Firefox on Windows", "198.51.100.4", "Safari on iPhone", "203.0.113.7"):
        assert part in text
    assert text.count("This one") == 1


def test_others_sessions_are_not_there(world):
    on(world.manager, IPHONE, "203.0.113.7")
    here = on(world.agent, WINDOWS, "198.51.100.4")
    assert "203.0.113.7" not in here.get("/accounts/sessions/").text
    theirs = UserSession.objects.get(user=world.manager)
    assert here.post(f"/accounts/sessions/{theirs.pk}/end/").status_code == 404
    assert UserSession.objects.filter(pk=theirs.pk).exists()


def test_ending_one_logs_that_device_out(world):
    phone = on(world.agent, IPHONE, "203.0.113.7")
    tablet = on(world.agent, IPHONE, "203.0.113.8")
    here = on(world.agent, WINDOWS, "198.51.100.4")
    theirs = UserSession.objects.get(user=world.agent, ip="203.0.113.7")
    page = here.post(f"/accounts/sessions/{theirs.pk}/end/", follow=True)
    assert "That session is logged out." in page.text
    assert "203.0.113.7" not in page.text
    assert phone.get("/leads/").status_code == 302
    assert tablet.get("/leads/").status_code == here.get("/leads/").status_code == 200


def test_the_current_one_is_ended_by_logging_out(world):
    here = on(world.agent, WINDOWS, "198.51.100.4")
    own = UserSession.objects.get(user=world.agent)
    assert "log out from the menu" in here.post(f"/accounts/sessions/{own.pk}/end/", follow=True).text
    assert here.get("/leads/").status_code == 200


def test_ending_all_others(world):
    phone = on(world.agent, IPHONE, "203.0.113.7")
    tablet = on(world.agent, IPHONE, "203.0.113.8")
    manager = on(world.manager, IPHONE, "203.0.113.9")
    here = on(world.agent, WINDOWS, "198.51.100.4")
    page = here.post("/accounts/sessions/end-others/", follow=True)
    assert "2 other sessions are logged out. You stay logged in here." in page.text
    assert "End all others" not in page.text
    assert phone.get("/leads/").status_code == tablet.get("/leads/").status_code == 302
    assert here.get("/leads/").status_code == manager.get("/leads/").status_code == 200


def test_a_session_that_is_over_is_no_longer_listed(world):
    phone = on(world.agent, IPHONE, "203.0.113.7")
    here = on(world.agent, WINDOWS, "198.51.100.4")
    phone.post("/accounts/logout/")
    assert "203.0.113.7" not in here.get("/accounts/sessions/").text


def test_a_visit_is_noted_once_a_minute(world):
    here = on(world.agent, WINDOWS, "198.51.100.4")
    UserSession.objects.update(last_seen_at=now() - dt.timedelta(hours=2))
    with CaptureQueriesContext(connection) as queries:
        here.get("/preferences/")
    assert not [query for query in queries if "usersessions" in query["sql"]]
    assert UserSession.objects.get().last_seen_at < now() - dt.timedelta(hours=1)
    cache.clear()  # a minute later
    here.get("/preferences/")
    assert UserSession.objects.get().last_seen_at > now() - dt.timedelta(minutes=1)
