"""Trying a rule on history: what was known on each day, what would have fired, what it would have meant."""

from __future__ import annotations

import datetime as dt
import json
import zoneinfo
from collections import Counter
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from feedback import backtest_views
from feedback.backtest import TooMuch, backtest
from feedback.backtest.ledger import Ledger, Sold
from feedback.backtest.past import load
from feedback.cells import cells_stored
from feedback.daily import rule_daily
from feedback.intake import intake
from feedback.models import ChangeSet, Door, Feedback, SourceDay
from feedback.retract import take_back
from feedback.submission import Origin, Submission
from flows.models import Decision, Delivery, Rule, Source
from portal.access import Actor
from tests import factories as make

BONUS = {"action": "bonus", "params": {"amount": "5"}}  # something that can be done every day


def fired(result):
    return [(firing.day.day, firing.source, firing.buyer, firing.reverses) for firing in result.firings]


def days(result):
    return [firing.day.day for firing in result.firings]


def tried(desk, rule, days=30, **more):
    """Tried now, while it is off: nothing may have been changed by it."""
    Rule.objects.update(enabled=False)
    rule.refresh_from_db()
    before = list(Source.objects.order_by("pk").values())
    result = backtest(rule, days=days, now=desk.now, **more)
    assert list(Source.objects.order_by("pk").values()) == before
    assert not Decision.objects.exists()
    return result


def off(desk, **columns):
    return desk.rule(enabled=False, **columns)


def retract_all(desk):
    """Take everything back that stands, as undoing an upload does."""
    for recorded in ChangeSet.objects.order_by("pk"):
        if Feedback.objects.filter(change_set=recorded, retracts=None).exists():
            under = ChangeSet.objects.create(door=Door.PORTAL, flow=desk.flow, buyer=recorded.buyer)
            with transaction.atomic():
                take_back(recorded, under)


def test_feedback_is_not_known_before_it_came(desk):
    rule = off(desk)
    rows = desk.deliver(10)  # on the 11th
    desk.later(days=4)
    desk.report(rows, quality_score=1, feedback_timestamp="2025-11-12T18:00:00Z")
    result = tried(desk, rule)
    assert days(result) == [16]
    assert result.firings[0].why.startswith("Average quality 1.0")
    assert result.firings[0].headline == f"{desk.source} paused"


def test_it_does_not_fire_before_there_is_enough(desk):
    rule = off(desk)
    for _ in range(3):
        desk.hear(4, quality_score=1)
        desk.later(days=1)
    assert days(tried(desk, rule)) == [14]  # 12 scores; the days before 4 and 8


def test_only_the_last_days_are_lived_through_but_earlier_leads_count(desk):
    rule = off(desk, **BONUS, cooldown_hours=24)
    desk.hear(10, quality_score=1)
    for _ in range(5):
        desk.later(days=1)
        desk.hear(1, quality_score=1)
    assert days(tried(desk, rule, days=3)) == [15, 16]  # today's look, at noon, is within the cool-down


def test_the_cool_down_holds(desk):
    rule = off(desk, **BONUS, cooldown_hours=72)
    desk.hear(10, quality_score=1)
    for _ in range(7):
        desk.later(days=1)
        desk.hear(1, quality_score=1)
    assert days(tried(desk, rule)) == [12, 15, 18]  # not on the 19th


def test_the_same_leads_move_it_once(desk):
    """Also those of them that are left in the window; what comes in or matures is new."""
    rule = off(desk, **BONUS, window_days=4, maturity_days=1)
    for _ in range(2):
        desk.hear(10, quality_score=1)
        desk.later(days=1)
    desk.later(days=3)
    assert days(tried(desk, rule)) == [12, 13]


def test_an_alert_is_one_as_long_as_its_condition_lasts(desk):
    rule = off(desk, action="alert", cooldown_hours=0)
    rows = desk.hear(10, quality_score=1)
    for score in (1, 3, 1, 4, 1):  # 3.0 is no longer below, but not yet clear of it
        desk.later(days=1)
        desk.report(rows, quality_score=score)
        desk.hear(1, quality_score=score)
    assert days(tried(desk, rule)) == [12, 17]


def test_what_was_taken_back_counts_until_then(desk):
    rule = off(desk, **BONUS)
    desk.hear(10, quality_score=1)
    desk.later(days=1)
    desk.hear(1, quality_score=1)
    desk.later(days=1)
    retract_all(desk)
    desk.hear(1, quality_score=1)
    desk.later(days=1)
    assert days(tried(desk, rule)) == [12, 13]


