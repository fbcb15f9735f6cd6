"""Rules in the admin: choices from the registries, thresholds as people write them, parameters checked."""

from __future__ import annotations

from decimal import Decimal

import pytest

from flows.actions import OFFERED
from flows.admin.rule_form import PARAMS
from flows.models import Decision, Rule, SuppressionList
from flows.presets import set_up_flow
from tests.admin_pages import faults, filled, url

QUALITY = {
    "name": "New rule",
    "trigger": "quality",
    "metric": "conversion_rate",
    "comparison": "below",
    "threshold": "5 %",
    "action": "pause_source",
}


def add(client, world, **values):
    address = url(Rule, "add")
    return client.post(address, filled(client, address, flow=world.flow.pk, **{**QUALITY, **values}))


def test_every_action_has_its_parameters_in_the_form():
    assert set(PARAMS) == set(OFFERED)


@pytest.mark.parametrize("text", ["5 %", "5%", "0.05", " 0.0500 "])
def test_a_rate_is_written_as_percent_or_as_fraction(text, world, as_user):
    assert add(as_user(world.owner), world, threshold=text).status_code == 302
    assert Rule.objects.get(name="New rule").threshold == Decimal("0.05")


def test_a_threshold_is_shown_as_people_write_it(world, as_user):
    add(as_user(world.owner), world)
    rule = Rule.objects.get(name="New rule")
    client = as_user(world.owner)
    assert filled(client, url(rule, "change"))["threshold"] == "5\N{NO-BREAK SPACE}%"
    assert "Conversion rate is below 5\N{NO-BREAK SPACE}%" in client.get(url(Rule, "changelist")).text


@pytest.mark.parametrize(
    ("values", "at", "words"),
    [
        ({"threshold": "10"}, "threshold", "Did you mean 10 %"),
        ({"threshold": "NaN"}, "threshold", "number"),
        ({"threshold": "much"}, "threshold", "number"),
        ({"threshold": ""}, "threshold", "threshold"),
        ({"metric": "average_quality", "threshold": "7"}, "threshold", "between 1 and 5"),
        ({"metric": "luck"}, "metric", "luck"),
        ({"metric": ""}, "metric", "average_quality"),
        ({"comparison": ""}, "comparison", "below or above"),
        ({"action": "explode"}, "action", "explode"),
        ({"action": "suppress_contact", "param_list": "returns"}, "action", "each feedback"),
        ({"action": "set_price_adjustment", "param_value": "9"}, "param_value", "0.5"),
        ({"action": "set_price_adjustment"}, "param_value", "value"),
        ({"action": "step_cap", "param_percentage": "20"}, "param_min", "min"),
        ({"action": "suppress_source"}, "param_list", "list"),
        ({"action": "bonus"}, "param_amount", "amount"),
        ({"action": "bonus", "param_amount": "1.005"}, "param_amount", "2 decimals"),
        (
            {
                "scope": "source_buyer",
                "action": "step_cap",
                "param_percentage": "20",
                "param_min": "1",
                "param_max": "9",
            },
            "action",
            "no cap, price or list",
        ),
        ({"scope": "source_buyer", "equal_buyers": "on"}, "equal_buyers", "each source"),
        ({"metric": "roi", "threshold": "0", "evidence": "confident"}, "evidence", "no upper end"),
        ({"metric": "revenue_per_lead", "threshold": "9", "evidence": "confident"}, "evidence", "money"),
        (
            {"metric": "average_quality", "threshold": "3", "evidence": "confident", "equal_buyers": "on"},
            "equal_buyers",
            "not on scores",
        ),
        ({"mode": "suggest", "action": "alert"}, "mode", "nothing to approve"),
        ({"on_clear": "reverse", "action": "bonus", "param_amount": "5"}, "on_clear", "not taken back"),
        ({"hysteresis": "120 %"}, "hysteresis", "100 %"),
        ({"trigger": "feedback", "outcome": ""}, "outcome", "converted"),
    ],
)
def test_a_rule_that_cannot_be_carried_out_is_refused(values, at, words, world, as_user):
    SuppressionList.objects.create(seller=world.seller, name="Returns", slug="returns")
    refused = faults(add(as_user(world.owner), world, **values))
    assert words in refused[at][0]


