"""Evidence that may be looked at as often as one likes. Pure: counts in, e-values and bounds out.

A rule looks at a source after every feedback. A test made for one look, taken at each of thousands, fires
falsely far more often than its 5 % (Robbins 1952). These tests keep their level over all looks together,
however many there are and whenever one stops.

**How.** Bring every value to y between 0 and 1, high where it speaks for the alternative (a return is 1, a
lead kept is 0; a score of x against a mean of at least m is (5 − x)/4). To test H0 "the mean of y is at most
θ", a gambler with one unit of capital stakes on each value; his bet ρ > 1 multiplies his capital by

    (1 + (ρ − 1) y) / (1 + (ρ − 1) θ),

which under H0 is 1 or less on the average, whatever the distribution within [0, 1]. So his capital is a
non-negative supermartingale, and by Ville's inequality it ever reaches 1/α with a probability of at most α.
For rates this is the likelihood ratio of θ' against θ whose odds are ρ times those of θ. As nobody knows the
best bet, the capital is spread beforehand over a fixed grid of ρ; the sum is again such a supermartingale
(the *method of mixtures*). It depends on the counts alone, in whatever order they came: no path is stored.

The grid of log ρ is geometric from 0.007 to 7.4, its weights flat in the middle, where sources differ from
their thresholds by a fifth to several times, and falling off as the fourth power beyond, so that small
differences are found too, in time. As ρ is fixed and not θ', the capital falls strictly as θ grows; so the
values of θ not rejected are an interval, whose end bisection finds: a confidence sequence.

**What is guaranteed, and what is not.**

* The level is that of one sequence: of one rule, source (and buyer), and *period*. A window that slides lets
  old leads go, and with them the money lost on them; the gambler would play on credit. So a confident rule
  counts over consecutive periods (`period`), each of which begins anew with one unit.
* Each lead's value is taken as known once it counts. It can still change by late feedback and corrections.
  Counting only mature leads makes that rare, not impossible; to that extent the level is an approximation.
* The values are taken as draws of one mean, or of means that each keep H0. Nothing is asked of how they are
  spread, and days may differ; but leads that share their fate (one consumer sold thrice) say less than as
  many others, and where bad news comes sooner than good, early counts are worse than the source.
* Money per lead has no upper end, so no bet on it is safe: there is no confident test of revenue per lead,
  nor of the return on cost, which is a ratio of sums of money.

J. Ville, *Étude critique de la notion de collectif* (1939). H. Robbins, "Some aspects of the sequential
design of experiments", Bull. AMS 58 (1952); "Statistical methods related to the law of the iterated
logarithm", Ann. Math. Stat. 41 (1970): mixtures and confidence sequences. S. Howard, A. Ramdas, J. McAuliffe,
J. Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences", Ann. Stat. 49 (2021). I.
Waudby-Smith, A. Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86 (2024): the bets
on bounded means. R. Berger, "Multiparameter hypothesis testing and acceptance sampling", Technometrics 24
(1982): intersection-union tests. What it costs is shown by ``make bench`` (bench/simulations.py).
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Literal

Side = Literal["below", "above"]
Number = float | Decimal
ALPHA = 0.05
MOST = 1e300  # no e-value is told larger than this: it goes into JSON, which knows no infinity
SCORES = (1, 2, 3, 4, 5)
_HALVINGS = 40


@dataclass(frozen=True, slots=True)
class Grid:
    """The bets: log ρ of each, ρ − 1, and the logarithm of the share of the capital on it."""

    log_rho: tuple[float, ...]
    kappa: tuple[float, ...]
    log_weight: tuple[float, ...]

    @classmethod
    def around(cls, centre: float) -> Grid:
        """Weights centred, on the scale of log log ρ, at ``centre``."""
        places = [-5 + 0.25 * step for step in range(29)]
        weights = [1 / (1 + ((place - centre) / 1.1) ** 4) for place in places]
        log_rho = tuple(math.exp(place) for place in places)
        return cls(
            log_rho,
            tuple(math.expm1(each) for each in log_rho),
            tuple(math.log(weight / sum(weights)) for weight in weights),
        )

    def gains(self, y: float) -> tuple[float, ...]:
        """By what (a logarithm) the value y in [0, 1] raises the capital on each bet."""
        return tuple(math.log1p(kappa * y) for kappa in self.kappa)

    def dues(self, theta: float) -> tuple[float, ...]:
        """What (a logarithm) each bet pays for every value, if the mean is to be at most ``theta``."""
        return tuple(math.log1p(kappa * theta) for kappa in self.kappa)


# A fifth more returns makes odds of 1.26 times; a fifth of a score is found fastest by larger bets, as scores
# are spread less than rates are.
RATE_GRID, SCORE_GRID = Grid.around(-0.3), Grid.around(0.2)
_SCORE_GAINS = tuple(SCORE_GRID.gains((score - 1) / 4) for score in SCORES)


def rate_e_value(successes: int, n: int, threshold: Number, side: Side) -> float:
    """The evidence that a rate is beyond the threshold: a capital that began as 1; `ALPHA` asks for 20.

    ``successes`` of ``n``, the threshold a fraction; ``side``: where the rate is supposed to be of it.
    """
    return _told(_log_rate(successes, n, _fraction(threshold), side))


def score_e_value(counts: Sequence[int], threshold: Number, side: Side) -> float:
    """The evidence that a mean score is beyond the threshold (1 to 5). ``counts``: of the scores 1 … 5."""
    return _told(_log_score(counts, _scaled(threshold), side))


def confident_rate(successes: int, n: int, threshold: Number, side: Side, alpha: float = ALPHA) -> bool:
    """Whether the rate is beyond the threshold, at level ``alpha`` over all looks of one period."""
    return _log_rate(successes, n, _fraction(threshold), side) >= -math.log(alpha)


def confident_score(counts: Sequence[int], threshold: Number, side: Side, alpha: float = ALPHA) -> bool:
    """Whether the mean score is beyond the threshold, at level ``alpha`` over all looks of one period."""
    return _log_score(counts, _scaled(threshold), side) >= -math.log(alpha)


def rate_bounds(successes: int, n: int, alpha: float = ALPHA) -> tuple[float, float]:
    """The confidence sequence of a rate: holds it at all looks together with probability 1 − ``alpha``.

    Two-sided, half of alpha a side. (0, 1) where nothing was counted.
    """
    if not n:
        return 0.0, 1.0
    low = _rate_bound(successes, n, "above", alpha / 2)
    return low, _rate_bound(successes, n, "below", alpha / 2)


def score_bounds(counts: Sequence[int], alpha: float = ALPHA) -> tuple[float, float]:
    """The confidence sequence of a mean score, within 1 to 5; two-sided."""
    if not sum(counts):
        return 1.0, 5.0
    low = _bound_above(lambda theta: _log_score(counts, theta, "above"), alpha / 2)
    high = 1 - _bound_above(lambda theta: _log_score(counts[::-1], theta, "above"), alpha / 2)
    return 1 + 4 * low, 1 + 4 * high


def confident_equal_rates(
    pairs: Sequence[tuple[int, int]], threshold: Number, side: Side, alpha: float = ALPHA
) -> bool:
    """Whether the mean of the buyers' rates is beyond the threshold, whichever one buyer is left out.

    ``pairs``: successes and count of each buyer, who all weigh alike. Of the buyers left, each one's bound is
    taken at alpha divided by their number (Bonferroni), so that the mean of the bounds holds at alpha. As
    every way of leaving one out must agree, each can be asked at alpha (Berger's intersection-union test):
    whatever one buyer reports, the others must condemn the source without him. Two buyers at least must
    have counts; with one, this is False, and a rule for each source with each buyer is what to use. Where
    buyers join during a period, the level is that of each number of buyers, not of all of them together.
    """
    heard = [pair for pair in pairs if pair[1]]
    if len(heard) < 2:
        return False
    others = len(heard) - 1
    limit = _fraction(threshold) * others
    rates = [successes / n for successes, n in heard]
    if not _beyond_without_any(rates, limit, side):  # nor are their bounds, which take longer
        return False
    return _beyond_without_any([_rate_bound(*pair, side, alpha / others) for pair in heard], limit, side)


def _beyond_without_any(each: Sequence[float], limit: float, side: Side) -> bool:
    """Whether the sum is beyond the limit also without the one who takes it farthest."""
    return sum(each) - max(each) > limit if side == "above" else sum(each) - min(each) < limit


def equal_rate_bounds(pairs: Sequence[tuple[int, int]], alpha: float = ALPHA) -> tuple[float, float]:
    """The confidence sequence of the mean of the buyers' rates: of bounds at alpha by their number."""
    heard = [pair for pair in pairs if pair[1]]
    if not heard:
        return 0.0, 1.0
    each = [rate_bounds(successes, n, alpha / len(heard)) for successes, n in heard]
    return sum(low for low, _ in each) / len(each), sum(high for _, high in each) / len(each)


def period(today_mature: dt.date, window_days: int) -> tuple[dt.date, dt.date]:
    """The delivery days that a confident rule counts: from the period's first to the last that is mature.

    Periods of ``window_days`` follow each other without a gap, from a fixed day on, the same for all.
    """
    days = max(window_days, 1)
    ordinal = today_mature.toordinal()
    return dt.date.fromordinal(max(ordinal - ordinal % days, 1)), today_mature


def _log_rate(successes: int, n: int, theta: float, side: Side) -> float:
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} of {n} is no count of successes.")
    if side == "below":
        successes, theta = n - successes, 1 - theta
    terms = [
        weight + successes * gain - n * due
        for weight, gain, due in zip(RATE_GRID.log_weight, RATE_GRID.log_rho, _rate_dues(theta), strict=True)
    ]
    return _log_sum(terms)


