"""A decision is explained, and taken back as long as it still stands."""

import datetime as dt
from decimal import Decimal

import pytest
from django.utils.timezone import now

from flows import decisions
from flows.actions.base import CannotUndo, Changed, Target
from flows.models import Alert, Decision, Rule, Source, SuppressionEntry
from flows.presets import set_up_flow
from tests import factories as make

NUMBERS = {
    "metric": "average_quality", "value": 2.0, "low": 1.8, "high": 2.2, "count": 40, "comparison": "below",
    "threshold": 3.0, "min_count": 30, "window_days": 30, "maturity_days": 0, "from": "2025-10-14",
    "to": "2025-11-12",
}  # fmt: skip


def decide(world, action, params=None, *, delivery=None, evaluation="1", at=None, count=40, **rule):
    """The world's rule with this action fires on the world's source."""
    rule, _ = Rule.objects.get_or_create(
        flow=world.flow, name=action, defaults={"action": action, "params": params or {}, **rule}
    )
    target = Target(
        Source.objects.get(pk=world.source.pk),
        evaluation,
        "Because it is bad",
        {**NUMBERS, "count": count},
        delivery,
    )
    return decisions.decide(rule, [target], now=at or now())


@pytest.fixture
def paused(world):
    (decision,) = decide(world, "pause_source")
    return decision


def stands(world):
    world.source.refresh_from_db()
    return world.source.status, world.source.status_reason


def test_undoing_puts_back_what_stood_before(world, paused):
    assert stands(world) == ("paused", "Because it is bad")
    undone = decisions.undo(paused, user=world.owner)
    assert stands(world) == ("active", "")
    assert (decisions.can_undo(paused), decisions.can_undo(undone)) == (True, False)
    assert (undone.status, undone.undone_by) == ("undone", world.owner)
    assert undone.undone_at is not None


def test_undoing_twice_is_undoing_once(world, paused):
    first = decisions.undo(paused, user=world.owner)
    second = decisions.undo(paused, user=world.analyst)
    assert (second.undone_by, second.undone_at) == (world.owner, first.undone_at)


def test_what_changed_since_is_said_not_overwritten(world, paused):
    Source.objects.update(status_reason="Contract ended")
    with pytest.raises(Changed) as changed:
        decisions.undo(paused, user=world.owner)
    assert changed.value.stands == {"status": "paused", "status_reason": "Contract ended"}
    assert stands(world) == ("paused", "Contract ended")
    assert Decision.objects.get().status == "applied"


def test_who_insists_undoes_it_all_the_same(world, paused):
    Source.objects.update(status_reason="Contract ended")
    decisions.undo(paused, user=world.owner, force=True)
    assert stands(world) == ("active", "")


def test_an_undone_cap_is_the_cap_before(world):
    Source.objects.update(daily_cap=50)
    (decision,) = decide(world, "step_cap", {"percentage": 20, "min": 1, "max": 100})
    assert (decision.before, decision.after) == ({"daily_cap": 50}, {"daily_cap": 60})
    decisions.undo(decision, user=world.owner)
    assert Source.objects.get().daily_cap == 50


def test_an_undone_price_is_exact(world):
    Source.objects.update(price_adjustment=Decimal("0.9500"))
    (decision,) = decide(world, "set_price_adjustment", {"value": "1.2"})
    decisions.undo(decision, user=world.owner)
    assert Source.objects.get().price_adjustment == Decimal("0.9500")


def test_an_undone_suppression_takes_its_own_entries_off(world):
    set_up_flow(world.flow)
    (decision,) = decide(world, "suppress_contact", {"list": "returns"}, delivery=world.delivery)
    mine = SuppressionEntry.objects.create(
        list=world.seller.suppression_lists.get(slug="returns"), kind="email", value="other@example.com"
    )
    assert SuppressionEntry.objects.count() == 3
    decisions.undo(decision, user=world.owner)
    assert SuppressionEntry.objects.get() == mine


