"""Sources by chance, and how evidence fares on them when it is looked at after every feedback. No Django."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from flows.evidence import wilson
from flows.sequences import ALPHA, SCORE_GRID, SCORES, Side, confident_rate, confident_score

SOURCES, FEEDBACKS = 2000, 2000
FROM = 30  # before so many neither bare number nor z-test is asked: the rules' usual minimum count
Z_ONE_SIDED, Z_POWER = 1.6448536, 0.8416212  # 5 % on one side; 80 % power
MEAN = 3.0  # the threshold of mean scores here
LEVELS = range(len(SCORES))


@dataclass(frozen=True)
class Falsely:
    """The shares of sources at their threshold on which each kind of evidence fired at any look."""

    name: str
    bare: float
    z_test: float
    confident: float
    sources: int = SOURCES

    @property
    def interval(self) -> tuple[float, float]:
        """Where the share of confident firings lies at 95 %: so many sources are a sample too."""
        return wilson(round(self.confident * self.sources), self.sources)


def pooled(rows: Sequence[Falsely]) -> Falsely:
    """The shares over several seeds, each of as many sources."""
    means = [
        sum(shares) / len(rows)
        for shares in zip(*((r.bare, r.z_test, r.confident) for r in rows), strict=True)
    ]
    return Falsely(rows[0].name, *means, sources=sum(each.sources for each in rows))


@dataclass(frozen=True)
class Found:
    """After how many feedbacks half of the worse sources were found, and the size of a fixed sample."""

    name: str
    median: float
    fixed: int

    @property
    def ratio(self) -> float:
        return self.median / self.fixed


def fixed_sample(at: float, spread_at: float, truly: float, spread_truly: float) -> int:
    """The size of a one-sided 5 % z-test, taken once, that finds the difference in 80 % of all cases."""
    return math.ceil(((Z_ONE_SIDED * spread_at + Z_POWER * spread_truly) / (truly - at)) ** 2)


def least_confident(threshold: float, side: Side, feedbacks: int) -> list[int]:
    """For each n from 1 on: from how many values that speak against the source `confident_rate` is true.

    It is monotone in them, so these numbers are its answer at every look, whatever happens. What speaks
    against the source are successes where they should be few (``above``), else failures.
    """
    least, against = [], 0
    for n in range(1, feedbacks + 1):
        while against <= n:
            if confident_rate(against if side == "above" else n - against, n, threshold, side):
                break
            against += 1
        least.append(against)
    return least


def false_rates(threshold: float, side: Side, *, sources: int = SOURCES, seed: int = 0) -> Falsely:
    """Sources whose true rate is the threshold."""
    draw = random.Random(_seeded(f"false {threshold} {side}", seed)).random
    p = threshold if side == "above" else 1 - threshold
    looks = range(1, FEEDBACKS + 1)
    limits = list(
        zip(
            [n * p if n >= FROM else n for n in looks],
            [n * p + Z_ONE_SIDED * math.sqrt(n * p * (1 - p)) if n >= FROM else n for n in looks],
            [least - 0.5 for least in least_confident(threshold, side, FEEDBACKS)],
            strict=True,
        )
    )
    fired = [0, 0, 0]
    for _ in range(sources):
        against, bare, z_test, sure = 0, False, False, False
        for by_bare, by_z, by_sure in limits:
            against += draw() < p
            bare = bare or against > by_bare
            z_test = z_test or against > by_z
            sure = sure or against > by_sure
        fired = [count + each for count, each in zip(fired, (bare, z_test, sure), strict=True)]
    return Falsely(f"Rate {side} {threshold * 100:g} %", *(count / sources for count in fired), sources)


def _seeded(name: str, seed: int) -> str:
    return f"{name} seed {seed}" if seed else name


def found_rates(threshold: float, side: Side, rate: float, *, sources: int = SOURCES) -> Found:
    """Sources whose true rate is beyond the threshold."""
    spreads = [math.sqrt(each * (1 - each)) for each in (threshold, rate)]
    fixed = fixed_sample(threshold, spreads[0], rate, spreads[1])
    draw = random.Random(f"found {threshold} {side} {rate}").random
    p, limits = rate if side == "above" else 1 - rate, least_confident(threshold, side, 3 * fixed + 50)
    needed = [_first(limits, draw, p) for _ in range(sources)]
    name = f"Rate {rate * 100:g} %, threshold {side} {threshold * 100:g} %"
    return Found(name, statistics.median(needed), fixed)


def _first(limits, draw, p: float) -> float:
    against = 0
    for n, least in enumerate(limits, 1):
        against += draw() < p
        if against >= least:
            return n
    return math.inf


def tilted(shape: Sequence[float], mean: float) -> list[float]:
    """The distribution over the scores 1 … 5 of that mean that is nearest to the shape."""
    low, high = -20.0, 20.0
    for _ in range(60):
        tilt = (low + high) / 2
        weights = [each * math.exp(tilt * (score - 3)) for each, score in zip(shape, SCORES, strict=True)]
        shares = [weight / sum(weights) for weight in weights]
        low, high = (tilt, high) if _moments(shares)[0] < mean else (low, tilt)
    return shares


def _moments(shares: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation of scores."""
    weighed = list(zip(shares, SCORES, strict=True))
    mean = sum(share * score for share, score in weighed)
    return mean, math.sqrt(sum(share * (score - mean) ** 2 for share, score in weighed))


