"""Sources from which no feedback comes any more are looked at too: windows and maturity move on."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.conf import settings
from django.db.models import F

from feedback import tasks
from feedback.daily import rule_daily
from flows.models import Rule, Source
from tests import factories as make


@pytest.fixture
def maturing(desk):
    """Leads that did not convert, judged when they are 14 days old; they are one day old."""
    desk.rule(metric="conversion_rate", threshold=Decimal("0.05"), maturity_days=14, cooldown_hours=0)
    desk.hear(20, outcome="not_interested")
    assert not desk.decisions()


def test_leads_mature_without_any_feedback(desk, maturing):
    desk.later(days=12)
    rule_daily(now=desk.now)
    assert not desk.decisions()
    desk.later(days=1)
    rule_daily(now=desk.now)
    (decision,) = desk.decisions()
    assert decision.evaluation == "day:2025-11-25"
    assert desk.stands()[0] == "paused"


def test_a_day_is_looked_at_once_however_often_it_runs(desk, maturing):
    desk.later(days=13)
    for _ in range(3):
        rule_daily(now=desk.now)
        Source.objects.update(status="active", status_reason="")
        Rule.objects.update(threshold=F("threshold") + Decimal("0.01"))  # it might well decide anew
        desk.later(hours=1)
    assert len(desk.decisions()) == 1
    desk.later(days=1)
    rule_daily(now=desk.now)
    assert len(desk.decisions()) == 2


def test_the_day_is_the_flows_own(desk, maturing):
    """21:00 in New York is the next day in Tokyo already."""
    desk.later(days=12, hours=9)
    rule_daily(now=desk.now)
    assert not desk.decisions()
    desk.flow.__class__.objects.update(timezone="Asia/Tokyo")
    rule_daily(now=desk.now)
    assert desk.decisions()[0].evaluation == "day:2025-11-25"


def test_a_suggestion_whose_leads_left_the_window_is_withdrawn(desk):
    desk.rule(mode="suggest", window_days=7)
    desk.hear(12, quality_score=1)
    desk.later(days=5)
    rule_daily(now=desk.now)
    assert [each.status for each in desk.decisions()] == ["suggested"]
    desk.later(days=1)
    rule_daily(now=desk.now)
    (decision,) = desk.decisions()
    assert decision.status == "dismissed"
    assert decision.numbers["withdrawn"] == (
        "0 scores in the 7 days to 18 Nov are too few to say: 10 are asked for"
    )


def test_a_paused_source_whose_earlier_leads_turn_out_well_is_resumed(desk):
    """What was returned leaves the window; of the rest the news is good."""
    desk.rule(
        metric="return_rate", comparison="above", threshold=Decimal("0.3"), window_days=10, on_clear="reverse"
    )
    desk.report(desk.deliver(12, days_ago=8), outcome="returned")
    desk.report(desk.deliver(20, days_ago=1), outcome="contacted")
    desk.recompute()
    assert desk.stands()[0] == "paused"
    desk.later(days=5)
    assert rule_daily(now=desk.now) == 1
    assert desk.stands()[0] == "active"


def test_only_sources_under_rules_are_looked_at(desk, other_world, django_assert_num_queries):
    make.SourceFactory(flow=desk.flow)
    assert rule_daily(now=desk.now) == 0
    desk.rule(enabled=False)
    assert rule_daily(now=desk.now) == 0
    desk.rule()
    assert rule_daily(now=desk.now) == 2


def test_many_sources_go_in_passes(desk, monkeypatch):
    monkeypatch.setattr("feedback.daily.SOURCES_A_PASS", 2)
    desk.rule(action="alert", maturity_days=2)
    for source in (desk.source, *(make.SourceFactory(flow=desk.flow) for _ in range(4))):
        desk.report(desk.deliver(10, source=source), quality_score=1)
    desk.recompute()
    desk.later(days=1)
    assert rule_daily(now=desk.now) == 5
    assert len(desk.decisions(evaluation="day:2025-11-13")) == 5


def test_the_scheduler_knows_it():
    task = settings.CELERY_BEAT_SCHEDULE["rule-daily"]["task"]
    assert task == tasks.rule_daily.name
