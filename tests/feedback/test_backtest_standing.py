"""How a trial lets sources stand on its first day: as it is on record, else as rules found them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from feedback.backtest import backtest
from flows.models import Rule, Source
from flows.sources import pause, pause_for, resume, save_edited
from tests.feedback.test_backtest import off, tried


@pytest.fixture
def everything():
    return Source.objects.all()


def test_a_source_that_its_owner_had_paused_is_not_paused_again(desk, everything):
    rule = off(desk)
    pause(everything, "Contract ended")
    desk.later(days=40)
    desk.hear(10, quality_score=1)
    result = tried(desk, rule)
    assert (result.firings, dict(result.idle)) == ([], {desk.source.name: 1})


def test_one_that_was_resumed_since_is_active_from_that_day(desk, everything):
    rule = off(desk)
    pause(everything, "Audit")
    desk.later(days=40)
    desk.hear(10, quality_score=1)
    desk.later(days=2)
    resume(everything, "")
    resumed = desk.now
    desk.later(days=2)
    (firing,) = tried(desk, rule).firings
    assert firing.day == resumed.date()


def test_one_that_was_paused_only_since_begins_active(desk, everything):
    rule = off(desk)
    desk.hear(10, quality_score=1)
    desk.later(days=2)
    pause(everything, "Seen it too")
    assert len(tried(desk, rule).firings) == 1


def test_without_a_record_it_begins_active(desk, everything):
    everything.update(status="paused", status_reason="Of old")
    rule = off(desk)
    desk.hear(10, quality_score=1)
    assert len(tried(desk, rule).firings) == 1


def test_a_pause_for_one_buyer_is_not_the_sources(desk):
    rule = off(desk)
    pause_for(desk.source, desk.buyer, "Theirs")
    desk.later(days=40)
    desk.hear(10, quality_score=1)
    assert len(tried(desk, rule).firings) == 1


def test_the_cap_that_a_person_had_set_then_is_the_one_that_is_stepped(desk):
    """Caps set by hand are in no decision: only the record knows them."""
    desk.source.daily_cap = 100
    save_edited(desk.source, ["daily_cap"])
    rule = off(desk, action="step_cap", params={"percentage": -20, "min": 1, "max": 1000})
    desk.later(days=40)
    desk.hear(10, quality_score=1)
    desk.later(days=1)
    for cap in (60, 50):
        desk.source.daily_cap = cap
        save_edited(desk.source, ["daily_cap"])
    (firing,) = tried(desk, rule).firings[:1]
    assert "cap 100 → 80" in firing.headline


def test_what_rules_changed_before_there_was_a_record_still_counts(desk):
    """A decision of old, then a change on record: each tells what stood before it."""
    rule = desk.rule(action="set_price_adjustment", params={"value": "0.8"}, cooldown_hours=10_000)
    Source.objects.update(price_adjustment=Decimal("1.1"))
    desk.hear(10, quality_score=1)
    desk.source.changes.all()._raw_delete("default")
    desk.later(days=1)
    desk.source.refresh_from_db()
    desk.source.price_adjustment = Decimal("1.3")
    save_edited(desk.source, ["price_adjustment"])
    first = backtest(rule, days=30, now=desk.now).firings[0]
    assert "× 1.10 → × 0.80" in first.headline


def test_a_trial_changes_no_record(desk, everything):
    pause(everything, "Audit")
    before = list(desk.source.changes.values())
    rule = off(desk)
    desk.hear(10, quality_score=1)
    tried(desk, rule)
    assert list(desk.source.changes.values()) == before


def test_a_rule_with_a_list_takes_ten_queries(desk, django_assert_num_queries):
    """The most that a trial asks for; with a limit, one more that counts."""
    desk.flow.seller.suppression_lists.create(name="Bad Sources", slug="bad-sources")
    made = off(desk, action="suppress_source", params={"list": "bad-sources"})
    desk.hear(10, quality_score=1)
    rule = Rule.objects.select_related("flow").get(pk=made.pk)
    for most, count in ((None, 10), (1000, 11)):
        with django_assert_num_queries(count):
            assert backtest(rule, now=desk.now, most=most).firings
