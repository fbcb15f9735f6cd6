"""What a rule has decided on once moves it no second time: it waits for something new to be counted."""

from __future__ import annotations

from decimal import Decimal

import pytest

from feedback.daily import rule_daily
from flows import decisions
from flows.models import Bonus, Decision, Rule, Source
from flows.suggestions import why_void
from tests.admin_pages import filled, url
from tests.feedback.test_rule_alerts import save

STEP = {
    "comparison": "above",
    "threshold": Decimal("4.5"),
    "action": "step_cap",
    "params": {"percentage": 20, "min": 1, "max": 1000},
}


@pytest.fixture
def owner(world, as_user):
    return as_user(world.owner)


def days_go_by(desk, days, hours=25):
    """Beyond the cool-down each, with the look that every day brings."""
    for _ in range(days):
        desk.later(hours=hours)
        rule_daily(now=desk.now)


def statuses(desk, **which):
    return [each.status for each in desk.decisions(**which)]


def test_a_cap_is_stepped_once_on_the_same_leads(desk):
    Source.objects.update(daily_cap=100)
    desk.rule(**STEP)
    desk.hear(30, quality_score=5)
    days_go_by(desk, 7)
    assert desk.stands()[1] == 120
    desk.hear(1, quality_score=5)
    assert desk.stands()[1] == 144


def test_leads_that_leave_the_window_are_nothing_new(desk):
    """Three days of leads; each day some leave, so that the numbers are others every day."""
    Source.objects.update(daily_cap=100)
    desk.rule(**STEP, window_days=5)
    for score in (4, 5, 5):
        desk.report(desk.deliver(20), quality_score=score)
        desk.later(days=1)
    desk.recompute()
    assert desk.stands()[1] == 120
    days_go_by(desk, 3, hours=24)
    assert desk.stands()[1] == 120


def test_leads_that_mature_are_something_new(desk):
    Source.objects.update(daily_cap=100)
    desk.rule(
        metric="conversion_rate", comparison="below", threshold=Decimal("0.05"), maturity_days=3,
        action="step_cap", params={"percentage": -20, "min": 1, "max": 1000}, cooldown_hours=24,
    )  # fmt: skip
    desk.deliver(10, days_ago=3)
    desk.deliver(10, days_ago=1)
    desk.recompute()
    assert desk.stands()[1] == 80
    days_go_by(desk, 1)
    assert desk.stands()[1] == 80
    days_go_by(desk, 1)
    assert desk.stands()[1] == 64
    days_go_by(desk, 3)
    assert desk.stands()[1] == 64


def test_what_says_nothing_of_the_metric_is_nothing_new(desk):
    """Leads without a score, and word on scored leads that leaves their scores: the cells are others, not
    what is counted in them."""
    Source.objects.update(daily_cap=100)
    desk.rule(**STEP)
    rows = desk.hear(20, quality_score=5)
    desk.later(hours=25)
    desk.report(rows, outcome="contacted", notes="Called")
    desk.report(desk.deliver(5), outcome="converted")
    desk.recompute()
    assert desk.stands()[1] == 120
    desk.report(rows[:1], quality_score=4)
    desk.recompute()
    assert desk.stands()[1] == 144


def test_a_certain_bonus_is_granted_once_for_the_same_leads(desk):
    desk.rule(
        comparison="above", threshold=Decimal("3.0"), evidence="confident",
        action="bonus", params={"amount": "50"},
    )  # fmt: skip
    desk.hear(40, quality_score=5)
    days_go_by(desk, 4)
    assert Bonus.objects.count() == 1
    desk.hear(1, quality_score=5)
    assert Bonus.objects.count() == 2


def test_who_undid_a_pause_is_not_contradicted_on_the_same_numbers(desk, owner):
    desk.rule()
    desk.hear(10, quality_score=1)
    (decision,) = desk.decisions()
    owner.post(f"/decisions/{decision.pk}/undo/")
    days_go_by(desk, 5)
    assert statuses(desk) == ["undone"]
    assert desk.stands()[0] == "active"
    desk.hear(1, quality_score=1)
    assert statuses(desk) == ["undone", "applied"]


def test_what_was_dismissed_is_not_suggested_again_on_the_same_numbers(desk, owner):
    desk.rule(mode="suggest")
    desk.hear(10, quality_score=1)
    (decision,) = desk.decisions()
    owner.post(f"/decisions/{decision.pk}/dismiss/")
    days_go_by(desk, 3)
    assert statuses(desk) == ["dismissed"]
    desk.hear(1, quality_score=1)
    assert statuses(desk) == ["dismissed", "suggested"]


