"""Many at once, on a database that lets them: each promise holds whoever comes first."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection, connections

from flows import keys
from flows.models import Delivery, IdempotentRequest, IntakeRefusal, Lead
from tests.conftest import make_world
from tests.flows.conftest import Api

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite lets one write at a time"),
]
N = 8


@pytest.fixture
def world(transactional_db):
    made = make_world()
    Delivery.objects.all().delete()
    return made


@pytest.fixture
def key(world) -> str:
    return keys.issue(name="Router", seller=world.seller)[1]


def at_once(send) -> list:
    """The answers to ``send(0)`` … ``send(7)``, all started together."""
    gate = Barrier(N)

    def run(number: int):
        try:
            gate.wait()
            return send(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(N) as pool:
        return list(pool.map(run, range(N)))


def post(world, key, headers=None, **more):
    body = {"source": world.source.slug, "buyer": world.buyer.slug, "lead": {"email": "maria@example.org"}}
    return Api(key).post(f"/flows/{world.flow.public_id}/leads", {**body, **more}, headers=headers or {})


def test_one_idempotency_key_sent_eight_times_at_once(world, key):
    answers = at_once(lambda n: post(world, key, {"Idempotency-Key": "k"}))
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses[201] >= 1
    assert statuses[201] + statuses[409] == N
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert (Delivery.objects.count(), Lead.objects.filter(email="maria@example.org").count()) == (1, 1)
    assert post(world, key, {"Idempotency-Key": "k"})["Idempotent-Replayed"] == "true"


def test_a_claim_left_behind_is_taken_over_by_one(world, key):
    assert post(world, key, {"Idempotency-Key": "k"}).status_code == 201
    Delivery.objects.all().delete()
    row = IdempotentRequest.objects.get()
    row.status, row.body, row.claimed_at = None, "", row.claimed_at.replace(year=row.claimed_at.year - 1)
    row.save()
    answers = at_once(lambda n: post(world, key, {"Idempotency-Key": "k"}))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert Delivery.objects.count() == 1


def test_one_event_id_sent_eight_times_at_once(world, key):
    answers = at_once(lambda n: post(world, key, event_id="lc-1"))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: N - 1}
    assert {answer.json()["lead_id"] for answer in answers} == {"lc-1"}
    assert Delivery.objects.count() == 1


def test_a_cap_holds_against_eight_at_once(world, key):
    world.source.daily_cap = 3
    world.source.save()
    answers = at_once(lambda n: post(world, key, lead={"email": f"maria{n}@example.org"}))
    assert Counter(answer.json()["reason"] for answer in answers) == {None: 3, "cap_reached": N - 3}
    assert Delivery.objects.count() == 3
    assert IntakeRefusal.objects.get().count == N - 3


def test_the_same_consumer_eight_times_at_once(world, key):
    answers = at_once(lambda n: post(world, key))
    assert Counter(answer.json()["reason"] for answer in answers) == {None: 1, "duplicate": N - 1}


def test_one_event_id_from_two_sources_at_once(world, key):
    """Their sources' locks do not keep them apart; the index does, and the second one looks again."""
    other = world.flow.sources.create(name="Other", slug="other")
    answers = at_once(
        lambda n: post(
            world,
            key,
            event_id="lc-1",
            source=(world.source, other)[n % 2].slug,
            lead={"email": f"m{n % 2}@example.org"},
        )
    )
    assert Counter(answer.status_code for answer in answers)[201] == 1
    assert {answer.status_code for answer in answers} == {201, 200, 422}
    assert Delivery.objects.count() == 1
