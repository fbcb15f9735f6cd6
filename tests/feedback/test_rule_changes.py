"""Suggestions whose rule is switched off, deleted or changed: withdrawn in words, and never approved."""

from __future__ import annotations

import pytest
from django.contrib.admin.sites import site
from django.db import transaction

from feedback.daily import rule_daily
from flows import suggestions
from flows.admin.rules import RuleAdmin
from flows.models import Decision, Rule, Source, SuppressionEntry
from tests.admin_pages import url
from tests.feedback.test_rule_alerts import save
from tests.feedback.test_suggestions import approve, words

CAP = {"action": "step_cap", "params": {"percentage": "-20", "min": 1, "max": 500}}


@pytest.fixture
def owner(world, as_user):
    return as_user(world.owner)


@pytest.fixture
def waiting(desk):
    """A step of the cap from 100 to 80 waits for a person."""
    Source.objects.update(daily_cap=100)
    desk.rule(**CAP, mode="suggest")
    desk.hear(10, quality_score=1)
    (decision,) = desk.decisions()
    return decision


def withdrawn(decision) -> str:
    decision.refresh_from_db()
    assert (decision.status, decision.answered_by) == ("dismissed", None)
    return decision.numbers["withdrawn"]


def test_switched_off(desk, waiting, owner):
    save(owner, waiting.rule, without=["enabled"])
    assert withdrawn(waiting) == "The rule was switched off"
    assert waiting.answered_at == desk.now
    assert "Withdrawn: The rule was switched off." in words(owner.get("/decisions/"))
    page = words(owner.get(f"/decisions/{waiting.pk}/approve/"))
    assert "nothing to approve: it was withdrawn (The rule was switched off)" in page


def test_deleted(desk, waiting, owner):
    assert owner.post(url(waiting.rule, "delete"), {"post": "yes"}).status_code == 302
    assert withdrawn(waiting) == "The rule was deleted"
    assert not Rule.objects.exists()


def test_deleted_with_others(desk, waiting, rf):
    """As the admin's action for many does, which rules do not offer today."""
    other = desk.rule(**CAP, mode="suggest", name="Stays", threshold=2)
    RuleAdmin(Rule, site).delete_queryset(rf.post("/"), Rule.objects.exclude(pk=other.pk))
    assert withdrawn(waiting) == "The rule was deleted"
    assert list(Rule.objects.all()) == [other]


@pytest.mark.parametrize(
    "values",
    [
        {"threshold": "2.5"},
        {"min_count": "5"},
        {"window_days": "20"},
        {"maturity_days": "1"},
        {"evidence": "confident"},
        {"comparison": "above"},
        {"metric": "return_rate", "threshold": "10 %"},
        {"param_percentage": "-50"},
        {"action": "pause_source"},
        {"action": "pause_source", "scope": "source_buyer"},
        {"trigger": "feedback", "outcome": "returned", "action": "pause_source"},
        {"mode": "act"},
    ],
)
def test_changed_in_what_it_decides(desk, waiting, owner, values):
    save(owner, waiting.rule, **values)
    assert withdrawn(waiting) == "The rule was changed"


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"name": "New name"},
        {"position": "7"},
        {"cooldown_hours": "1"},
        {"alert": "on"},
        {"threshold": "3"},
    ],
)
def test_changed_in_what_decides_nothing(desk, waiting, owner, values):
    save(owner, waiting.rule, **values)
    waiting.refresh_from_db()
    assert waiting.status == "suggested"
    approve(owner, waiting)
    assert desk.stands()[1] == 80


def test_buyers_left_out_change_it_and_take_their_own(desk, waiting, owner):
    other = desk.other_buyer()
    pairs = desk.rule(mode="suggest", scope="source_buyer", name="Pairs")
    for buyer in (desk.buyer, other):
        desk.hear(10, buyer=buyer, quality_score=1)
    mine, others = desk.decisions(rule=pairs)
    save(owner, pairs, excluded_buyers=[other.pk])
    assert withdrawn(others) == "The rule was changed"
    mine.refresh_from_db()
    assert mine.status == "suggested"
    save(owner, waiting.rule, excluded_buyers=[other.pk])
    assert withdrawn(waiting) == "The rule was changed"


