"""People and rules put one contact on a list at the same moment, on a database that lets them: what a person
wants for longer is theirs, and stays."""

from __future__ import annotations

import datetime as dt
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from django.db import connection, connections, transaction
from django.utils.timezone import now

from flows import decisions
from flows.actions.base import Target
from flows.actions.lists import ListAction
from flows.models import Decision, Rule, Source, SuppressionEntry, SuppressionList
from flows.suppression import add_all
from tests import factories as make
from tests.conftest import make_world
from tests.flows.test_races import N, at_once

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite lets one write at a time"),
]
DAY = dt.timedelta(days=1)


@pytest.fixture
def world(transactional_db):
    return make_world()


@pytest.fixture
def returns(world) -> SuppressionList:
    return SuppressionList.objects.create(seller=world.seller, name="Returns", slug="returns")


@pytest.fixture
def rule(world, returns) -> Rule:
    params = {"list": "returns", "expires_days": 30}
    return Rule.objects.create(flow=world.flow, name="R", action="suppress_contact", params=params)


@pytest.fixture
def pool():
    with ThreadPoolExecutor(1) as one:
        yield one


def both(world) -> list[tuple[str, str]]:
    lead = world.delivery.lead
    return [("email", lead.email_normalised), ("phone", lead.phone_e164)]


def apart(work):
    """``work`` for a thread with a connection of its own."""

    def run():
        try:
            return work()
        finally:
            connections.close_all()

    return run


def decide(world, rule, delivery=None) -> list[Decision]:
    delivery = delivery or world.delivery
    target = Target(world.source, f"delivery:{delivery.pk}", "", {}, delivery)
    with transaction.atomic():
        return decisions.decide(rule, [target], now=now())


def until_done_or_waiting(other: Future) -> bool:
    """Whether the other one waits for a lock of ours; False once it has finished."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return True
        if other.done():
            return False
    raise AssertionError("neither done nor waiting")


def standing() -> set[tuple]:
    return set(SuppressionEntry.objects.values_list("kind", "origin", "decision", "expires_at"))


THEIRS = {("email", "person", None, None), ("phone", "person", None, None)}


def test_what_a_person_adds_between_plan_and_deed_is_theirs(world, rule, returns, pool, monkeypatch):
    perform, others = ListAction.perform, []

    def meanwhile(action, made):
        others.append(pool.submit(apart(lambda: add_all(returns, both(world), origin="person"))))
        until_done_or_waiting(others[0])
        perform(action, made)

    monkeypatch.setattr(ListAction, "perform", meanwhile)
    (decision,) = decide(world, rule)
    others[0].result(20)
    assert standing() == THEIRS
    assert decision.after["added"] == ["email", "phone"]  # nothing stood there when it was decided


def test_what_a_person_is_adding_is_waited_for(world, rule, returns, pool):
    """They have not committed yet: the rule sees what they add, and has nothing left to do."""
    added, go_on = threading.Event(), threading.Event()

    def person():
        with transaction.atomic():
            add_all(returns, both(world), origin="person")
            added.set()
            assert go_on.wait(20)

    adding = pool.submit(apart(person))
    assert added.wait(20)
    with ThreadPoolExecutor(1) as worker:
        deciding = worker.submit(apart(lambda: decide(world, rule)))
        waited = until_done_or_waiting(deciding)
        go_on.set()
        adding.result(20)
        decided = deciding.result(20)
    assert (waited, decided, standing()) == (True, [], THEIRS)


def test_many_at_once(world, rule, returns):
    others = [make.DeliveryFactory(lead=world.delivery.lead, buyer=make.BuyerFactory(seller=world.seller))
              for _ in range(N)]  # fmt: skip

    def one(number: int):
        if number % 2:
            return add_all(returns, both(world), origin="person")
        source = Source.objects.select_related("flow").get(pk=world.source.pk)
        target = Target(source, f"delivery:{others[number].pk}", "", {}, others[number])
        with transaction.atomic():
            return decisions.decide(rule, [target], now=now())

    at_once(one)
    assert standing() == THEIRS


def test_a_rule_that_lengthens_does_not_shorten_what_comes_meanwhile(world, rule, returns, pool, monkeypatch):
    add_all(returns, both(world), origin="person", expires_at=now() + DAY)
    perform, others = ListAction.perform, []
    later = now() + 365 * DAY

    def meanwhile(action, made):
        work = apart(lambda: add_all(returns, both(world), origin="api", expires_at=later))
        others.append(pool.submit(work))
        until_done_or_waiting(others[0])
        perform(action, made)

    monkeypatch.setattr(ListAction, "perform", meanwhile)
    decide(world, rule)
    others[0].result(20)
    assert standing() == {("email", "api", None, later), ("phone", "api", None, later)}


def test_two_rules_that_want_two_lists_in_turn_do_not_wait_in_a_circle(world, rule, returns, pool):
    """Each holds its first list until the end of its pass, and wants the other's next."""
    bad = SuppressionList.objects.create(seller=world.seller, name="Bad", slug="bad")
    other = make.SourceFactory(flow=world.flow)
    elsewhere = make.DeliveryFactory(lead__source=other, buyer=world.buyer)
    to_bad = Rule.objects.create(flow=world.flow, name="B", action="suppress_contact", params={"list": "bad"})

    def a_pass(rules, delivery, source, between=lambda: None):
        with transaction.atomic():
            for each in rules:
                target = Target(source, f"delivery:{delivery.pk}", "", {}, delivery)
                decisions.decide(each, [target], now=now())
                between()

    second = []

    def start_the_other():
        if not second:
            work = apart(lambda: a_pass([to_bad, rule], elsewhere, other))
            second.append(pool.submit(work))
        until_done_or_waiting(second[0])

    a_pass([rule, to_bad], world.delivery, world.source, start_the_other)
    second[0].result(20)
    emails = {each.lead.email_normalised for each in (world.delivery, elsewhere)}
    for listed in (returns, bad):
        assert set(listed.entries.filter(kind="email").values_list("value", flat=True)) == emails