def test_an_entry_that_a_person_took_off_has_changed(world):
    set_up_flow(world.flow)
    (decision,) = decide(world, "suppress_contact", {"list": "returns"}, delivery=world.delivery)
    SuppressionEntry.objects.filter(kind="phone").delete()
    with pytest.raises(Changed) as changed:
        decisions.undo(decision, user=world.owner)
    assert changed.value.stands == {"list": "returns", "list_name": "Returns", "added": ["email"]}
    decisions.undo(decision, user=world.owner, force=True)
    assert not SuppressionEntry.objects.exists()


def test_an_alert_cannot_be_called_back(world):
    (decision,) = decide(world, "alert")
    with pytest.raises(CannotUndo, match="cannot be called back"):
        decisions.undo(decision, user=world.owner)
    assert not decisions.can_undo(decision)


def test_within_the_cool_down_nothing_is_decided(world):
    at = now()
    bonus = {"params": {"amount": "5"}, "cooldown_hours": 24}
    assert decide(world, "bonus", **bonus, evaluation="1", at=at)
    assert not decide(world, "bonus", evaluation="2", count=41, at=at + dt.timedelta(hours=23))
    assert not decide(world, "bonus", evaluation="3", at=at + dt.timedelta(hours=24))  # nothing new
    assert decide(world, "bonus", evaluation="4", count=41, at=at + dt.timedelta(hours=24))


def test_who_undoes_a_decision_is_not_contradicted_at_once(world):
    at = now()
    (decision,) = decide(world, "pause_source", cooldown_hours=24, at=at)
    later = at + dt.timedelta(hours=30)
    decisions.undo(decision, user=world.owner, now=later)
    assert not decide(world, "pause_source", evaluation="2", count=41, at=later + dt.timedelta(hours=23))
    assert decide(world, "pause_source", evaluation="3", count=41, at=later + dt.timedelta(hours=24))


def test_the_same_look_decides_once(world):
    assert decide(world, "bonus", {"amount": "5"}, cooldown_hours=0)
    assert not decide(world, "bonus", count=41)


def test_a_change_of_nothing_is_not_logged(world):
    Source.objects.update(status="paused", status_reason="Holiday")
    assert decide(world, "pause_source", alert=True) == []
    assert not Alert.objects.exists()


def test_a_decision_explains_itself(world, paused):
    assert decisions.explain(paused) == (
        "Average quality 2.0 (95 %: 1.8–2.2) on 40 scores in the 30 days to 12 Nov is below 3.0"
    )
    assert decisions.headline(paused) == f"{world.source} paused"


@pytest.mark.parametrize(
    ("action", "params", "level", "title"),
    [
        ("pause_source", {}, "bad", "{source} paused"),
        ("step_cap", {"percentage": 20, "min": 1, "max": 100}, "good", "{source}: cap 50 → 60"),
        ("step_cap", {"percentage": -20, "min": 1, "max": 100}, "warn", "{source}: cap 50 → 40"),
        ("set_price_adjustment", {"value": "1.2"}, "good", "{source}: price × 1.00 → × 1.20"),
        ("set_price_adjustment", {"value": "0.8"}, "warn", "{source}: price × 1.00 → × 0.80"),
        ("suppress_source", {"list": "bad-sources"}, "bad", "{source} put on “Bad Sources”"),
        ("suppress_contact", {"list": "returns"}, "info", "Contact of {delivery} put on “Returns”"),
        ("alert", {"message": "look here", "level": "info"}, "info", "{source}: look here"),
    ],
)
def test_alerts_say_what_was_done(world, action, params, level, title):
    set_up_flow(world.flow)
    Source.objects.update(daily_cap=50)
    decide(world, action, params, delivery=world.delivery, alert=True)
    alert = Alert.objects.get()
    expected = title.format(source=world.source, delivery=world.delivery)
    assert (alert.level, alert.title) == (level, expected)


def test_people_who_left_get_no_mail(world):
    world.analyst.is_active = False
    world.analyst.save()
    make.MembershipFactory(seller=make.SellerFactory())
    decide(world, "alert")
    (message,) = world.seller.outbox.all()
    assert message.payload["to"] == [world.owner.email]
