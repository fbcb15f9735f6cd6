"""What rules do: before, after, nothing, and back again."""

from decimal import Decimal

import pytest

from flows import actions
from flows.actions.base import Change, Target
from flows.actions.sources import stepped
from flows.models import Rule, Source
from flows.presets import set_up_flow
from tests import factories as make


def planned(action: str, source: Source, params=None, *, delivery=None):
    act = actions.get(action)
    target = Target(source, "1", "Because it is bad", delivery=delivery)
    (change,) = act.plan(Rule(flow=source.flow, name="R"), [target], act.clean(params or {}))
    return change


def test_pausing_says_why(world):
    assert planned("pause_source", world.source) == Change(
        {"status": "active", "status_reason": ""},
        {"status": "paused", "status_reason": "Because it is bad"},
    )


def test_a_paused_source_is_left_alone(world):
    world.source.status = Source.Status.PAUSED
    assert planned("pause_source", world.source) is None


def test_what_a_person_paused_no_rule_resumes(world):
    world.source.status, world.source.status_reason = Source.Status.PAUSED, "Holiday"
    assert planned("resume_source", world.source) is None


@pytest.mark.parametrize(
    ("cap", "percentage", "after"),
    [
        (100, 20, 120),
        (1, 20, 2),
        (990, 20, 1000),
        (1000, 20, None),
        (5000, 20, None),
        (None, 20, None),
        (100, -20, 80),
        (2, -20, 1),
        (1, -20, None),
    ],
)
def test_the_cap_steps_within_its_bounds(world, cap, percentage, after):
    world.source.daily_cap = cap
    change = planned("step_cap", world.source, {"percentage": percentage, "min": 1, "max": 1000})
    assert (change and change.after) == (after and {"daily_cap": after})


def test_a_step_is_one_at_least():
    assert stepped(1, Decimal(1), 1, 100) == 2


def test_the_adjustment_is_assigned_not_compounded(world):
    world.source.price_adjustment = Decimal("1.2000")
    assert planned("set_price_adjustment", world.source, {"value": "1.2"}) is None
    world.source.price_adjustment = Decimal("0.8000")
    change = planned("set_price_adjustment", world.source, {"value": 1.2})
    assert change.after == {"price_adjustment": "1.2"}


def test_a_contact_goes_on_the_list_once_even_if_sold_three_times(world):
    set_up_flow(world.flow)
    act = actions.get("suppress_contact")
    again = make.DeliveryFactory(lead=world.delivery.lead, buyer=make.BuyerFactory(seller=world.seller))
    targets = [Target(world.source, f"delivery:{d.pk}", "", delivery=d) for d in (world.delivery, again)]
    first, second = act.plan(Rule(flow=world.flow), targets, {"list": "returns"})
    assert first.after == {"list": "returns", "list_name": "Returns", "added": ["email", "phone"]}
    assert second is None


def test_a_lead_without_a_phone_has_its_email_suppressed(world):
    set_up_flow(world.flow)
    world.delivery.lead.phone_e164 = ""
    change = planned("suppress_contact", world.source, {"list": "returns"}, delivery=world.delivery)
    assert change.after["added"] == ["email"]


def test_a_list_that_is_not_there_is_the_rules_fault(world):
    with pytest.raises(actions.BadRule, match="no suppression list"):
        planned("suppress_source", world.source, {"list": "nowhere"})


def test_another_sellers_list_is_not_there(world, other_world):
    set_up_flow(other_world.flow)
    with pytest.raises(actions.BadRule):
        planned("suppress_source", world.source, {"list": "returns"})


def test_planning_does_not_grow_with_the_targets(world, django_assert_num_queries):
    set_up_flow(world.flow)
    act = actions.get("suppress_contact")
    deliveries = [make.DeliveryFactory(lead__source=world.source, buyer=world.buyer) for _ in range(20)]
    targets = [Target(world.source, f"delivery:{d.pk}", "", delivery=d) for d in deliveries]
    with django_assert_num_queries(2):
        act.plan(Rule(flow=world.flow), targets, {"list": "returns"})


def test_every_action_has_a_name_of_its_own():
    assert {name for name, _ in actions.REGISTRY.items()} == {
        "pause_source",
        "resume_source",
        "step_cap",
        "set_price_adjustment",
        "suppress_contact",
        "suppress_source",
        "unsuppress_source",
        "bonus",
        "alert",
    }
