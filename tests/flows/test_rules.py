"""When a rule fires, and how it says why."""

import datetime as dt
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from feedback import metrics
from flows.evidence import Measure
from flows.models import Rule
from flows.presets import RULES, set_up_flow
from flows.reasons import explain
from flows.rules import METRICS, Condition, Counted
from flows.rules import evaluate as evaluate_counted
from tests import factories as make

TODAY = dt.date(2025, 11, 12)


def condition(**changes):
    given = {
        "metric": "average_quality",
        "comparison": "below",
        "threshold": Decimal("3.0"),
        "min_count": 30,
        "window_days": 30,
        "maturity_days": 0,
    }
    return Condition(**{**given, **changes})


def evaluate(condition, measure, today):
    """The numbers on which the condition fires, or None."""
    finding = evaluate_counted(condition, Counted(measure), today)
    return finding.numbers() if finding.fires else None


@pytest.mark.parametrize(
    ("value", "count", "fires"),
    [("2.99", 30, True), ("3", 500, False), ("2.0", 29, False), (None, 0, False)],
)
def test_below_fires_strictly_below_and_on_enough(value, count, fires):
    measure = Measure(value and Decimal(value), count)
    assert (evaluate(condition(), measure, TODAY) is not None) is fires


def test_a_rate_of_exactly_the_threshold_does_not_fire():
    above = condition(
        metric="conversion_rate", comparison="above", threshold=Decimal("0.1000"), min_count=100
    )
    exactly = metrics.measure("conversion_rate", metrics.Totals(delivered=100, converted=10))
    more = metrics.measure("conversion_rate", metrics.Totals(delivered=100, converted=11))
    assert evaluate(above, exactly, TODAY) is None
    assert evaluate(above, more, TODAY)["value"] == 0.11


def test_the_window_ends_where_deliveries_are_mature():
    first, last = condition(window_days=30, maturity_days=14).days(TODAY)
    assert (first, last) == (dt.date(2025, 9, 30), dt.date(2025, 10, 29))
    assert (last - first).days + 1 == 30


def test_the_reason_is_a_sentence():
    measure = Measure(Decimal("2.6942"), 412, Decimal("2.5012"), Decimal("2.8872"))
    assert explain(evaluate(condition(), measure, TODAY)) == (
        "Average quality 2.7 (95 %: 2.5–2.9) on 412 scores in the 30 days to 12 Nov is below 3.0"
    )


def test_a_value_close_to_the_threshold_is_told_to_two_places():
    measure = Measure(Decimal("2.9821"), 162, Decimal("2.8400"), Decimal("3.1242"))
    assert explain(evaluate(condition(), measure, TODAY)) == (
        "Average quality 2.98 (95 %: 2.84–3.12) on 162 scores in the 30 days to 12 Nov is below 3.0"
    )


def test_the_reason_of_a_rate_is_in_per_cent():
    rate = condition(metric="conversion_rate", threshold=Decimal("0.05"), min_count=100, maturity_days=14)
    measured = metrics.measure("conversion_rate", metrics.Totals(delivered=1203, converted=37))
    assert explain(evaluate(rate, measured, TODAY)) == (
        "Conversion rate 3.1 % (95 %: 2.2–4.2 %) on 1,203 deliveries in the 30 days to 29 Oct is below 5 %"
    )


def test_the_reason_of_a_feedback_names_the_lead():
    assert explain({"outcome": "bad_info", "lead_id": "evt_1"}) == "evt_1 came back as bad info"


def test_what_rules_watch_is_defined_and_called_the_same():
    assert {name: metric.label for name, metric in METRICS.items()} == {
        name: metrics.METRICS[name].label for name in METRICS
    }


def test_the_rules_that_ship_can_be_carried_out(db):
    set_up_flow(make.FlowFactory())
    rules = list(Rule.objects.all())
    assert len(rules) == len(RULES)
    for rule in rules:
        rule.full_clean()


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"metric": "luck"}, "metric"),
        ({"threshold": None}, "threshold"),
        ({"comparison": ""}, "comparison"),
        ({"action": "explode"}, "action"),
        ({"action": "suppress_contact", "params": {"list": "returns"}}, "action"),
        ({"action": "step_cap", "params": {"percentage": "NaN", "min": 1, "max": 9}}, "params"),
        ({"action": "step_cap", "params": {"percentage": 20, "min": 9, "max": 1}}, "params"),
        ({"action": "set_price_adjustment", "params": {"value": 3}}, "params"),
        ({"action": "set_price_adjustment", "params": {"value": True}}, "params"),
        ({"action": "alert", "params": {"level": "loud"}}, "params"),
        ({"window_days": 100_000}, "window_days"),
        ({"trigger": "feedback", "outcome": "sold"}, "outcome"),
    ],
)
def test_a_rule_that_could_not_be_carried_out_is_refused(db, changes, at):
    given = {
        "name": "A rule",
        "metric": "average_quality",
        "comparison": "below",
        "threshold": Decimal(3),
        "action": "pause_source",
    }
    rule = Rule(flow=make.FlowFactory(), **{**given, **changes})
    with pytest.raises(ValidationError) as refused:
        rule.full_clean()
    assert list(refused.value.message_dict) == [at]