@pytest.mark.parametrize(
    ("values", "params"),
    [
        ({"action": "step_cap", "param_percentage": "20", "param_min": "1", "param_max": "500"},
         {"percentage": "20", "min": 1, "max": 500}),
        ({"action": "set_price_adjustment", "param_value": "1.20"}, {"value": "1.2"}),
        ({"action": "suppress_source", "param_list": "returns"}, {"list": "returns"}),
        ({"action": "alert", "param_level": "bad", "param_message": "Hi"}, {"level": "bad", "message": "Hi"}),
        ({"action": "pause_source", "param_value": "1.2"}, {}),
    ],
)  # fmt: skip
def test_only_the_parameters_of_the_action_are_kept(values, params, world, as_user):
    SuppressionList.objects.create(seller=world.seller, name="Returns", slug="returns")
    assert add(as_user(world.owner), world, **values).status_code == 302
    assert Rule.objects.get(name="New rule").params == params


def test_every_preset_rule_can_be_opened_and_saved_unchanged(world, as_user):
    set_up_flow(world.flow)
    client = as_user(world.owner)
    before = list(Rule.objects.values())
    for rule in Rule.objects.all():
        address = url(rule, "change")
        assert client.post(address, filled(client, address)).status_code == 302
    for old, new in zip(before, Rule.objects.values(), strict=True):
        assert {**old, "params": None} == {**new, "params": None}
        assert {name: Decimal(str(value)) for name, value in old["params"].items() if name != "list"} == {
            name: Decimal(str(value)) for name, value in new["params"].items() if name != "list"
        }


def test_a_rule_is_switched_off(world, as_user):
    set_up_flow(world.flow)
    rule = Rule.objects.first()
    client = as_user(world.owner)
    assert (
        client.post(url(rule, "change"), filled(client, url(rule, "change"), enabled=None)).status_code == 302
    )
    rule.refresh_from_db()
    assert rule.enabled is False


def test_scope_evidence_mode_and_what_comes_afterwards_are_kept(world, as_user):
    client = as_user(world.owner)
    answer = add(
        client, world, scope="source_buyer", evidence="confident", mode="suggest", on_clear="reverse",
        hysteresis="20 %", excluded_buyers=[world.buyer.pk],
    )  # fmt: skip
    assert answer.status_code == 302
    rule = Rule.objects.get(name="New rule")
    kept = (rule.scope, rule.evidence, rule.mode, rule.on_clear, rule.hysteresis)
    assert kept == ("source_buyer", "confident", "suggest", "reverse", Decimal("0.2"))
    assert list(rule.excluded_buyers.all()) == [world.buyer]
    assert filled(client, url(rule, "change"))["hysteresis"] == "20\N{NO-BREAK SPACE}%"
    listed = client.get(url(Rule, "changelist")).text
    for words in (
        "Suggests",
        f"Each source with each buyer, without {world.buyer}",
        "30 in 30 days, and certain",
        "reversed when it clears",
        "never",
    ):
        assert words in listed


def test_a_rule_on_each_feedback_forgets_what_does_not_fit_it(world, as_user):
    SuppressionList.objects.create(seller=world.seller, name="Returns", slug="returns")
    answer = add(
        as_user(world.owner), world, trigger="feedback", outcome="returned", action="suppress_contact",
        param_list="returns", scope="source_buyer", evidence="confident", equal_buyers="on",
        on_clear="reverse", hysteresis="much",
    )  # fmt: skip
    assert answer.status_code == 302
    rule = Rule.objects.get(name="New rule")
    assert (rule.scope, rule.evidence, rule.equal_buyers, rule.on_clear) == (
        "source",
        "point",
        False,
        "nothing",
    )
    assert rule.hysteresis == Decimal("0.1")


def test_buyers_of_another_seller_are_not_offered(world, other_world, as_user):
    refused = faults(add(as_user(world.owner), world, excluded_buyers=[other_world.buyer.pk]))
    assert "excluded_buyers" in refused


def test_the_list_says_when_a_rule_fired_and_why_it_fails(world, as_user, django_assert_max_num_queries):
    set_up_flow(world.flow)
    rule = Rule.objects.first()
    rule.error = "There is no suppression list “x”."
    rule.save()
    Decision.objects.create(
        flow=world.flow, rule=rule, rule_name="R", source=world.source, evaluation="1", action="alert",
        decided_at="2025-03-14T12:00:00Z",
    )  # fmt: skip
    client = as_user(world.owner)
    with django_assert_max_num_queries(14):
        listed = client.get(url(Rule, "changelist")).text
    assert "Fails" in listed
    assert "14 Mar 2025" in listed or "March 14, 2025" in listed
    assert "There is no suppression list" in client.get(url(rule, "change")).text
