"""A buyer's API client."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from flows import keys
from tests.feedback.ruled import ruled


class Api:
    """Posts JSON to a flow's feedback with a key, and keeps what is sent by default."""

    def __init__(self, flow, key: str) -> None:
        self.flow, self.key, self.client = flow, key, Client()

    def url(self, suffix: str = "") -> str:
        return f"/flows/{self.flow.public_id}/feedback{suffix}"

    def post(self, payload=None, *, suffix: str = "", body: bytes | str | None = None, **headers: str):
        """``payload`` is sent as JSON; ``body`` as it is. Headers are given as ``x_api_key="…"``."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"X-API-Key": self.key, **names}
        content_type = sent.pop("Content-Type", "application/json")
        data = body if body is not None else json.dumps(payload)
        return self.client.post(self.url(suffix), data, content_type=content_type, headers=sent)


@pytest.fixture
def live_key(world) -> str:
    return keys.issue(name="CRM", buyer=world.buyer)[1]


@pytest.fixture
def api(world, live_key) -> Api:
    return Api(world.flow, live_key)


@pytest.fixture
def test_api(world) -> Api:
    return Api(world.flow, keys.issue(name="Trying out", buyer=world.buyer, livemode=False)[1])


@pytest.fixture
def lead(world) -> str:
    """The id of the buyer's delivery."""
    return world.delivery.public_id


@pytest.fixture
def desk(world):
    """The world's flow under rules, see `tests.feedback.ruled`."""
    yield from ruled(world)


def fault_codes(response) -> set[tuple[str, str]]:
    """The faults of a problem as (field, code)."""
    return {(fault["field"], fault["code"]) for fault in response.json()["errors"]}
