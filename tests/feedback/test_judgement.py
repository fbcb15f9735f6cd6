"""A condition on totals, without a database: fires, is clear, or neither."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.judgement import judge, mean_of, needs_scores
from feedback.metrics import Totals, measure
from flows.evidence import Measure
from flows.reasons import explain, no_longer
from flows.rules import Condition

TODAY = dt.date(2025, 11, 12)


def condition(metric="return_rate", comparison="above", threshold="0.2", **changes) -> Condition:
    given = {"min_count": 10, "window_days": 30, "maturity_days": 0}
    return Condition(metric, comparison, Decimal(threshold), **{**given, **changes})


def returned(n: int, of: int) -> Totals:
    return Totals(delivered=of, returned=n)


def scores(*counts: int) -> Totals:
    total = sum(counts)
    return Totals(
        quality_count=total,
        quality_sum=sum(score * n for score, n in enumerate(counts, 1)),
        quality_squares=sum(score**2 * n for score, n in enumerate(counts, 1)),
    )


@pytest.mark.parametrize(
    ("n", "of", "fires", "clear"),
    [
        (21, 100, True, False),
        (20, 100, False, False),
        (19, 100, False, False),
        (18, 100, False, True),
        (0, 9, False, False),
        (0, 0, False, False),
    ],
)
def test_between_threshold_and_margin_nothing_happens(n, of, fires, clear):
    finding = judge(condition(), {1: returned(n, of)}, TODAY)
    assert (finding.fires, finding.clear) == (fires, clear)


@pytest.mark.parametrize(
    ("metric", "comparison", "threshold", "hysteresis", "clear_at"),
    [
        ("average_quality", "below", "3", "0.1", "3.3"),
        ("average_quality", "below", "4.8", "0.1", "5"),
        ("conversion_rate", "below", "0.95", "0.1", "1"),
        ("bad_info_rate", "above", "0.2", "0.5", "0.1"),
        ("roi", "below", "-0.5", "0.1", "-0.45"),
        ("revenue_per_lead", "below", "40", "0", "40"),
    ],
)
def test_where_a_condition_is_clear(metric, comparison, threshold, hysteresis, clear_at):
    found = condition(metric, comparison, threshold, hysteresis=Decimal(hysteresis)).clear_at
    assert found == Decimal(clear_at)


def test_buyers_together_are_one_heap_and_alike_a_mean():
    by_buyer = {1: returned(0, 100), 2: returned(9, 10), 3: Totals()}
    together = judge(condition(), by_buyer, TODAY).numbers()
    alike = judge(condition(equal_buyers=True), by_buyer, TODAY).numbers()
    assert together["value"] == pytest.approx(9 / 110, abs=1e-6)
    assert (alike["value"], alike["equal_buyers"], alike["count"]) == (0.45, 2, 110)
    assert alike["low"] < 0.45 < alike["high"]


def test_a_mean_of_one_is_that_one():
    one = measure("return_rate", returned(3, 40))
    same = mean_of([one])
    assert (same.value, same.count) == (one.value, one.count)
    assert (float(same.low), float(same.high)) == pytest.approx((float(one.low), float(one.high)), abs=1e-5)


def test_money_has_no_interval_of_its_mean_where_a_part_has_none():
    assert mean_of([Measure(Decimal(2), 1), Measure(Decimal(4), 3, Decimal(1), Decimal(5))]) == Measure(
        Decimal(3), 4
    )


@given(st.lists(st.integers(0, 40), min_size=5, max_size=5), st.sampled_from(["below", "above"]))
def test_who_is_certain_is_right_about_the_bare_number_too(counts, comparison):
    sure = condition("average_quality", comparison, "3", evidence="confident", min_count=1)
    bare = condition("average_quality", comparison, "3", min_count=1)
    assert needs_scores(sure)
    assert not needs_scores(bare)
    finding = judge(sure, {1: scores(*counts)}, TODAY, {1: counts})
    if finding.fires:
        assert judge(bare, {1: scores(*counts)}, TODAY).fires
        assert finding.numbers()["e_value"] >= 19.99
        bound = finding.numbers()["bound"]
        assert bound <= 3 if comparison == "below" else bound >= 3
    assert not (finding.fires and finding.clear)


def test_a_confident_rate_says_why():
    sure = condition(evidence="confident")
    finding = judge(sure, {1: returned(60, 100)}, TODAY)
    first = sure.days(TODAY)[0]
    assert finding.fires
    text = explain(finding.numbers())
    assert text.startswith("Return rate 60.0 % (95 %: 50.2–69.1 %) on 100 deliveries from ")
    assert f"from {first.day} {first:%b} to 12 Nov is above 20 %, and not by chance: it is at least" in text
    assert text.endswith("however often one looks (e-value over a million, needed 20)")


@pytest.mark.parametrize(
    ("evidence", "n", "of", "lapsed"),
    [
        ("point", 3, 12, False),
        ("point", 2, 12, True),
        ("point", 3, 9, True),
        ("confident", 3, 12, False),  # no longer certain, as a new period has begun, but no better
        ("confident", 2, 12, True),
        ("confident", 0, 9, False),  # too little to take anything back
    ],
)
def test_what_was_suggested_lapses_when_the_number_speaks_against_it(evidence, n, of, lapsed):
    finding = judge(condition(evidence=evidence), {1: returned(n, of)}, TODAY)
    assert finding.lapsed is lapsed
    assert not (finding.fires and lapsed)


def test_too_few_are_said_to_be_too_few():
    finding = judge(condition(), {1: returned(3, 9)}, TODAY)
    assert no_longer(finding.numbers()) == (
        "9 deliveries in the 30 days to 12 Nov are too few to say: 10 are asked for"
    )