def test_maturity_is_that_of_the_day(desk):
    rule = off(desk, metric="conversion_rate", threshold=Decimal("0.05"), maturity_days=14)
    desk.hear(20, outcome="not_interested")
    desk.later(days=20)
    assert days(tried(desk, rule)) == [25]  # delivered on the 11th, mature on the 25th


def test_each_source_with_each_buyer(desk):
    other = desk.other_buyer("Grumpy")
    rule = off(desk, scope="source_buyer")
    desk.hear(10, quality_score=5)
    desk.hear(10, buyer=other, quality_score=1)
    desk.later(days=1)
    desk.deliver(3, days_ago=0.1)
    desk.deliver(2, buyer=other, days_ago=0.1)
    result = tried(desk, rule)
    assert fired(result) == [(12, desk.source.name, "Grumpy", False)]
    assert result.effect.leads == 2


def test_buyers_can_be_left_out(desk):
    other = desk.other_buyer()
    rule = off(desk, excluded=[other])
    desk.hear(10, buyer=other, quality_score=1)
    assert not tried(desk, rule).firings
    rule.excluded_buyers.clear()
    assert tried(desk, rule).firings


def test_a_pause_keeps_later_leads_out(desk):
    rule = off(desk)
    desk.hear(10, quality_score=1)
    desk.later(days=2)
    sold, *others = desk.deliver(4, days_ago=0.5)
    desk.report([sold], outcome="converted", revenue="1500.00")
    desk.report(others[:1], outcome="not_interested")
    effect = tried(desk, rule).effect
    assert (effect.leads, effect.cost) == (4, Decimal("80.00"))
    assert (effect.converted, effect.revenue, effect.pending) == (1, Decimal("1500.00"), 2)


def test_leads_kept_out_count_no_more_in_the_rules_numbers(desk):
    """They would not have been there, so nobody would have said anything of them."""
    rule = off(desk, on_clear="reverse")
    desk.hear(10, quality_score=1)
    desk.later(days=2)
    desk.hear(40, quality_score=5)
    desk.later(days=1)
    assert fired(tried(desk, rule)) == [(12, desk.source.name, "", False)]


def test_a_pause_is_reversed_once_the_condition_clears(desk):
    rule = off(desk, on_clear="reverse")
    bad = desk.hear(10, quality_score=1)
    desk.later(days=2)
    desk.deliver(3, days_ago=0.5)
    desk.report(bad, quality_score=5)
    desk.later(days=1)
    desk.deliver(2, days_ago=0.1)
    result = tried(desk, rule)
    assert fired(result) == [(12, desk.source.name, "", False), (14, desk.source.name, "", True)]
    assert result.firings[1].headline == f"{desk.source} resumed"
    assert result.effect.leads == 3


def test_a_lower_cap_keeps_out_what_is_above_it(desk):
    Source.objects.update(daily_cap=10)
    rule = off(desk, action="step_cap", params={"percentage": -20, "min": 5, "max": 100}, cooldown_hours=999)
    desk.hear(10, quality_score=1)
    desk.later(days=1)
    desk.deliver(10, days_ago=0.1)
    result = tried(desk, rule)
    assert result.firings[0].headline == f"{desk.source}: cap 10 → 8"
    assert result.effect.leads == 2


def test_a_source_without_a_cap_leaves_nothing_to_change(desk):
    rule = off(desk, action="step_cap", params={"percentage": -20, "min": 5, "max": 100})
    desk.hear(10, quality_score=1)
    result = tried(desk, rule)
    assert not result.firings
    assert result.idle == {desk.source.name: 1}


def test_another_price_is_that_of_the_leads_to_come(desk):
    rule = off(desk, action="set_price_adjustment", params={"value": "0.8"})
    desk.hear(10, quality_score=1)
    desk.later(days=1)
    desk.deliver(5, days_ago=0.1)
    effect = tried(desk, rule).effect
    assert (effect.repriced, effect.price_change) == (5, Decimal(-20))


def test_a_contact_that_came_back_is_not_bought_again(desk):
    make_list(desk)
    rule = off(
        desk, trigger="feedback", outcome="returned", action="suppress_contact", params={"list": "returns"}
    )
    row = desk.deliver(1)[0]
    desk.report([row], outcome="returned")
    desk.later(days=1)
    desk.report([row], outcome="returned", notes="Again")  # fires once a lead
    make.DeliveryFactory(
        lead__source=desk.source, lead__email=row.lead.email, buyer=desk.buyer, delivered_at=desk.now
    )
    result = tried(desk, rule)
    assert [firing.lead for firing in result.firings] == [row.public_id]
    assert result.effect.leads == 1


