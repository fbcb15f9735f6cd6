"""Many people answer one suggestion at once, on a database that lets them: it is done once."""

from __future__ import annotations

from collections import Counter

import pytest
from django.db import connection
from django.test import Client

from flows import suggestions
from flows.models import Bonus, Decision, Rule, Source
from tests.conftest import make_world
from tests.flows.test_races import N, at_once

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite lets one write at a time"),
]


@pytest.fixture
def world(transactional_db):
    return make_world()


def suggest(world, action, params, before, after) -> Decision:
    on = {"trigger": "feedback", "outcome": "returned"}
    rule = Rule.objects.create(flow=world.flow, name="R", action=action, params=params, mode="suggest", **on)
    return Decision.objects.create(
        flow=world.flow, rule=rule, rule_name="R", source=world.source, evaluation="1", action=action,
        params=params, before=before, after=after, status="suggested",
        numbers={"outcome": "returned", "lead_id": "evt_1"},
    )  # fmt: skip


@pytest.fixture
def cap(world):
    Source.objects.update(daily_cap=100)
    params = {"percentage": 20, "min": 1, "max": 9000}
    return suggest(world, "step_cap", params, {"daily_cap": 100}, {"daily_cap": 120})


def clients(world) -> list[Client]:
    """Each logged in already, so that only the answers race."""
    found = [Client() for _ in range(N)]
    for client in found:
        client.force_login(world.owner)
    return found


def test_eight_people_approve_and_the_cap_is_stepped_once(world, cap):
    people = clients(world)
    answers = at_once(lambda n: people[n].post(f"/decisions/{cap.pk}/approve/"))
    assert Counter(answer.status_code for answer in answers) == {302: N}
    assert Source.objects.get().daily_cap == 120
    cap.refresh_from_db()
    assert (cap.status, cap.before, cap.after) == ("applied", {"daily_cap": 100}, {"daily_cap": 120})


def test_a_bonus_is_granted_once(world):
    bonus = suggest(world, "bonus", {"amount": "5"}, {}, {"bonus": "5.00", "currency": "USD"})
    at_once(lambda n: suggestions.approve(bonus, user=world.owner))
    assert Bonus.objects.count() == 1


def test_some_approve_while_others_dismiss_and_one_of_them_is_right(world, cap):
    people = clients(world)
    at_once(lambda n: people[n].post(f"/decisions/{cap.pk}/{('approve', 'dismiss')[n % 2]}/"))
    cap.refresh_from_db()
    assert (cap.status, Source.objects.get().daily_cap) in {("applied", 120), ("dismissed", 100)}
