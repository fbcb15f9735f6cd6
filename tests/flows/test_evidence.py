"""Intervals against published numbers."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.evidence import mean_interval, median_interval, t_quantile, wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    # Newcombe (1998), table I, method 3 (the score interval without continuity correction).
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_agrees_with_newcombe(successes, n, low, high):
    assert wilson(successes, n) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_wilson_of_nothing_says_nothing():
    assert wilson(0, 0) == (0.0, 1.0)


@given(st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_rate_and_stays_within_0_and_1(counts):
    successes, n = counts
    low, high = wilson(successes, n)
    assert 0 <= low <= successes / n + 1e-12
    assert successes / n - 1e-12 <= high <= 1


@pytest.mark.parametrize(
    ("freedom", "t"),
    [(1, 12.7062), (5, 2.5706), (9, 2.2622), (10, 2.2281), (15, 2.1314), (30, 2.0423), (120, 1.9799)],
)
def test_t_agrees_with_the_tables(freedom, t):
    assert t_quantile(freedom) == pytest.approx(t, abs=2.5e-4)


def test_the_mean_of_one_has_no_interval():
    assert mean_interval(1, 3, 9) is None


def test_the_interval_of_a_mean_worked_by_hand():
    # 1, 2, 3, 4, 5: mean 3, variance 2.5, t(4) = 2.7764
    spread = 2.7764 * math.sqrt(2.5 / 5)
    assert mean_interval(5, 15, 55) == (pytest.approx(3 - spread), pytest.approx(3 + spread))


def test_equal_scores_have_a_mean_without_spread():
    assert mean_interval(30, 90, 270) == (3, 3)


@pytest.mark.parametrize(
    ("n", "k"),
    # The tables of the sign test at 5 %, two-sided: n values, the k-th from either end.
    [(5, 0), (6, 1), (8, 1), (9, 2), (20, 6), (25, 8), (50, 18), (100, 40), (1000, 469), (5000, 2431)],
)
def test_the_median_is_held_by_the_order_statistics_of_the_sign_test(n, k):
    ordered = list(range(1, n + 1))
    assert median_interval(ordered) == ((k, n - k + 1) if k else None)


@given(st.lists(st.floats(0, 1000), min_size=6, max_size=200))
def test_the_interval_of_a_median_holds_it(values):
    ordered = sorted(values)
    low, high = median_interval(ordered)
    assert low <= ordered[(len(ordered) - 1) // 2] <= ordered[len(ordered) // 2] <= high
