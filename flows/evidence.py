"""How sure a number is. Pure: counts in, intervals out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

Z95 = 1.959963984540054  # the normal distribution's 97.5 % point
# Student's t, 97.5 %, for 1 to 9 degrees of freedom; above them the series below is good to 0.0002.
_T95 = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622)


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric's value, what it was counted on, and its 95 % interval.

    Rates are fractions (0.10), scores 1 to 5, money in the flow's currency, times in days. ``value`` is None
    where there is nothing to divide by; ``low`` and ``high`` are None where the metric has no interval.
    """

    value: Decimal | None
    count: int
    low: Decimal | None = None
    high: Decimal | None = None

    def as_json(self) -> dict[str, float | int | None]:
        """As the API tells it, and as a decision keeps it: numbers to six places."""
        return {
            "value": _number(self.value),
            "count": self.count,
            "low": _number(self.low),
            "high": _number(self.high),
        }


def _number(value: Decimal | None) -> float | None:
    return None if value is None else round(float(value), 6)


def wilson(successes: int, n: int) -> tuple[float, float]:
    """The 95 % score interval of a rate (Wilson 1927), as fractions; (0, 1) where nothing was counted."""
    if n == 0:
        return 0.0, 1.0
    rate, z2 = successes / n, Z95 * Z95
    centre = rate + z2 / (2 * n)
    spread = Z95 * math.sqrt(rate * (1 - rate) / n + z2 / (4 * n * n))
    scale = 1 + z2 / n
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def t_quantile(freedom: int) -> float:
    """Student's t at 97.5 % for ``freedom`` ≥ 1: a table, then Abramowitz & Stegun 26.7.5."""
    if freedom <= len(_T95):
        return _T95[freedom - 1]
    z = Z95
    return (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )


def mean_interval(n: int, total: float, squares: float) -> tuple[float, float] | None:
    """The 95 % interval of a mean from its count, sum and sum of squares; None for fewer than two."""
    if n < 2:
        return None
    mean = total / n
    variance = max(0.0, (squares - total * mean) / (n - 1))
    spread = t_quantile(n - 1) * math.sqrt(variance / n)
    return mean - spread, mean + spread


def median_interval(ordered: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % interval of a median by order statistics; None for fewer than six values.

    The number of values below the median is binomial with n and ½, so the k-th smallest and the k-th largest
    hold it with a probability of 1 − 2 P(B < k): the largest k with at least 95 % (Conover, *Practical
    Nonparametric Statistics*, 3.2; Thompson 1936). Above 1,000 values by the normal distribution,
    which errs by a rank at most.
    """
    n = len(ordered)
    k = _rank(n)
    return (ordered[k - 1], ordered[n - k]) if k else None


def _rank(n: int) -> int:
    """The largest k for which P(B(n, ½) < k) is 2.5 % or less; 0 where there is none."""
    if n > 1000:
        return math.floor((n + 1 - Z95 * math.sqrt(n)) / 2)
    below, term, k = 0.0, 0.5**n, 0
    while below + term <= 0.025:
        below += term
        term *= (n - k) / (k + 1)
        k += 1
    return k
