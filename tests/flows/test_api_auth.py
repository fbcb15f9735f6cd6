"""Who may call: by which header a key comes, and what is told to whom."""

from __future__ import annotations

import base64
import logging
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from flows import keys
from tests import factories as make
from tests.flows.conftest import Api


def routing(flow) -> str:
    return f"/flows/{flow.public_id}/routing"


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def text(world) -> str:
    return keys.issue(name="Router", seller=world.seller)[1]


@pytest.mark.parametrize(
    "header",
    [
        lambda text: {"X-API-Key": text},
        lambda text: {"Authorization": f"Bearer {text}"},
        lambda text: {"Authorization": f"bearer {text}"},
        lambda text: {"Authorization": basic(text, "")},
        lambda text: {"Authorization": basic("X", text)},
    ],
)
def test_a_key_comes_by_any_of_the_headers(world, text, header):
    assert Api("").get(routing(world.flow), headers=header(text)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-Key": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic ???"},
        {"Authorization": "Digest x"},
    ],
)
def test_without_a_key(world, headers):
    response = Api("").get(routing(world.flow), headers=headers)
    assert (response.status_code, response.json()["code"]) == (401, "missing_api_key")
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert response["Content-Type"] == "application/problem+json"


def test_a_key_in_the_address_is_neither_taken_nor_logged(world, text, caplog):
    caplog.set_level(logging.DEBUG)
    for name in ("api_key", "key", "X-API-Key"):
        response = Api("").get(f"{routing(world.flow)}?{name}={text}")
        assert (response.status_code, response.json()["code"]) == (401, "missing_api_key")
    assert text.rsplit("_", 1)[1] not in caplog.text
    assert caplog.records


def test_expired_and_revoked_are_told_apart(world, text):
    key = keys.authenticate(text)[0]
    key.expires_at = key.created_at
    key.save()
    assert Api(text).get(routing(world.flow)).json()["code"] == "expired_api_key"
    keys.revoke(key)
    response = Api(text).get(routing(world.flow))
    assert (response.status_code, response.json()["code"]) == (401, "revoked_api_key")


def test_another_tenants_flow_is_like_one_that_is_not_there(world, other_world, text):
    answers = [
        Api(text).get(routing_of) for routing_of in (routing(other_world.flow), "/flows/flw_none/routing")
    ]
    bodies = [{**answer.json(), "request_id": ""} for answer in answers]
    assert bodies[0] == bodies[1]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert bodies[0]["code"] == "flow_not_found"


def test_another_tenants_flow_takes_the_same_work(world, other_world, text):
    Api(text).get(routing(world.flow))  # writes when the key was last used
    work = []
    for flow in (other_world.flow.public_id, "flw_none"):
        with CaptureQueriesContext(connection) as queries:
            Api(text).get(f"/flows/{flow}/routing")
        work.append([re.sub(r"'[^']*'|\d+", "?", query["sql"]) for query in queries])
    assert work[0] == work[1]
    assert work[0]


def test_the_wrong_kind_of_party(world, buyer_api):
    response = buyer_api.get(routing(world.flow))
    assert (response.status_code, response.json()["code"]) == (403, "key_not_allowed")


def test_a_key_limited_to_another_flow(world):
    other = make.FlowFactory(seller=world.seller)
    api = Api(keys.issue(name="Narrow", seller=world.seller, flows=[other])[1])
    response = api.get(routing(world.flow))
    assert (response.status_code, response.json()["code"]) == (403, "key_not_allowed")
    assert api.get(routing(other)).status_code == 200


def test_the_wrong_party_learns_nothing_of_another_tenants_flow(world, other_world, buyer_api):
    assert buyer_api.get(routing(other_world.flow)).json()["code"] == "flow_not_found"
