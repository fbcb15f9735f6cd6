"""The tests behind "sudden change": exact where they claim to be, and not false more often than said."""

from __future__ import annotations

import bisect
import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.baseline import ALPHA, Sample, dispersion, fisher, judge, student_tails, volume_p

SOURCES = 6  # of a seller, at none of which anything has changed


def choose_all(part, whole, base_part, base_whole) -> float:
    """Fisher's test, counted out."""
    having, total = part + base_part, whole + base_whole
    ways = [math.comb(having, x) * math.comb(total - having, whole - x) for x in range(whole + 1)]
    tail = min(sum(ways[: part + 1]), sum(ways[part:]))
    return min(1.0, 2 * tail / sum(ways))


@given(st.data())
def test_fishers_test_is_exact(data):
    whole, base = data.draw(st.integers(1, 60)), data.draw(st.integers(1, 90))
    part, base_part = data.draw(st.integers(0, whole)), data.draw(st.integers(0, base))
    exact = choose_all(part, whole, base_part, base)
    assert fisher(part, whole, base_part, base) == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize(("t", "both"), [(0, 1), (1.721, 0.1), (2.080, 0.05), (2.831, 0.01), (3.819, 0.001)])
def test_students_tails_are_those_of_the_tables(t, both):
    assert student_tails(t, 21) == pytest.approx(both, rel=2e-3)


def test_dispersion_is_that_beyond_the_weekdays():
    assert dispersion([10, 20, 30, 40, 50, 5, 0] * 4) == 1.0  # a pattern is no variation
    days = [10] * 7 + [30] * 7 + [10] * 7 + [30] * 7
    assert dispersion(days) == pytest.approx(28 * 100 / 20 / 21)


def test_a_volume_that_varies_is_asked_for_more():
    assert volume_p(60, 400, 1.0) < volume_p(60, 400, 4.0)
    assert volume_p(100, 400, 1.0) == 1.0


@pytest.mark.parametrize(
    ("sample", "standing"),
    [
        (Sample(5, 100, 80, 400), "changed"),  # 20 % to 5 %
        (Sample(60, 100, 80, 400), "changed"),
        (Sample(12, 100, 80, 400), "same"),  # 12 %, at p = 0.08
        (Sample(10, 100, 80, 400), "lasts"),
        (Sample(2, 49, 80, 400), "lasts"),  # too few now
        (Sample(0, 60, 60, 199), "same"),  # too few then
        (Sample(40_000, 200_000, 176_000, 800_000), "lasts"),  # certain, and a trifle: 22 % to 20 %
        (Sample(10, 7, 100, 28, 1.0), "changed"),
        (Sample(14, 7, 79, 28, 1.0), "same"),  # too few
        (Sample(10, 7, 100, 28, 9.0), "same"),  # it always varies as much
    ],
)
def test_what_is_a_change(sample, standing):
    assert judge({"one": sample}) == {"one": standing}


def test_of_many_each_is_asked_for_more():
    sample = Sample(7, 100, 80, 400)  # p = 0.002
    assert judge({"one": sample})["one"] == "changed"
    many = {str(number): Sample(20, 100, 80, 400) for number in range(30)}
    assert judge({**many, "one": sample})["one"] == "lasts"


def test_a_week_of_nothing_at_all_is_judged_without_a_fault():
    assert judge({"rate": Sample(0, 0, 0, 0), "volume": Sample(0, 7, 0, 28, 1.0)}) == {
        "rate": "same",
        "volume": "same",
    }


class Draw:
    """Draws of a discrete distribution, from its running sums."""

    def __init__(self, rng: random.Random, weights: list[float]) -> None:
        self.rng, self.sums = rng, list(itertools.accumulate(weights))

    def __call__(self) -> int:
        return bisect.bisect(self.sums, self.rng.random() * self.sums[-1])


def binomial(rng: random.Random, n: int, p: float) -> Draw:
    return Draw(rng, [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)])


def negative_binomial(rng: random.Random, mean: float, spread: float) -> Draw:
    """Counts with a variance of ``spread`` times their mean."""
    size = mean / (spread - 1)
    logs = [
        math.lgamma(size + k) - math.lgamma(size) - math.lgamma(k + 1)
        + size * math.log(1 / spread) + k * math.log(1 - 1 / spread)
        for k in range(int(12 * mean) + 60)
    ]  # fmt: skip
    return Draw(rng, [math.exp(each) for each in logs])


def false_alarms(sellers: int, draw) -> float:
    """The share of days of a seller on which anything is found, where there is nothing to be found."""
    found = sum("changed" in judge(draw()).values() for _ in range(sellers))
    return found / sellers


@pytest.mark.parametrize("size", [(60, 240), (250, 1000)])
def test_rates_alarm_falsely_on_no_more_days_than_said(size):
    rng = random.Random(11)
    rates = (0.03, 0.1, 0.3, 0.8)
    recent, base = ([binomial(rng, n, rate) for rate in rates] for n in size)

    def day():
        return {
            f"{source}:{n}": Sample(recent[n](), size[0], base[n](), size[1])
            for source in range(SOURCES)
            for n in range(len(rates))
        }

    assert false_alarms(1500, day) <= ALPHA


@pytest.mark.parametrize("spread", [1.05, 3.0])
def test_volume_alarms_falsely_on_no_more_days_than_said(spread):
    """Also where days vary by more than chance would have it, and weekends are quiet."""
    rng = random.Random(12)
    week = [negative_binomial(rng, mean, spread) for mean in (12, 14, 14, 13, 11, 5, 4)]

    def sample():
        base = [draw() for _ in range(4) for draw in week]
        return Sample(sum(draw() for draw in week), 7, sum(base), 28, dispersion(base))

    assert false_alarms(1500, lambda: {str(source): sample() for source in range(SOURCES)}) <= ALPHA


def test_a_rate_that_halves_is_found_at_once_among_those_of_six_sources():
    rng = random.Random(13)
    now, before, same = binomial(rng, 250, 0.1), binomial(rng, 1000, 0.2), binomial(rng, 250, 0.2)
    found = 0
    for _ in range(200):
        samples = {str(n): Sample(same(), 250, before(), 1000) for n in range(SOURCES * 4 - 1)}
        found += judge({**samples, "halved": Sample(now(), 250, before(), 1000)})["halved"] == "changed"
    assert found >= 100