def make_list(desk):
    return desk.flow.seller.suppression_lists.create(name="Returns", slug="returns")


def test_what_stood_on_the_list_before_is_not_put_there(desk):
    listed = make_list(desk)
    rule = off(
        desk, trigger="feedback", outcome="returned", action="suppress_contact", params={"list": "returns"}
    )
    row = desk.deliver(1)[0]
    for kind, value in (("email", row.lead.email_normalised), ("phone", row.lead.phone_e164)):
        listed.entries.create(kind=kind, value=value, added_at=desk.now - dt.timedelta(days=300))
    desk.report([row], outcome="returned")
    assert not tried(desk, rule).firings


def test_a_source_is_listed_and_taken_off_again(desk):
    make_list(desk)
    rule = off(desk, action="suppress_source", params={"list": "returns"}, on_clear="reverse")
    bad = desk.hear(10, quality_score=1)
    desk.later(days=2)
    desk.deliver(3, days_ago=0.5)
    desk.report(bad, quality_score=5)
    desk.later(days=2)
    desk.deliver(1, days_ago=0.1)
    result = tried(desk, rule)
    assert [firing.headline for firing in result.firings] == [
        f"{desk.source} put on “Returns”",
        f"{desk.source} taken off “Returns”",
    ]
    assert result.effect.leads == 3


def test_a_rule_resumes_what_a_rule_had_paused(desk):
    pause = desk.rule()
    desk.hear(10, quality_score=1)
    resume = off(desk, action="resume_source", comparison="below", threshold=Decimal(4))
    desk.later(days=2)
    result = backtest(resume, days=30, now=desk.now)
    assert [firing.headline for firing in result.firings] == [f"{desk.source} resumed"]
    assert result.real == 0
    Decision.objects.filter(rule=pause).delete()
    assert not backtest(resume, days=30, now=desk.now).firings


def test_the_price_that_rules_had_set_then_is_what_it_is_compared_with(desk):
    """A rule that was on changes nothing against what really happened."""
    rule = desk.rule(action="set_price_adjustment", params={"value": "0.8"})
    desk.hear(10, quality_score=1)
    desk.later(days=1)
    desk.deliver(5, days_ago=0.1)
    result = backtest(rule, days=30, now=desk.now)
    assert result.firings[0].headline == f"{desk.source}: price × 1.00 → × 0.80"
    assert (result.effect.repriced, result.effect.price_change) == (5, 0)


def test_bonuses_are_summed(desk):
    columns = {"trigger": "feedback", "outcome": "converted", "action": "bonus", "params": {"amount": "5"}}
    rule = off(desk, **columns)
    desk.hear(3, outcome="converted")
    result = tried(desk, rule)
    assert len(result.firings) == 3
    assert result.effect.bonus == Decimal(15)


def test_where_it_came_nearest(desk):
    rule = off(desk)
    desk.hear(20, quality_score=3)
    desk.later(days=1)
    desk.hear(20, quality_score=5)
    near = tried(desk, rule).nearest
    assert (near.day.day, near.source, near.numbers["value"], near.enough) == (
        12,
        desk.source.name,
        3.0,
        True,
    )


def test_too_much_is_said_before_it_is_read(desk):
    rule = off(desk)
    desk.deliver(3)
    with pytest.raises(TooMuch) as much:
        tried(desk, rule, most=2)
    assert much.value.count == 3


# A day of a random history: new leads, what is said of which of them, what is taken back.
SAID = st.fixed_dictionaries(
    {"quality_score": st.integers(1, 5)},
    optional={
        "outcome": st.sampled_from(["converted", "returned", "bad_info", "contacted"]),
        "revenue": st.sampled_from(["10.50", "1999.99", "0"]),
        "converted": st.booleans(),
    },
)
DAY = st.tuples(
    st.integers(1, 4),
    st.booleans(),
    st.lists(st.tuples(st.integers(0, 30), SAID), max_size=6),
    st.sampled_from([True, False, False]),
)


def say(desk, row, values):
    """Past the door of HTTP, which keeps its answers for good and so cannot be rolled back."""
    actor = Actor("buyer", row.buyer_id, flow_ids=None)
    (receipt,) = intake(
        desk.flow, [Submission(0, {"lead_id": row.public_id, **values})], Origin(actor, Door.PORTAL)
    )
    assert receipt.status != "rejected", receipt.problem


