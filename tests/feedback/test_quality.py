"""From a changed delivery to a decision: cells, rules, actions, alerts."""

import datetime as dt
from decimal import Decimal

import pytest
from django.db import DatabaseError, OperationalError

from feedback import quality, stale
from feedback.cells import cells_from, cells_stored
from feedback.models import SourceDay, StaleMark
from flows import actions
from flows.models import (
    Alert,
    Decision,
    Delivery,
    Field,
    Flow,
    OutboxMessage,
    Rule,
    Source,
    SuppressionEntry,
)
from flows.presets import set_up_flow
from flows.signals import deliveries_created
from tests import factories as make

NOON = dt.datetime(2025, 11, 12, 17, tzinfo=dt.UTC)  # midday in New York


@pytest.fixture
def flow(world):
    """The world's flow with the rules that ship."""
    set_up_flow(world.flow)
    StaleMark.objects.all().delete()
    return world.flow


def deliver(world, count, *, days_ago=1, at=NOON, **state):
    """Deliveries with this state, and their marks."""
    moment = at - dt.timedelta(days=days_ago)
    if state:
        state = {"feedback_count": 1, "last_feedback_at": at, **state}
    rows = [
        make.DeliveryFactory(lead__source=world.source, buyer=world.buyer, delivered_at=moment, **state)
        for _ in range(count)
    ]
    stale.mark(rows, now=at)
    return rows


def decided(action):
    return Decision.objects.filter(action=action)


def cells_agree():
    return list(cells_from(Delivery.objects.all())) == list(cells_stored(SourceDay.objects.all()))


# --- Cells ------------------------------------------------------------------------------------------


def test_a_cell_is_what_its_deliveries_make_it(world):
    stale.mark([world.delivery])
    deliver(world, 3, outcome="converted", conversion_status="sold", revenue=Decimal("10.10"))
    assert quality.recompute() == 4
    assert cells_agree()
    assert not StaleMark.objects.exists()
    assert quality.recompute() == 0


def test_recomputing_again_changes_nothing(world):
    rows = deliver(world, 3, quality_score=4)
    quality.recompute()
    before = list(cells_stored(SourceDay.objects.all()))
    stale.mark(rows[:1])
    quality.recompute()
    assert list(cells_stored(SourceDay.objects.all())) == before


def test_every_buyer_of_the_day_has_a_cell(world):
    other = make.DeliveryFactory(
        lead__source=world.source,
        buyer=make.BuyerFactory(seller=world.seller),
        delivered_at=world.delivery.delivered_at,
    )
    stale.mark([world.delivery])
    quality.recompute()
    assert set(SourceDay.objects.values_list("buyer", flat=True)) == {world.buyer.pk, other.buyer.pk}


def test_a_cell_without_deliveries_goes(world):
    (gone,) = deliver(world, 1, days_ago=5)
    quality.recompute()
    assert SourceDay.objects.count() == 1
    Delivery.objects.filter(pk=gone.pk).update(delivered_on=gone.delivered_on + dt.timedelta(days=1))
    stale.mark([gone])
    quality.recompute()
    assert not SourceDay.objects.filter(day=gone.delivered_on).exists()


def test_marks_beyond_the_limit_wait(world):
    deliver(world, 5)
    assert quality.recompute(limit=3) == 3
    assert StaleMark.objects.count() == 2
    assert quality.recompute(limit=3) == 2


def test_a_pass_takes_no_more_sources_than_it_says(world, monkeypatch):
    monkeypatch.setattr(quality, "SOURCES_A_PASS", 1)
    other = make.DeliveryFactory(lead__source=make.SourceFactory(flow=world.flow), buyer=world.buyer)
    stale.mark([world.delivery, other])
    assert quality.recompute() == 1
    assert quality.recompute() == 1
    assert SourceDay.objects.count() == 2


def test_new_deliveries_are_marked(world):
    deliveries_created.send(sender=Flow, deliveries=[world.delivery])
    mark = StaleMark.objects.get()
    assert (mark.delivery, mark.source, mark.day) == (
        world.delivery,
        world.source,
        world.delivery.delivered_on,
    )


def test_queries_do_not_grow_with_the_marks(world, flow, django_assert_max_num_queries):
    deliver(world, 40, outcome="returned", conversion_status="not_sold", quality_score=1)
    with django_assert_max_num_queries(45):
        quality.recompute(now=NOON)
    assert decided("suppress_contact").count() == 40
    assert decided("pause_source").count() == 1


# --- The rules of the seed ----------------------------------------------------------------------------


