"""The same requests from eight clients at once: each is done once, and every client gets the same answer.

``RACE_KEYS=1000`` runs it with as many keys as the promise names.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from django.db import connection, connections

from feedback.models import ChangeSet, Feedback, StaleMark
from flows import idempotency, keys, limits
from flows.models import IdempotentRequest
from tests import conftest
from tests.feedback.conftest import Api

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.postgres,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time"),
]
CLIENTS, KEYS = 8, int(os.environ.get("RACE_KEYS", "250"))
PATIENCE = 30.0  # seconds for which a client repeats a request that is being worked on


@dataclass(frozen=True)
class Answered:
    status: int
    body: bytes
    replayed: bool


def send_all(api: Api, lead: str, names: list[str], start: threading.Barrier) -> dict[str, Answered]:
    """One client: every request under its key, each until it is answered; 409 means: once more."""
    try:
        start.wait()
        return {name: send(api, lead, name) for name in names}
    finally:
        connections.close_all()


def send(api: Api, lead: str, name: str) -> Answered:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        response = api.post({"lead_id": lead, "notes": name}, idempotency_key=name)
        if response.status_code != 409:
            return Answered(response.status_code, response.content, "Idempotent-Replayed" in response)
        assert response.json()["code"] == "request_in_progress"
    raise AssertionError(f"{name} was never answered")


@pytest.fixture(autouse=True)
def unlimited(settings):
    settings.API_RATE_LIMIT = "1000000/minute"
    limits._limiter.cache_clear()
    yield
    limits._limiter.cache_clear()


def race(count: int) -> dict[str, list[Answered]]:
    """The answers of all clients, by key."""
    world = conftest.make_world()
    text = keys.issue(name="CRM", buyer=world.buyer)[1]
    names = [f"key-{number}" for number in range(count)]
    start = threading.Barrier(CLIENTS)

    def client(number: int) -> dict[str, Answered]:
        # Half of them meet on every key, the others come from the other end.
        order = names if number % 2 else names[::-1]
        return send_all(Api(world.flow, text), world.delivery.public_id, order, start)

    answers: dict[str, list[Answered]] = defaultdict(list)
    with ThreadPoolExecutor(CLIENTS) as pool:
        for of_client in pool.map(client, range(CLIENTS)):
            for name, answered in of_client.items():
                answers[name].append(answered)
    return answers


def check(answers: dict[str, list[Answered]], count: int) -> None:
    assert len(answers) == count
    for name, answered in answers.items():
        assert len(answered) == CLIENTS
        assert {each.status for each in answered} == {201}, name
        assert len({each.body for each in answered}) == 1, name
        assert sum(not each.replayed for each in answered) == 1, name
    told = {json.loads(answered[0].body)["feedback_id"] for answered in answers.values()}
    assert told == set(Feedback.objects.values_list("public_id", flat=True))
    assert len(told) == count
    assert ChangeSet.objects.count() == StaleMark.objects.count() == count
    assert IdempotentRequest.objects.filter(status=201).count() == IdempotentRequest.objects.count() == count


def test_every_key_is_done_once_and_answered_alike():
    check(race(KEYS), KEYS)


def test_without_the_machinery_the_same_race_does_work_twice(monkeypatch):
    """That the test above can fail: with a claim that everybody gets, every client does the work."""
    monkeypatch.setattr(idempotency, "key_of", lambda request: None)
    answers = race(5)
    replayed = [each.replayed for answered in answers.values() for each in answered]
    assert not any(replayed)
    assert any(len({each.body for each in answered}) > 1 for answered in answers.values())
