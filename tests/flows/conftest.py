"""An API client: a path, a key, a body, and the answer as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from flows import keys, limits


@dataclass
class Api:
    """Sends requests with one key. ``key=""`` sends none."""

    key: str
    headers: dict[str, str] = field(default_factory=dict)
    client: Client = field(default_factory=Client)

    def send(self, method: str, path: str, body: Any = None, content_type="application/json", **more: Any):
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        headers = {**({"X-API-Key": self.key} if self.key else {}), **self.headers, **more.pop("headers", {})}
        kind = content_type if data else ""
        return self.client.generic(method, path, data, kind, headers=headers, **more)

    def get(self, path: str, **more: Any) -> HttpResponse:
        return self.send("GET", path, **more)

    def post(self, path: str, body: Any, **more: Any) -> HttpResponse:
        return self.send("POST", path, body, **more)


@pytest.fixture(autouse=True)
def fresh_limits():
    """No test uses up another one's requests."""
    limits._limiter.cache_clear()


@pytest.fixture
def seller_api(world) -> Api:
    return Api(keys.issue(name="Router", seller=world.seller)[1])


@pytest.fixture
def buyer_api(world) -> Api:
    return Api(keys.issue(name="CRM", buyer=world.buyer)[1])
