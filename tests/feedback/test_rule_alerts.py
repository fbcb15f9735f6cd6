"""What rules tell: a state once while it lasts and once that it is over, a deed once, a fault until it is
mended."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from feedback.daily import rule_daily
from flows.models import Alert, OutboxMessage, Rule, SuppressionList
from tests import factories as make
from tests.admin_pages import filled, url

TELL = {"action": "alert", "params": {"message": "look", "level": "bad"}}


@pytest.fixture
def owner(world, as_user):
    return as_user(world.owner)


def titles() -> list[str]:
    return list(Alert.objects.order_by("pk").values_list("title", flat=True))


def told(desk) -> Alert:
    return Alert.objects.get(condition__gt="", source=desk.source)


def say(desk, rows, score):
    desk.report(rows, quality_score=score)
    desk.recompute()


@pytest.fixture
def low(desk):
    """Ten leads of poor quality, and an alert that says so; the cool-down is over."""
    desk.rule(**TELL)
    rows = desk.hear(10, quality_score=1)
    desk.later(hours=25)
    return rows


# --- A state ---------------------------------------------------------------------------------------------


def test_it_is_told_once_however_much_more_comes_in(desk, low):
    for _ in range(3):
        desk.hear(5, quality_score=1)
        desk.later(hours=25)
        rule_daily(now=desk.now)
    assert titles() == [f"{desk.source}: look"]
    assert len(desk.decisions()) == 1
    assert told(desk).lasts


def test_its_end_is_told_with_the_numbers(desk, low):
    say(desk, low, 5)
    assert titles() == [f"{desk.source}: look", f"Resolved: {desk.source}: look"]
    assert (told(desk).resolved_at, told(desk).lasts) == (desk.now, False)
    assert told(desk).resolution.body == (
        "Average quality 5.0 (95 %: 5.0–5.0) on 10 scores in the 30 days to 13 Nov is above 3.0 again, "
        "by 10 % of that or more."
    )
    mails = OutboxMessage.objects.filter(kind="email").order_by("pk")
    assert [each.payload["subject"] for each in mails] == titles()


def test_a_number_near_the_threshold_is_not_over_yet(desk, low):
    say(desk, low, 3)
    assert told(desk).lasts
    say(desk, low, 1)
    assert len(titles()) == 1


def test_when_too_little_is_left_to_say_so_it_is_over(desk, low):
    for row in low[:3]:
        desk.report([row], quality_score=None)
    desk.recompute()
    assert (
        told(desk).resolution.body
        == "7 scores in the 30 days to 13 Nov are too few to say: 10 are asked for."
    )


def test_leads_that_leave_the_window_end_it(desk):
    desk.rule(**TELL, window_days=3)
    desk.hear(10, quality_score=1)
    desk.later(days=3)
    rule_daily(now=desk.now)
    assert not told(desk).lasts


def test_certainty_stands_into_a_new_period(desk):
    desk.rule(**TELL, evidence="confident", window_days=7)
    desk.hear(25, quality_score=1)
    for days in (7, 1):
        desk.later(days=days)
        desk.hear(4, quality_score=1)
        assert told(desk).lasts
    desk.hear(40, quality_score=5)
    assert not told(desk).lasts


def test_what_came_back_is_told_again_after_the_cool_down(desk, low):
    say(desk, low, 5)
    say(desk, low, 1)
    assert titles()[2:] == [f"{desk.source}: look"]


def test_it_may_come_back_without_anything_new(desk):
    """Good leads leave the window: what was over holds again, on leads that were all known then."""
    desk.rule(**TELL, window_days=6, cooldown_hours=1)
    desk.report(desk.deliver(10, days_ago=1), quality_score=1)
    desk.recompute()
    desk.report(desk.deliver(40, days_ago=2), quality_score=5)
    desk.recompute()
    assert titles()[1:] == [f"Resolved: {desk.source}: look"]
    desk.later(days=4)
    rule_daily(now=desk.now)
    assert titles()[2:] == [f"{desk.source}: look"]


def test_each_pair_is_told_and_ends_by_itself(desk):
    other = desk.other_buyer("Grumbler")
    desk.rule(**TELL, scope="source_buyer", window_days=3)
    rows = desk.hear(10, quality_score=1)
    desk.hear(10, buyer=other, quality_score=1)
    assert len(titles()) == 2
    say(desk, rows, 5)
    assert titles()[2:] == [f"Resolved: {desk.source} with {desk.buyer}: look"]
    desk.later(days=4)  # nothing of the other one is left on the days that count
    rule_daily(now=desk.now)
    assert titles()[3:] == [f"Resolved: {desk.source} with Grumbler: look"]


def test_a_lead_that_comes_back_is_told_each_time(desk):
    """It is no state: nothing ends it."""
    desk.rule(**TELL, trigger="feedback", outcome="returned", cooldown_hours=1)
    for _ in range(2):
        desk.hear(1, outcome="returned")
        desk.later(hours=2)
    assert titles() == [f"{desk.source}: look"] * 2
    assert not Alert.objects.exclude(condition="").exists()


def test_a_deed_is_told_once_each_and_lasts_not(desk):
    desk.rule(alert=True, on_clear="reverse")
    rows = desk.hear(10, quality_score=1)
    desk.later(hours=25)
    say(desk, rows, 5)
    assert titles() == [f"{desk.source} paused", f"{desk.source} resumed"]
    assert not Alert.objects.exclude(condition="").exists()


# --- When the rule is changed ------------------------------------------------------------------------------


def save(owner, rule, *, without=(), **values):
    address = url(rule, "change")
    form = {**filled(owner, address), **values}
    answer = owner.post(address, {name: value for name, value in form.items() if name not in without})
    assert answer.status_code == 302, answer.context["adminform"].form.errors


def test_switching_the_rule_off_ends_it(desk, low, owner):
    save(owner, Rule.objects.get(), without=["enabled"])
    assert told(desk).resolution.body == "The rule was switched off."
    assert not told(desk).lasts


def test_switched_on_again_it_tells_again(desk, low, owner):
    rule = Rule.objects.get()
    save(owner, rule, without=["enabled"])
    save(owner, rule, enabled="on")
    desk.later(hours=1)
    rule_daily(now=desk.now)
    assert titles()[2:] == [f"{desk.source}: look"]


def test_deleting_the_rule_ends_it(desk, low, owner):
    assert owner.post(url(Rule.objects.get(), "delete"), {"post": "yes"}).status_code == 302
    assert not Rule.objects.exists()
    assert told(desk).resolution.body == "The rule was deleted."


def test_another_threshold_ends_it_at_the_next_look_if_it_no_longer_holds(desk, low, owner):
    rule = Rule.objects.get()
    say(desk, low, 2)
    save(owner, rule, threshold="2.5")
    rule_daily(now=desk.now)
    assert told(desk).lasts
    save(owner, rule, threshold="1.5")
    assert told(desk).lasts
    rule_daily(now=desk.now)
    assert "is above 1.5 again" in told(desk).resolution.body


@pytest.mark.parametrize(
    "values",
    [{"action": "pause_source"}, {"scope": "source_buyer"}, {"trigger": "feedback", "outcome": "returned"}],
)
def test_a_rule_that_no_longer_tells_of_it_ends_it(desk, low, owner, values):
    save(owner, Rule.objects.get(), **values)
    assert told(desk).resolution.body == "The rule was changed."


def test_a_buyer_who_is_left_out_ends_theirs(desk, owner):
    other = desk.other_buyer()
    rule = desk.rule(**TELL, scope="source_buyer")
    for buyer in (desk.buyer, other):
        desk.hear(10, buyer=buyer, quality_score=1)
    save(owner, rule, excluded_buyers=[other.pk])
    lasting = Alert.objects.filter(resolved_at=None).exclude(condition="")
    assert [each.decision.buyer for each in lasting] == [desk.buyer]


def test_saving_it_unchanged_ends_nothing(desk, low, owner):
    save(owner, Rule.objects.get(), name="Another name")
    assert told(desk).lasts
    assert len(titles()) == 1


# --- A rule that fails -----------------------------------------------------------------------------------


@pytest.fixture
def failing(desk):
    """A rule somebody broke past the form."""
    rule = desk.rule(name="Broken")
    Rule.objects.filter(pk=rule.pk).update(metric="luck")
    desk.hear(1, quality_score=1)
    desk.later(hours=1)
    desk.hear(1, quality_score=1)
    return Rule.objects.get(pk=rule.pk)


FAILS = "The rule “Broken” cannot be carried out"


def test_that_it_fails_is_told_while_it_does(desk, failing):
    assert titles() == [FAILS]
    assert Alert.objects.get().lasts
    Rule.objects.filter(pk=failing.pk).update(metric="coverage", threshold=Decimal(0))
    desk.hear(1, quality_score=1)
    assert titles() == [FAILS, f"Resolved: {FAILS}"]
    assert Alert.objects.first().body == "It is carried out again."


def test_a_rule_that_was_switched_off_fails_no_more(desk, failing, owner):
    save(owner, failing, without=["enabled"], metric="coverage", threshold="10 %")
    assert titles() == [FAILS, f"Resolved: {FAILS}"]
    Rule.objects.update(enabled=True, metric="luck")
    desk.hear(1, quality_score=1)
    assert titles()[2:] == [FAILS]


def test_a_rule_that_is_gone_fails_no_more(desk, failing, owner):
    owner.post(url(failing, "delete"), {"post": "yes"})
    assert Alert.objects.first().body == "The rule was deleted."


# --- Cost ------------------------------------------------------------------------------------------------


def test_queries_do_not_grow_with_what_is_told_and_ended(desk):
    desk.rule(**TELL)

    def statements(sources, score) -> int:
        for source in sources:
            desk.report(rows[source], quality_score=score)
        with CaptureQueriesContext(connection) as caught:
            desk.recompute()
        return len(caught)

    many = [make.SourceFactory(flow=desk.flow) for _ in range(5)]
    rows = {source: desk.deliver(10, source=source) for source in (desk.source, *many)}
    assert statements([desk.source], 1) == statements(many, 1)
    assert len(titles()) == 6
    assert statements([desk.source], 5) == statements(many, 5)
    assert len(titles()) == 12


def test_a_rule_that_fails_is_told_once_though_it_has_nothing_to_do_in_between(desk):
    """Its list is not there: that stands, whatever the next lead brings."""
    desk.rule(
        trigger="feedback",
        outcome="returned",
        metric="",
        comparison="",
        threshold=None,
        action="suppress_contact",
        params={"list": "gone"},
    )
    for _ in range(3):
        desk.hear(1, outcome="returned")
        desk.later(minutes=5)
        desk.hear(1, outcome="contacted")
        desk.later(minutes=5)
    (failing,) = Alert.objects.all()
    assert failing.lasts
    SuppressionList.objects.create(seller=desk.flow.seller, slug="gone", name="Gone")
    desk.hear(1, outcome="contacted")
    failing.refresh_from_db()
    assert failing.resolution.body == "It is carried out again."


def test_a_saved_rule_keeps_for_how_long_it_suppresses(desk, owner):
    SuppressionList.objects.create(seller=desk.flow.seller, slug="mine", name="Mine")
    rule = desk.rule(
        trigger="feedback",
        outcome="returned",
        metric="",
        comparison="",
        threshold=None,
        action="suppress_contact",
        params={"list": "mine", "expires_days": 30},
    )
    save(owner, rule, name="Another name")
    rule.refresh_from_db()
    assert rule.params == {"list": "mine", "expires_days": 30}
    save(owner, rule, param_expires_days="")
    rule.refresh_from_db()
    assert rule.params == {"list": "mine"}