def test_what_came_while_a_suggestion_waited_is_new(desk, owner):
    """Nothing has been decided on it yet."""
    Source.objects.update(daily_cap=100)
    desk.rule(**STEP, mode="suggest")
    desk.hear(10, quality_score=5)
    desk.hear(5, quality_score=5)
    (decision,) = desk.decisions()
    owner.post(f"/decisions/{decision.pk}/approve/")
    days_go_by(desk, 2)
    assert statuses(desk) == ["applied", "suggested"]


def test_what_lapsed_may_be_suggested_again(desk):
    desk.rule(mode="suggest", window_days=4)
    bad = desk.hear(10, quality_score=1)
    desk.report(bad, quality_score=4)
    desk.recompute()
    assert statuses(desk) == ["dismissed"]
    desk.later(hours=25)
    desk.report(bad, quality_score=1)
    desk.recompute()
    assert statuses(desk) == ["dismissed", "suggested"]


@pytest.mark.parametrize(
    "columns",
    [
        {"threshold": Decimal("3.5")},
        {"min_count": 5},
        {"window_days": 20},
        {"params": {"percentage": -50, "min": 1, "max": 1000}},
    ],
)
def test_a_rule_that_was_changed_may_decide_anew(desk, columns):
    Source.objects.update(daily_cap=100)
    rule = desk.rule(action="step_cap", params={"percentage": -20, "min": 1, "max": 1000})
    desk.hear(10, quality_score=1)
    days_go_by(desk, 2)
    Rule.objects.filter(pk=rule.pk).update(**columns)
    days_go_by(desk, 2)
    assert len(desk.decisions()) == 2


def test_a_name_or_a_cool_down_is_no_other_rule(desk):
    Source.objects.update(daily_cap=100)
    desk.rule(action="step_cap", params={"percentage": -20, "min": 1, "max": 1000})
    desk.hear(10, quality_score=1)
    Rule.objects.update(name="Another name", cooldown_hours=1, alert=True, position=7)
    days_go_by(desk, 2)
    assert len(desk.decisions()) == 1


def test_buyers_left_out_make_another_rule(desk):
    other = desk.other_buyer()
    rule = desk.rule(action="bonus", params={"amount": "5"})
    desk.report(desk.deliver(3, buyer=other), quality_score=1)
    desk.hear(10, quality_score=1)
    rule.excluded_buyers.add(other)
    days_go_by(desk, 2)
    assert [each.numbers["count"] for each in desk.decisions()] == [13, 10]


def test_each_pair_has_news_of_its_own(desk):
    other = desk.other_buyer()
    desk.rule(scope="source_buyer", action="pause_source", mode="suggest")
    for buyer in (desk.buyer, other):
        desk.hear(10, buyer=buyer, quality_score=1)
    Decision.objects.update(status="dismissed")
    desk.later(hours=25)
    desk.hear(1, buyer=other, quality_score=1)
    assert [each.buyer for each in desk.decisions(status="suggested")] == [other]


def test_each_lead_that_comes_back_is_new(desk):
    """A rule on each feedback: the same lead moves it once, another one again."""
    Source.objects.update(daily_cap=100)
    desk.rule(
        trigger="feedback", outcome="returned", action="step_cap",
        params={"percentage": -20, "min": 1, "max": 1000}, cooldown_hours=1,
    )  # fmt: skip
    first, second = desk.deliver(2)
    for row, cap in ((first, 80), (first, 80), (second, 64)):
        desk.report([row], outcome="returned", notes=f"{desk.now}")
        desk.recompute()
        assert desk.stands()[1] == cap
        desk.later(hours=2)


def test_what_cleared_and_came_again_may_be_decided_again(desk):
    desk.rule(on_clear="reverse")
    rows = desk.hear(10, quality_score=1)
    for score in (4, 1, 4, 1):
        desk.later(hours=25)
        desk.report(rows, quality_score=score)
        desk.recompute()
    actions = [each.action for each in desk.decisions()]
    assert actions == ["pause_source", "resume_source", "pause_source", "resume_source", "pause_source"]