def live_through(desk, history, buyers):
    """Each day until just before its end in New York; → the stored cells as they were then, by moment."""
    seen, rows = {}, []
    desk.later(hours=11, minutes=59)
    for count, second, reports, undo in history:
        if count:
            rows += desk.deliver(count, buyer=buyers[second], days_ago=0.5)
        for which, values in reports if rows else ():
            say(desk, rows[which % len(rows)], values)
        if undo:
            retract_all(desk)
        desk.recompute()
        rule_daily(now=desk.now)
        seen[desk.now] = dict(cells_stored(SourceDay.objects.all()))
        desk.later(days=1)
    desk.later(days=-1)
    return seen


class Rollback(Exception):  # noqa: N818
    """The example is over."""


# What the rule does in it: something that can be done again and again, or taken back, or that lasts.
ROOM = {"percentage": 20, "min": 1, "max": 1_000_000}
RULES = [
    {"action": "alert"},
    {"action": "alert", "scope": "source_buyer", "window_days": 3},
    {"action": "bonus", "params": {"amount": "5"}, "window_days": 3},
    {"action": "step_cap", "params": ROOM, "on_clear": "reverse", "cooldown_hours": 0},
    {"action": "step_cap", "params": ROOM, "maturity_days": 1, "window_days": 4, "on_clear": "reverse"},
]


def compare(desk, history, columns):
    """Let the history happen under a rule that is on: what the replay knows at the end of any day are the
    cells that were stored then, and it finds just what was decided; → by whether that takes something back,
    how often."""
    Source.objects.update(daily_cap=1000)
    rule = desk.rule(**{"min_count": 1, "threshold": Decimal("3.5"), "cooldown_hours": 30, **columns})
    seen = live_through(desk, history, [desk.buyer, desk.other_buyer()])
    for moment, stored in seen.items():
        ledger = Ledger()
        for item in load(rule, 30, moment, None).items:
            (ledger.deliver if isinstance(item, Sold) else ledger.hear)(item)
        found = ledger.cells()
        assert found.keys() == stored.keys()
        assert all(found[key].agrees(stored[key]) for key in stored)
    zone, live = zoneinfo.ZoneInfo(desk.flow.timezone), Decision.objects.select_related("buyer")
    really = Counter(
        (each.decided_at.astimezone(zone).date(), each.buyer and each.buyer.name, bool(each.reverses_id))
        for each in live
    )
    replayed = backtest(rule, days=30, now=desk.now)
    assert Counter((each.day, each.buyer or None, each.reverses) for each in replayed.firings) == really
    assert replayed.real == len(live)
    return Counter(taken_back for _, _, taken_back in really.elements())


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(DAY, min_size=4, max_size=8), columns=st.sampled_from(RULES))
def test_every_day_is_lived_as_it_was(desk, history, columns):
    start = desk.now
    try:
        with transaction.atomic():
            times = compare(desk, history, columns)
            event(f"{columns['action']}: {min(times.total(), 3)} firings or more")
            raise Rollback
    except Rollback:
        desk.later(seconds=(start - desk.now).total_seconds())


def story(*happened):
    """Days of a history. A number: two new leads, and that score of them; "all 5": that score of every lead
    so far; "": nothing."""
    days, count = [], 0
    for number, word in enumerate(happened):
        new = 2 if isinstance(word, int) else 0
        first, count = (count if new else 0), count + new
        score = word if new else int(word.removeprefix("all ") or 0)
        said = [(row, {"quality_score": score}) for row in range(first, count) if score]
        days.append((new, bool(number % 2), said, False))
    return days


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (RULES[0], {False: 2}),
        (RULES[1], {False: 5}),
        (RULES[2], {False: 4}),
        (RULES[3], {False: 6, True: 3}),
        (RULES[4], {False: 4, True: 2}),
    ],
)
def test_bad_days_and_good_ones_are_lived_as_they_were(desk, columns, expected):
    """The condition holds, nothing is new, it clears, and comes again; each kind of rule decides more than
    once in it."""
    times = compare(desk, story(1, 1, "", 1, "all 5", "", 5, 5, "", "all 1", 1, 1, ""), columns)
    assert times == expected


@pytest.fixture
def tried_rule(desk):
    rule = off(desk, name="Pause what is bad")
    desk.hear(10, quality_score=1)
    desk.later(days=2)
    desk.deliver(4, days_ago=0.5)
    return rule


