"""Several people at once on one agreement's returns: the cap holds, and each return is decided once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection, connections

from feedback.models import Credit, ReturnRequest
from feedback.returns.audit import ledger_faults, request_faults
from feedback.returns.decide import decide, reopen, withdraw
from flows.problems import ProblemError
from tests.conftest import make_world
from tests.feedback.returning import delivered, requested, takes_returns

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.postgres,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time"),
]


def at_once(*deeds: Callable[[], object]) -> list[bool]:
    """Each in a thread and a connection of its own, begun together. → whether it went through."""
    barrier = Barrier(len(deeds))

    def run(deed: Callable[[], object]) -> bool:
        barrier.wait()
        try:
            deed()
        except ProblemError:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(len(deeds)) as pool:
        return list(pool.map(run, deeds))


def test_eight_agents_do_not_share_the_last_places_under_the_cap():
    world = make_world()
    takes_returns(world, return_cap_kind="count", return_cap=3, return_auto_reasons=["Duplicate"])
    leads = delivered(world, 8)
    went = at_once(*(lambda lead=lead: requested(world, lead) for lead in leads))
    assert sum(went) == ReturnRequest.objects.count() == Credit.objects.count() == 3


def test_eight_agents_return_one_lead_once():
    world = make_world()
    takes_returns(world)
    went = at_once(*(lambda: requested(world) for _ in range(8)))
    assert sum(went) == ReturnRequest.objects.count() == 1


def test_owners_who_approve_and_reject_at_once_decide_once():
    world = make_world()
    takes_returns(world)
    rows = [requested(world, each) for each in delivered(world, 5)]
    owner = world.actor(world.owner)
    seen = {row.pk: row.version for row in rows}
    backwards = dict(reversed(seen.items()))
    went = at_once(
        *(lambda: decide(seen, "approve", owner) for _ in range(3)),
        *(lambda: decide(backwards, "reject", owner, note="No.") for _ in range(3)),
    )
    assert sum(went) == 1
    assert Credit.objects.count() in (0, 5)
    assert not [*ledger_faults(), *request_faults()]


def test_a_withdrawal_and_an_approval_at_once_are_one_of_them():
    world = make_world()
    takes_returns(world)
    row = requested(world)
    owner, agent = world.actor(world.owner), world.actor(world.agent)
    went = at_once(lambda: decide({row.pk: 1}, "approve", owner), lambda: withdraw(row, agent))
    assert sum(went) == 1
    assert not [*ledger_faults(), *request_faults()]


def test_a_decision_is_taken_back_once():
    world = make_world()
    takes_returns(world)
    row = requested(world)
    owner = world.actor(world.owner)
    decide({row.pk: 1}, "approve", owner)
    went = at_once(*(lambda: reopen(row, 2, owner, note="No.") for _ in range(4)))
    assert sum(went) == 1
    assert sorted(Credit.objects.values_list("kind", flat=True)) == ["credit", "reversal"]