def test_low_quality_pauses_the_source_and_alerts_the_team(world, flow):
    deliver(world, 30, quality_score=2)
    quality.recompute(now=NOON)
    world.source.refresh_from_db()
    decision = decided("pause_source").get()
    assert world.source.status == "paused"
    assert world.source.status_reason == (
        "Average quality 2.0 (95 %: 2.0–2.0) on 30 scores in the 30 days to 12 Nov is below 3.0"
    )
    assert (decision.numbers["value"], decision.numbers["count"]) == (2.0, 30)
    assert decision.before == {"status": "active", "status_reason": ""}
    alert = Alert.objects.get(decision=decision)
    assert (alert.title, alert.level) == (f"{world.source} paused", "bad")
    mail = OutboxMessage.objects.get()
    assert mail.kind == "email"
    assert sorted(mail.payload["to"]) == sorted([world.owner.email, world.analyst.email])
    assert world.source.status_reason in mail.payload["body"]


def test_too_few_scores_decide_nothing(world, flow):
    deliver(world, 29, quality_score=1)
    quality.recompute(now=NOON)
    assert not Decision.objects.exists()


def test_scores_from_before_the_window_do_not_count(world, flow):
    deliver(world, 30, quality_score=1, days_ago=30)
    quality.recompute(now=NOON)
    assert not Decision.objects.exists()


def test_a_paused_source_is_not_paused_again(world, flow):
    deliver(world, 30, quality_score=2)
    quality.recompute(now=NOON)
    later = NOON + dt.timedelta(days=3)
    deliver(world, 1, quality_score=1, at=later)
    quality.recompute(now=later)
    assert decided("pause_source").count() == 1


def test_high_quality_raises_the_cap_once_a_week(world, flow):
    Source.objects.filter(pk=world.source.pk).update(daily_cap=100)
    caps = []
    for day in (0, 1, 6, 7):
        at = NOON + dt.timedelta(days=day)
        deliver(world, 30, quality_score=5, at=at)
        quality.recompute(now=at)
        caps.append(Source.objects.get(pk=world.source.pk).daily_cap)
    assert caps == [120, 120, 120, 144]


@pytest.mark.parametrize(("converted", "adjustment"), [(11, "1.2"), (10, "1"), (5, "1"), (4, "0.8")])
def test_conversion_sets_the_price(world, flow, converted, adjustment):
    deliver(world, converted, days_ago=14, outcome="converted", conversion_status="sold")
    deliver(world, 100 - converted, days_ago=14)
    quality.recompute(now=NOON)
    assert Source.objects.get(pk=world.source.pk).price_adjustment == Decimal(adjustment)


def test_a_young_cohort_is_not_a_bad_source(world, flow):
    deliver(world, 100, days_ago=13)
    quality.recompute(now=NOON)
    assert not Decision.objects.exists()


def test_what_is_returned_is_suppressed_at_once(world, flow):
    (returned,) = deliver(world, 1, outcome="returned", conversion_status="not_sold")
    quality.recompute(now=NOON)
    entries = SuppressionEntry.objects.filter(list__slug="returns")
    assert set(entries.values_list("kind", "value")) == {
        ("email", returned.lead.email_normalised),
        ("phone", returned.lead.phone_e164),
    }
    decision = decided("suppress_contact").get()
    assert (decision.delivery, decision.numbers["outcome"]) == (returned, "returned")
    assert returned.lead.email not in str([decision.before, decision.after, decision.numbers])


def test_the_same_return_decides_once(world, flow):
    (returned,) = deliver(world, 1, outcome="returned", conversion_status="not_sold")
    quality.recompute(now=NOON)
    SuppressionEntry.objects.all().delete()  # a person took it off again
    stale.mark([returned])
    quality.recompute(now=NOON + dt.timedelta(days=3))
    assert decided("suppress_contact").count() == 1
    assert not SuppressionEntry.objects.exists()


def test_bad_info_puts_the_source_on_the_list(world, flow):
    deliver(world, 11, outcome="bad_info", conversion_status="not_sold")
    deliver(world, 39, outcome="contacted")
    quality.recompute(now=NOON)
    entry = SuppressionEntry.objects.get(list__slug="bad-sources")
    assert (entry.kind, entry.value) == ("source", f"{flow.public_id}/{world.source.slug}")
    assert Alert.objects.get().title == f"{world.source} put on “Bad Sources”"


def test_silence_is_not_bad_info(world, flow):
    deliver(world, 10, outcome="bad_info", conversion_status="not_sold")
    deliver(world, 40, outcome="contacted")
    deliver(world, 50)
    quality.recompute(now=NOON)
    assert not SuppressionEntry.objects.filter(kind="source").exists()


def test_a_rule_that_is_off_does_nothing(world, flow):
    Rule.objects.update(enabled=False)
    deliver(world, 50, outcome="returned", conversion_status="not_sold", quality_score=1)
    quality.recompute(now=NOON)
    assert not Decision.objects.exists()


def test_another_tenant_is_untouched(world, other_world, flow):
    set_up_flow(other_world.flow)
    deliver(world, 50, quality_score=1)
    quality.recompute(now=NOON)
    assert set(Alert.objects.values_list("seller", flat=True)) == {world.seller.pk}
    other_world.source.refresh_from_db()
    assert other_world.source.status == "active"