def page(as_user, user, rule, query=""):
    return as_user(user).get(f"/rules/{rule.pk}/history/{query}")


def test_the_page_tells_sums_firings_and_limits(desk, world, tried_rule, as_user):
    for user in (world.owner, world.analyst):
        text = page(as_user, user, tried_rule).content.decode()
        assert "It would have fired once in the 90 days" in text
        assert "Leads not bought" in text
        assert "80.00\N{NO-BREAK SPACE}USD" in text
        assert f"{desk.source} paused" in text
        assert "Average quality 1.0" in text
        assert "nobody knows" in text


def test_the_page_says_how_near_a_silent_rule_came(desk, world, tried_rule, as_user):
    Rule.objects.update(threshold=Decimal("1.0"))
    text = page(as_user, world.owner, tried_rule).content.decode()
    assert "It would not have fired" in text
    assert "which is not below 1.00" in text
    Rule.objects.update(min_count=50)
    assert "There was never enough to count" in page(as_user, world.owner, tried_rule).content.decode()
    Delivery.objects.exclude(feedback_count__gt=0).delete()
    Rule.objects.update(metric="bad_info_rate", window_days=1)
    assert page(as_user, world.owner, tried_rule, "?days=30").status_code == 200


@pytest.mark.parametrize("query", ["?days=7", "?days=x", "?days=%00", "?days=99999999999999999999"])
def test_odd_days_are_the_usual_days(desk, world, tried_rule, as_user, query):
    answer = page(as_user, world.owner, tried_rule, query)
    assert "in the 90 days" in answer.content.decode()


def test_a_rule_that_cannot_be_carried_out_says_so(desk, world, tried_rule, as_user):
    Rule.objects.update(metric="luck")
    answer = page(as_user, world.owner, tried_rule)
    assert answer.status_code == 200
    assert "This rule cannot be carried out" in answer.content.decode()
    with pytest.raises(CommandError, match="cannot be carried out"):
        call_command("backtest_rule", tried_rule.pk)


def test_too_much_names_the_command(desk, world, tried_rule, as_user, monkeypatch):
    monkeypatch.setattr(backtest_views, "MOST", 3)
    text = page(as_user, world.owner, tried_rule).content.decode()
    assert f"manage.py backtest_rule {tried_rule.pk} --days 90" in text


def test_a_number_beyond_any_key_is_not_there(desk, world, as_user):
    assert as_user(world.owner).get(f"/rules/{10**30}/history/").status_code == 404


def test_another_sellers_rule_is_not_there(desk, world, other_world, tried_rule, as_user):
    assert page(as_user, other_world.owner, tried_rule).status_code == 404
    assert page(as_user, world.manager, tried_rule).status_code == 404


def test_the_rules_page_leads_there(desk, world, tried_rule, as_user):
    for user in (world.owner, world.analyst):
        text = as_user(user).get(f"/admin/flows/rule/{tried_rule.pk}/change/").content.decode()
        assert f'href="/rules/{tried_rule.pk}/history/"' in text


def test_the_number_of_queries_does_not_grow(desk, tried_rule, django_assert_max_num_queries):
    for _ in range(3):
        desk.deliver(5, source=make.SourceFactory(flow=desk.flow), buyer=desk.other_buyer())
    desk.hear(30, quality_score=1)
    rule = Rule.objects.select_related("flow").get()
    with django_assert_max_num_queries(8):
        backtest(rule, now=desk.now)


def test_the_command_tells_a_person_and_a_program(desk, tried_rule, capsys):
    call_command("backtest_rule", tried_rule.pk)
    told = capsys.readouterr().out
    assert "It would have fired once." in told
    assert "4 leads not bought" in told
    call_command("backtest_rule", tried_rule.pk, days=10, json=True)
    document = json.loads(capsys.readouterr().out)
    assert document["would_have_meant"]["leads"] == 4
    assert document["firings"][0]["numbers"]["value"] == 1.0
    assert document["to"] == "2025-11-14"


def test_the_command_says_what_is_wrong(desk, tried_rule):
    with pytest.raises(CommandError, match=r"There is no rule 0.*Pause what is bad"):
        call_command("backtest_rule", 0)
    with pytest.raises(CommandError, match="--days must be from 1"):
        call_command("backtest_rule", tried_rule.pk, days=0)


def test_it_tells_when_the_rule_really_decided(desk, world, as_user):
    rule = desk.rule()
    desk.hear(10, quality_score=1)
    assert "The rule really decided once" in page(as_user, world.owner, rule).content.decode()
