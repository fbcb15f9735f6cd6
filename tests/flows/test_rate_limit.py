"""How often a key may call, and how it is told."""

from __future__ import annotations

import re

import pytest

from flows import keys
from tests.flows.conftest import Api

POLICY = '"default";q=3;w=60'


@pytest.fixture
def routing(world) -> str:
    return f"/flows/{world.flow.public_id}/routing"


@pytest.fixture
def three_a_minute(settings):
    settings.API_RATE_LIMIT = "3/minute"
    settings.API_RATE_LIMIT_STORAGE = "memory://"


def remaining(response) -> int:
    match = re.fullmatch(r'"default";r=(\d+);t=(\d+)', response["RateLimit"])
    assert 1 <= int(match[2]) <= 60
    return int(match[1])


def test_good_answers_tell_what_is_left(seller_api, routing, three_a_minute):
    answers = [seller_api.get(routing) for _ in range(3)]
    assert [remaining(answer) for answer in answers] == [2, 1, 0]
    assert {answer["RateLimit-Policy"] for answer in answers} == {POLICY}


def test_one_too_many(seller_api, routing, three_a_minute):
    for _ in range(3):
        assert seller_api.get(routing).status_code == 200
    response = seller_api.get(routing)
    assert (response.status_code, response.json()["code"]) == (429, "rate_limited")
    assert 1 <= int(response["Retry-After"]) <= 60
    assert remaining(response) == 0
    assert response["RateLimit-Policy"] == POLICY


def test_refused_requests_count_and_tell_too(seller_api, world, three_a_minute):
    answers = [seller_api.post(f"/flows/{world.flow.public_id}/leads", b"{") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [400, 400, 400, 429]
    assert remaining(answers[0]) == 2


def test_the_limit_comes_before_the_flow(seller_api, three_a_minute):
    assert [seller_api.get("/flows/none/routing").status_code for _ in range(4)] == [404, 404, 404, 429]


def test_each_key_has_its_own(seller_api, world, routing, three_a_minute):
    for _ in range(4):
        seller_api.get(routing)
    other = Api(keys.issue(name="Second router", seller=world.seller)[1])
    assert other.get(routing).status_code == 200


def test_without_the_storage_nothing_is_limited(seller_api, routing, settings, caplog, socket_enabled):
    settings.API_RATE_LIMIT = "1/minute"
    settings.API_RATE_LIMIT_STORAGE = "redis://127.0.0.1:1"
    answers = [seller_api.get(routing) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert "RateLimit" not in answers[0]
    warnings = [record for record in caplog.records if record.name == "flows.limits"]
    assert len(warnings) == 1  # then it is left alone for a while