def test_a_reversal_that_the_rule_no_longer_wants(desk, owner):
    rule = desk.rule(mode="suggest", on_clear="reverse")
    rows = desk.hear(10, quality_score=1)
    approve(owner, desk.decisions()[0])
    desk.later(hours=25)
    desk.report(rows, quality_score=5)
    desk.recompute()
    save(owner, rule, name="The same")
    assert desk.decisions()[1].status == "suggested"
    save(owner, rule, on_clear="nothing")
    assert withdrawn(desk.decisions()[1]) == "The rule was changed"
    assert desk.stands()[0] == "paused"


def test_contacts_that_wait_are_withdrawn_too(desk, owner, django_assert_max_num_queries):
    desk.flow.seller.suppression_lists.create(name="Returns", slug="returns")
    on = {"trigger": "feedback", "outcome": "returned"}
    rule = desk.rule(mode="suggest", **on, action="suppress_contact", params={"list": "returns"})
    desk.hear(30, outcome="returned")
    with django_assert_max_num_queries(60):
        save(owner, rule, without=["enabled"])
    assert {withdrawn(each) for each in desk.decisions()} == {"The rule was switched off"}
    assert len(desk.decisions()) == 30
    assert not SuppressionEntry.objects.exists()


def test_switched_on_again_it_suggests_again(desk, waiting, owner):
    """Nobody has answered it, and nothing was done on these numbers."""
    save(owner, waiting.rule, without=["enabled"])
    save(owner, waiting.rule, enabled="on")
    desk.later(hours=25)
    rule_daily(now=desk.now)
    assert [each.status for each in desk.decisions()] == ["dismissed", "suggested"]


def test_a_rule_that_acts_from_now_on_does(desk, waiting, owner):
    save(owner, waiting.rule, mode="act")
    desk.later(hours=25)
    rule_daily(now=desk.now)
    assert [each.status for each in desk.decisions()] == ["dismissed", "applied"]


def test_another_rules_suggestions_stay(desk, waiting, owner):
    other = desk.rule(**CAP, mode="suggest", name="Other", threshold=2)
    save(owner, other, without=["enabled"])
    waiting.refresh_from_db()
    assert waiting.status == "suggested"


# --- Past the admin, or in a race with it: approving refuses -----------------------------------------------


@pytest.mark.parametrize(
    ("how", "why"),
    [
        (lambda rule: Rule.objects.filter(pk=rule.pk).update(enabled=False), "The rule was switched off"),
        (lambda rule: Rule.objects.filter(pk=rule.pk).delete(), "The rule was deleted"),
        (lambda rule: Rule.objects.filter(pk=rule.pk).update(threshold=1), "The rule was changed"),
    ],
)
def test_approving_says_why_not_and_withdraws_it(desk, waiting, owner, how, why):
    opened = owner.get(f"/decisions/{waiting.pk}/approve/")
    how(waiting.rule)
    page = words(owner.get(f"/decisions/{waiting.pk}/approve/"))
    assert f"There is nothing left to do. It cannot be carried out any more: {why}." in page
    seen = opened.context["seen"]
    answer = owner.post(f"/decisions/{waiting.pk}/approve/", {"seen": seen}, follow=True)
    assert f"Nothing was done: it was withdrawn ({why})." in words(answer)
    assert withdrawn(waiting) == why
    assert desk.stands()[1] == 100


def test_who_holds_an_old_copy_gets_no_further(desk, waiting, world):
    """`approve` looks at the rule as it stands, not as the caller knows it."""
    held = Decision.objects.select_related("rule").get()
    Rule.objects.update(enabled=False)
    with transaction.atomic():
        answered = suggestions.approve(held, user=world.owner)
    assert (answered.status, desk.stands()[1]) == ("dismissed", 100)
