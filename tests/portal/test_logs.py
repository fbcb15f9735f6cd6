"""No API key stands in a log, whatever logged it."""

from __future__ import annotations

import io
import logging

import pytest
from django.conf import settings
from django.test import Client

from portal.logs import KeyHidingFormatter

PREFIX, REST = "ll_live_0aB1cD2e", "3fG4hI5jK6lM7nO8pQ9rS0tU1vW2xY3zA4bC5d"
KEY = f"{PREFIX}_{REST}"


@pytest.fixture
def written():
    """What the root logger writes, in the form of the settings."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    line = settings.LOGGING["formatters"]["line"]
    assert line["()"] == "portal.logs.KeyHidingFormatter"
    handler.setFormatter(KeyHidingFormatter(line["format"], style=line["style"]))
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def test_a_key_in_a_message_or_its_arguments_is_hidden(written):
    log = logging.getLogger("some.library")
    log.warning("GET %s", f"/feedback?key={KEY}&type=return")
    log.warning(f"Bad address: /feedback?type=return&key={KEY}")
    assert REST not in written.getvalue()
    assert written.getvalue().count(f"{PREFIX}_•••") == 2


def test_a_key_in_a_traceback_is_hidden(written):
    try:
        raise ValueError(f"no good: {KEY}")
    except ValueError:
        logging.getLogger("some.library").exception("It failed")
    assert "Traceback" in written.getvalue()
    assert REST not in written.getvalue()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "host", "status"),
    [
        ("/feedback", "elsewhere.example", 400),  # DisallowedHost
        ("/feedback/", "testserver", 404),
        ("/feedback", "testserver", 401),
    ],
)
def test_refusals_around_the_door_do_not_tell_the_key(written, path, host, status):
    response = Client().get(path, {"key": KEY, "event_id": "evt_1"}, headers={"Host": host})
    assert response.status_code == status
    assert written.getvalue()
    assert REST not in written.getvalue()
    assert REST not in response.text


def test_the_development_server_writes_in_the_same_form():
    assert settings.LOGGING["loggers"]["django.server"]["handlers"] == ["stderr"]
