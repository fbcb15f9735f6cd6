"""Whether a source's last week differs from the four before it by more than chance. Pure.

Rates are compared by Fisher's exact test on the two counts (Fisher 1935; two-sided as twice the smaller
tail): it holds its level for any counts, also far out in the tail where a normal approximation does not.
Volume by the F test of a quasi-Poisson model (McCullagh and Nelder, *Generalized Linear Models*, 2nd ed.,
4.4 and 9.2): the deviance of "both at the same rate" over the dispersion, which is estimated on the 28 days
within weekdays (28 − 7 = 21 degrees of freedom) and never taken to be below 1. With one degree above, that is
Student's t with 21 degrees, squared. Seven days and 28 hold each weekday equally often.

All metrics of all of a seller's sources are looked at on a day, so each is asked for `ALPHA` divided by how
many are looked at (Bonferroni, which holds however they hang together): on at most one day in a hundred on
which nothing has changed is there any false alarm, whether a seller has two sources or two hundred.

What is beyond chance may still be of no interest: a change must be large enough too (`LEAST_CHANGE`), or
many leads would make every trifle an alert.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

ALPHA = 0.01  # of any false alarm, for each seller and day
STILL = 0.05  # an alert stands while even a single test would find a difference at this level
RECENT_DAYS, BASE_DAYS = 7, 28
FREEDOM = BASE_DAYS - 7
LEAST_RECENT, LEAST_BASE = 50, 200  # leads on which a rate is taken, of the week and of the four weeks
LEAST_VOLUME = 80  # leads in the four weeks: twenty a week
LEAST_CHANGE = 0.25  # of a rate, in relation to what it was: from 20 % to 15 % or to 25 %
LEAST_VOLUME_CHANGE = 0.4
Direction = Literal["up", "down"]
Standing = Literal["same", "lasts", "changed"]


@dataclass(frozen=True, slots=True)
class Sample:
    """Of ``whole`` leads, ``part`` have it; of volume ``part`` is the number and ``whole`` the days.

    ``dispersion`` is that of volume: see `dispersion`.
    """

    part: int
    whole: int
    base_part: int
    base_whole: int
    dispersion: float | None = None

    @property
    def ratio(self) -> float:
        """Now over then; infinite where there was nothing."""
        recent = self.part / self.whole if self.whole else 0.0
        return recent * self.base_whole / self.base_part if self.base_part else math.inf

    @property
    def direction(self) -> Direction:
        return "up" if self.ratio > 1 else "down"

    @property
    def enough(self) -> bool:
        """Whether there are enough of both to ask at all."""
        if self.dispersion is not None:
            return self.base_part >= LEAST_VOLUME
        return self.whole >= LEAST_RECENT and self.base_whole >= LEAST_BASE

    @property
    def p_value(self) -> float:
        """How probable it is that chance alone makes a difference like this one or a greater one."""
        if self.dispersion is None:
            return fisher(self.part, self.whole, self.base_part, self.base_whole)
        return volume_p(self.part, self.base_part, self.dispersion)


def judge(samples: Mapping[str, Sample]) -> dict[str, Standing]:
    """How each of a seller's samples stands, by its key; those that are too small are "same".

    But for a week that is too small beside enough weeks before it, which tells nothing new: it "lasts".
    """
    asked = {key: sample for key, sample in samples.items() if sample.enough}
    level = ALPHA / max(len(asked), 1)
    return {
        key: _standing(sample, level) if key in asked else _too_few(sample) for key, sample in samples.items()
    }


def _standing(sample: Sample, level: float) -> Standing:
    least = LEAST_CHANGE if sample.dispersion is None else LEAST_VOLUME_CHANGE
    p_value = sample.p_value
    if p_value <= level and abs(sample.ratio - 1) >= least:
        return "changed"
    return "lasts" if p_value <= STILL else "same"


def _too_few(sample: Sample) -> Standing:
    return "lasts" if sample.dispersion is None and sample.base_whole >= LEAST_BASE else "same"


def fisher(part: int, whole: int, base_part: int, base_whole: int) -> float:
    """The two-sided p-value of ``part`` of ``whole`` beside ``base_part`` of ``base_whole``."""
    if part * base_whole > base_part * whole:  # by symmetry always the lower tail
        part, base_part = whole - part, base_whole - base_part
    drawn, having, total = whole, part + base_part, whole + base_whole
    log_term = (
        _log_choose(having, part) + _log_choose(total - having, drawn - part) - _log_choose(total, drawn)
    )
    term = tail = math.exp(log_term)
    for x in range(part, max(0, drawn + having - total), -1):
        term *= x * (total - having - drawn + x) / ((having - x + 1) * (drawn - x + 1))
        tail += term
        if term < tail * 1e-12:
            break
    return min(1.0, 2 * tail)


def volume_p(recent: int, base: int, spread: float) -> float:
    """The two-sided p-value of ``recent`` leads in a week after ``base`` in four, with that dispersion."""
    total, share = recent + base, RECENT_DAYS / (RECENT_DAYS + BASE_DAYS)
    deviance = 2 * (_excess(recent, total * share) + _excess(base, total * (1 - share)))
    return student_tails(math.sqrt(max(deviance, 0.0) / spread), FREEDOM)


def dispersion(days: Sequence[int]) -> float:
    """By how much daily counts vary more than Poisson's would, from 28 in a row; at least 1.

    Pearson's statistic about each weekday's mean over its degrees of freedom.
    """
    means = [sum(days[weekday::7]) * 7 / BASE_DAYS for weekday in range(7)]
    pearson = sum((count - means[n % 7]) ** 2 / means[n % 7] for n, count in enumerate(days) if means[n % 7])
    return max(1.0, pearson / FREEDOM)


def student_tails(t: float, freedom: int) -> float:
    """Both tails of Student's t beyond ±t, for an odd number of degrees: Abramowitz and Stegun 26.7.3."""
    angle = math.atan(t / math.sqrt(freedom))
    term = total = math.cos(angle)
    for k in range(2, freedom - 2, 2):
        term *= k / (k + 1) * math.cos(angle) ** 2
        total += term
    return max(0.0, 1 - 2 / math.pi * (angle + math.sin(angle) * total))


def _excess(count: int, expected: float) -> float:
    return count * math.log(count / expected) if count else 0.0


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