def _log_score(counts: Sequence[int], theta: float, side: Side) -> float:
    """``theta`` is the threshold on the scale from 0 to 1."""
    if len(counts) != len(SCORES) or min(counts) < 0:
        raise ValueError("Give five counts, of the scores 1 to 5.")
    if side == "below":
        counts, theta = counts[::-1], 1 - theta
    n, (_, two, three, four, five) = sum(counts), counts
    terms = [
        weight + two * g2 + three * g3 + four * g4 + five * g5 - n * due
        for weight, g2, g3, g4, g5, due in zip(
            SCORE_GRID.log_weight, *_SCORE_GAINS[1:], _score_dues(theta), strict=True
        )
    ]
    return _log_sum(terms)


def _log_sum(terms: list[float]) -> float:
    most = max(terms)
    return most + math.log(sum([math.exp(term - most) for term in terms]))


@lru_cache(maxsize=1024)
def _rate_dues(theta: float) -> tuple[float, ...]:
    return RATE_GRID.dues(theta)


@lru_cache(maxsize=1024)
def _score_dues(theta: float) -> tuple[float, ...]:
    return SCORE_GRID.dues(theta)


def _rate_bound(successes: int, n: int, side: Side, alpha: float) -> float:
    """The one-sided bound: the rate is at least it (``above``) or at most it (``below``)."""
    if side == "above":
        return _bound_above(lambda theta: _log_rate(successes, n, theta, "above"), alpha)
    return 1 - _bound_above(lambda theta: _log_rate(n - successes, n, theta, "above"), alpha)


def _bound_above(log_e: Callable[[float], float], alpha: float) -> float:
    """The largest θ that is rejected, from below; 0 where none is. ``log_e`` falls as θ grows."""
    needed, low, high = -math.log(alpha), 0.0, 1.0
    if log_e(low) < needed:
        return 0.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if log_e(middle) >= needed:
            low = middle
        else:
            high = middle
    return low


def _fraction(threshold: Number) -> float:
    theta = float(threshold)
    if not 0 <= theta <= 1:
        raise ValueError("The threshold of a rate lies between 0 and 1.")
    return theta


def _scaled(threshold: Number) -> float:
    mean = float(threshold)
    if not SCORES[0] <= mean <= SCORES[-1]:
        raise ValueError("The threshold of a mean score lies between 1 and 5.")
    return (mean - 1) / 4


def _told(log_e: float) -> float:
    return math.exp(log_e) if log_e < math.log(MOST) else MOST