class Capital:
    """The capital of `confident_score` for a mean below the threshold, kept up score by score.

    So a look costs one multiplication a bet. That it says what the function says is checked on each source.
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self.start = [math.exp(weight) for weight in SCORE_GRID.log_weight]
        dues = SCORE_GRID.dues((5 - threshold) / 4)
        self.factors = [
            [math.exp(gain - due) for gain, due in zip(SCORE_GRID.gains((5 - score) / 4), dues, strict=True)]
            for score in SCORES
        ]

    def first_firing(self, levels: Sequence[int]) -> int | None:
        """After how many of these scores (0 … 4 for 1 … 5) it first reaches 1/α; None if it does not."""
        capital, needed = self.start, 1 / ALPHA
        for n, level in enumerate(levels, 1):
            capital = [has * factor for has, factor in zip(capital, self.factors[level], strict=True)]
            if sum(capital) >= needed:
                assert not self.confident(levels[: n - 1])
                assert self.confident(levels[:n])
                return n
        assert not self.confident(levels)
        return None

    def confident(self, levels: Sequence[int]) -> bool:
        return confident_score([levels.count(each) for each in LEVELS], self.threshold, "below")


def false_scores(named: str, shape: Sequence[float], *, sources: int = SOURCES, seed: int = 0) -> Falsely:
    """Sources whose true mean score is the threshold."""
    rng, capital = random.Random(_seeded(f"false scores {named}", seed)), Capital(MEAN)
    shares, fired = tilted(shape, MEAN), [0, 0, 0]
    for _ in range(sources):
        levels = rng.choices(LEVELS, shares, k=FEEDBACKS)
        each = (*_bare_and_z(levels), capital.first_firing(levels) is not None)
        fired = [count + yes for count, yes in zip(fired, each, strict=True)]
    return Falsely(f"Mean score below {MEAN:g}, {named}", *(count / sources for count in fired), sources)


def _bare_and_z(levels: Sequence[int]) -> tuple[bool, bool]:
    """Whether the bare mean, and a z-test with the spread of the scores so far, fired at any look."""
    total, squares, bare = 0, 0, False
    for n, level in enumerate(levels, 1):
        total += level - 2  # from the threshold
        squares += (level - 2) ** 2
        if n >= FROM and total < 0:
            bare = True
            if total * total > Z_ONE_SIDED**2 * n * (squares - total * total / n) / (n - 1):
                return True, True
    return bare, False


def found_scores(named: str, shape: Sequence[float], mean: float, *, sources: int = SOURCES) -> Found:
    """Sources whose true mean score is below the threshold."""
    shares = tilted(shape, mean)
    spreads = [_moments(each)[1] for each in (tilted(shape, MEAN), shares)]
    fixed = fixed_sample(MEAN, spreads[0], mean, spreads[1])
    rng, capital = random.Random(f"found scores {named} {mean}"), Capital(MEAN)
    needed = [
        capital.first_firing(rng.choices(LEVELS, shares, k=3 * fixed + 50)) or math.inf
        for _ in range(sources)
    ]
    return Found(f"Mean score {mean:g}, threshold below {MEAN:g}, {named}", statistics.median(needed), fixed)