def test_a_source_that_a_rule_paused_is_resumed_by_a_rule(world, flow):
    Rule.objects.create(
        flow=flow,
        name="Resume",
        metric="average_quality",
        comparison="above",
        threshold=Decimal("3.5"),
        action="resume_source",
    )
    bad = deliver(world, 30, quality_score=1)
    quality.recompute(now=NOON)
    Delivery.objects.update(quality_score=4)
    stale.mark(bad)
    quality.recompute(now=NOON + dt.timedelta(hours=1))
    world.source.refresh_from_db()
    assert (world.source.status, world.source.status_reason) == ("active", "")


def test_an_alert_alone_tells_the_team(world, flow):
    Rule.objects.all().delete()
    Rule.objects.create(
        flow=flow, name="Duplicates", metric="duplicate_rate", comparison="above", threshold=Decimal("0.2"),
        min_count=10, action="alert", params={"message": "too many duplicates"},
    )  # fmt: skip
    for hours in (0, 1, 25):
        at = NOON + dt.timedelta(hours=hours)
        deliver(world, 10, outcome="duplicate", conversion_status="not_sold", at=at)
        quality.recompute(now=at)
    alert = Alert.objects.get()
    assert (alert.title, alert.lasts) == (f"{world.source}: too many duplicates", True)


# --- When something breaks ----------------------------------------------------------------------------


@pytest.fixture
def broken(flow):
    """A rule somebody broke past the form, before all others."""
    return Rule.objects.create(
        flow=flow, name="Broken", position=0, metric="average_quality", comparison="below",
        threshold=Decimal(5), min_count=1, action="set_price_adjustment", params={"value": "cheap"},
    )  # fmt: skip


def test_a_broken_rule_stops_neither_the_others_nor_the_cells(world, broken, caplog):
    deliver(world, 30, quality_score=2)
    quality.recompute(now=NOON)
    assert decided("pause_source").count() == 1
    assert SourceDay.objects.get().quality_count == 30
    broken.refresh_from_db()
    assert broken.error == "“value” must be a number from 0.5 to 2.0."
    assert "Broken" in caplog.text


def test_a_broken_rule_is_told_once_and_once_more_after_it_worked(world, broken):
    def run():
        deliver(world, 1, quality_score=2)
        quality.recompute(now=NOON)
        return [each.title for each in Alert.objects.filter(title__contains="Broken").order_by("pk")]

    fails = "The rule “Broken” cannot be carried out"
    assert [run(), run()] == [[fails], [fails]]
    Rule.objects.filter(pk=broken.pk).update(params={"value": "1.1"})
    assert run() == [fails, f"Resolved: {fails}"]
    broken.refresh_from_db()
    assert broken.error == ""
    Rule.objects.filter(pk=broken.pk).update(params={})
    assert run() == [fails, f"Resolved: {fails}", fails]


def test_what_a_failing_action_did_is_rolled_back_alone(world, flow, monkeypatch):
    pause = type(actions.get("pause_source"))
    perform = pause.perform

    def half(self, decisions):
        perform(self, decisions)
        raise DatabaseError("constraint")

    monkeypatch.setattr(pause, "perform", half)
    Source.objects.filter(pk=world.source.pk).update(daily_cap=10)
    Rule.objects.create(
        flow=flow, name="Step down", position=99, metric="average_quality", comparison="below",
        threshold=Decimal(3), action="step_cap", params={"percentage": -50, "min": 1, "max": 10},
    )  # fmt: skip
    deliver(world, 30, quality_score=2)
    quality.recompute(now=NOON)
    world.source.refresh_from_db()
    assert (world.source.status, world.source.daily_cap) == ("active", 5)
    assert set(Decision.objects.values_list("action", flat=True)) == {"step_cap"}


@pytest.mark.parametrize("crash", [KeyboardInterrupt, OperationalError])
def test_a_crash_leaves_the_marks_and_nothing_half_done(world, flow, monkeypatch, crash):
    deliver(world, 30, quality_score=2)
    pause = type(actions.get("pause_source"))
    with monkeypatch.context() as patch:
        patch.setattr(pause, "perform", lambda self, decisions: (_ for _ in ()).throw(crash("away")))
        with pytest.raises(crash):
            quality.recompute(now=NOON)
    assert StaleMark.objects.count() == 30
    assert not SourceDay.objects.exists()
    assert not Decision.objects.exists()
    assert not Alert.objects.exists()
    assert quality.recompute(now=NOON) == 30
    assert decided("pause_source").count() == 1
    assert SourceDay.objects.exists()


def test_a_rule_on_a_field_that_the_flow_lacks_is_no_fault(world, flow):
    Field.objects.all().delete()
    deliver(world, 50)
    quality.recompute(now=NOON)
    assert not Alert.objects.exists()
