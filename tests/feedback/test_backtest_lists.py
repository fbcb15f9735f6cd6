"""Trying a rule that puts things on a list where other entries stand: as the rule, switched on, does it."""

from __future__ import annotations

import datetime as dt

import pytest

from flows.models import Decision, Rule
from tests.feedback.test_backtest import off, tried


@pytest.fixture
def returns(desk):
    return desk.flow.seller.suppression_lists.create(name="Returns", slug="returns")


def put(listed, kind, value, desk, until):
    """By hand, long before the trial's first day."""
    days = {"added_at": desk.now - dt.timedelta(days=300), "expires_at": until}
    return listed.entries.create(kind=kind, value=value, origin="person", **days)


def contact(desk, **params) -> Rule:
    given = {"list": "returns", **params}
    return off(desk, trigger="feedback", outcome="returned", action="suppress_contact", params=given)


@pytest.mark.parametrize(("wanted", "stands", "fires"), [(30, 5, 1), (None, 5, 1), (30, 60, 0), (30, 30, 0)])
def test_what_ends_sooner_is_lengthened_in_a_trial_as_it_is_live(desk, returns, wanted, stands, fires):
    row = desk.deliver(1)[0]
    until = desk.now + dt.timedelta(days=stands)
    for kind, value in (("email", row.lead.email_normalised), ("phone", row.lead.phone_e164)):
        put(returns, kind, value, desk, until)
    rule = contact(desk, **({"expires_days": wanted} if wanted else {}))
    desk.report([row], outcome="returned")
    assert len(tried(desk, rule).firings) == fires
    Rule.objects.update(enabled=True)
    desk.recompute()
    assert Decision.objects.count() == fires


def test_a_trial_takes_a_source_back_to_what_stood_before(desk, returns):
    value = f"{desk.flow.public_id}/{desk.source.slug}"
    put(returns, "source", value, desk, desk.now + dt.timedelta(days=3))
    rule = off(desk, action="suppress_source", params={"list": "returns"}, on_clear="reverse")
    bad = desk.hear(10, quality_score=1)
    desk.later(days=2)
    desk.report(bad, quality_score=5)
    desk.later(days=1)
    assert [firing.headline for firing in tried(desk, rule).firings] == [
        f"{desk.source} put on “Returns”",
        f"{desk.source} as before on “Returns”",
    ]