def test_a_step_is_taken_back_for_each_piece_of_news(desk):
    Source.objects.update(daily_cap=100)
    desk.rule(**STEP, on_clear="reverse")
    rows = desk.hear(20, quality_score=5)
    desk.later(hours=25)
    desk.hear(1, quality_score=5)
    assert desk.stands()[1] == 144
    desk.later(hours=25)
    desk.report(rows, quality_score=3)
    desk.recompute()
    days_go_by(desk, 3)
    assert desk.stands()[1] == 120
    desk.hear(1, quality_score=3)
    assert desk.stands()[1] == 100


def test_who_undid_a_reversal_is_not_contradicted_by_the_next_one(desk, owner):
    Source.objects.update(daily_cap=100)
    desk.rule(**STEP, on_clear="reverse")
    rows = desk.hear(20, quality_score=5)
    desk.later(hours=25)
    desk.hear(1, quality_score=5)
    desk.later(hours=25)
    desk.report(rows, quality_score=3)
    desk.recompute()
    owner.post(f"/decisions/{desk.decisions()[-1].pk}/undo/")
    days_go_by(desk, 3)
    assert desk.stands()[1] == 144


def test_decisions_of_old_know_only_their_sums(desk):
    """Before it was kept by day what a decision was taken on."""
    Source.objects.update(daily_cap=100)
    desk.rule(**STEP)
    desk.hear(20, quality_score=5)
    (decision,) = desk.decisions()
    del decision.numbers["days"]
    decision.save()
    days_go_by(desk, 2)
    assert desk.stands()[1] == 120
    desk.hear(1, quality_score=5)
    assert desk.stands()[1] == 144


def test_the_page_that_dismisses_says_so(desk, owner):
    desk.rule(mode="suggest")
    desk.hear(10, quality_score=1)
    page = owner.get(f"/decisions/{desk.decisions()[0].pk}/dismiss/").text
    assert "something new has been counted" in " ".join(page.split())


def test_saving_the_rules_page_unchanged_frees_nothing(desk, owner):
    Source.objects.update(daily_cap=100)
    rule = desk.rule(action="step_cap", params={"percentage": "-20", "min": 1, "max": 1000})
    desk.hear(10, quality_score=1)
    address = url(rule, "change")
    assert owner.post(address, filled(owner, address)).status_code == 302
    days_go_by(desk, 2)
    assert len(desk.decisions()) == 1


def test_a_rule_that_is_called_otherwise_has_decided_all_the_same(desk, owner):
    """The form writes 20 as "20": the same step."""
    Source.objects.update(daily_cap=100)
    rule = desk.rule(**STEP)
    desk.hear(30, quality_score=5)
    days_go_by(desk, 3)
    assert desk.stands()[1] == 120
    save(owner, rule, name="Another name")
    days_go_by(desk, 3)
    assert desk.stands()[1] == 120


def test_a_new_name_withdraws_no_suggestion(desk, owner):
    Source.objects.update(daily_cap=100)
    rule = desk.rule(**STEP, mode="suggest")
    desk.hear(30, quality_score=5)
    save(owner, rule, name="Another name")
    assert [(each.status, each.numbers.get("withdrawn")) for each in desk.decisions()] == [
        ("suggested", None)
    ]


def test_a_buyer_who_is_left_out_may_be_called_otherwise(desk):
    Source.objects.update(daily_cap=100)
    second = desk.other_buyer("Second")
    desk.rule(**STEP, excluded=[second])
    desk.hear(30, quality_score=5)
    days_go_by(desk, 3)
    second.name = "Zweiter"
    second.save()
    days_go_by(desk, 3)
    assert desk.stands()[1] == 120


def test_a_buyer_called_otherwise_voids_no_suggestion(desk):
    second = desk.other_buyer("Second")
    desk.rule(mode="suggest", excluded=[second])
    desk.hear(10, quality_score=1)
    second.name = "Zweiter"
    second.save()
    (decision,) = desk.decisions()
    assert why_void(Decision.objects.get(pk=decision.pk)) == ""


def test_what_no_longer_counts_within_the_window_is_news(desk, world):
    """The good day's scores are cleared: the number is worse than the one that a person undid a pause on."""
    desk.rule(min_count=5)
    good = desk.deliver(5, days_ago=3)
    desk.report(good, quality_score=4)
    desk.report(desk.deliver(10, days_ago=1), quality_score=1)
    desk.recompute()
    (decision,) = desk.decisions()
    decisions.undo(decision, user=world.owner)
    desk.later(hours=30)
    desk.report(good, quality_score=None)
    desk.recompute()
    assert statuses(desk) == ["undone", "applied"]
