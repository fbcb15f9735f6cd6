"""Kaplan and Meier's estimate: against a published example, and on late conversions."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.lateness import growing_source
from flows.survival import curve

# Freireich et al. (1963), 6-MP: weeks of remission of 21 patients, as in every textbook since Cox (1972).
RELAPSED = [6, 6, 6, 7, 10, 13, 16, 22, 23]
STILL_WELL = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
TIMES = st.lists(st.integers(0, 40).map(float), max_size=40)


def test_it_agrees_with_the_textbooks():
    found = curve(RELAPSED, STILL_WELL)
    assert [(step.time, step.at_risk, step.events) for step in found.steps] == [
        (6, 21, 3), (7, 17, 1), (10, 15, 1), (13, 12, 1), (16, 11, 1), (22, 7, 1), (23, 6, 1)
    ]  # fmt: skip
    survival = [1 - step.share for step in found.steps]
    assert survival == pytest.approx([0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448], abs=0.0005)
    assert (found.watched, found.until) == (21, 35)


def test_its_interval_is_greenwoods_on_the_scale_of_log_log():
    # R, survfit(..., conf.type = "log-log") at 10 weeks: 0.753 (0.503, 0.889)
    step = curve(RELAPSED, STILL_WELL).at(10)
    assert (1 - step.high, 1 - step.low) == (pytest.approx(0.503, abs=0.001), pytest.approx(0.889, abs=0.001))


def test_between_steps_the_last_holds_and_before_the_first_nothing_has_happened():
    found = curve(RELAPSED, STILL_WELL)
    assert found.share(9.99) == found.share(7)
    assert found.share(5.99) == 0
    assert found.at(1) is None


def test_nobody_watched_is_no_curve():
    found = curve([], [])
    assert (found.steps, found.watched, found.share(30), found.median(30)) == ((), 0, 0, None)


def test_where_all_converted_nothing_is_left_and_the_interval_says_nothing():
    last = curve([1.0, 2.0], []).steps[-1]
    assert (last.share, last.low, last.high) == (1, 0, 1)


@given(TIMES)
def test_without_censoring_before_the_end_it_is_the_plain_share(converted):
    found = curve(converted, [50.0] * 10)
    for step in found.steps:
        plain = sum(time <= step.time for time in converted) / (len(converted) + 10)
        assert step.share == pytest.approx(plain)


@given(TIMES, TIMES)
def test_it_rises_and_its_interval_holds_it(converted, waiting):
    shares = [0.0]
    for step in curve(converted, waiting).steps:
        assert step.share > shares[-1]
        assert 0 <= step.low <= step.share + 1e-12
        assert step.share - 1e-12 <= step.high <= 1
        assert math.isfinite(step.low)
        shares.append(step.share)


def test_the_median_is_that_of_those_who_convert_within_the_horizon():
    found = curve([1.0, 2.0, 3.0, 4.0, 60.0], [90.0] * 95)
    median, low, high = found.median(30)
    assert median == 2  # the second of four
    assert 1 <= low <= median <= high <= 30


def test_a_young_source_has_the_median_of_an_old_one():
    """All sold at 10 or 20 days, in equal shares; half of those who will convert are too young to have."""
    old = curve([10.0] * 20 + [20.0] * 20, [40.0] * 360)
    young = curve([10.0] * 20 + [20.0] * 10, [15.0] * 190 + [40.0] * 180)
    assert old.median(30)[0] == young.median(30)[0] == 10


def test_a_growing_source_seems_bad_to_the_naive_rate_alone():
    # The naive bias is 60 errors at 400 sources, so some 19 at 40. Chance alone is off by more than 4 errors
    # in 6 of 100,000 cases.
    naive, mature, estimated = growing_source(runs=40)
    assert naive.errors < -8
    assert abs(mature.errors) < 4
    assert abs(estimated.errors) < 4
