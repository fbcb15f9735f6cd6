"""Every metric, defined once, for rules, routing, reports and API. Pure: sums of cells in, measures out.

Rates have Wilson's interval, means Student's t. Sums (delivered, revenue, cost, margin) are known, not
estimated, so they have none. The median time to conversion is no sum: see `measure_days`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Any, Literal, Self

from flows.evidence import Measure, mean_interval, median_interval, wilson

Unit = Literal["rate", "score", "money", "count", "days"]
Better = Literal["up", "down"]
NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over cells or over deliveries: the columns of ``SourceDay``. Totals of one currency add up.

    Each delivery is in at most one of converted … returned. ``cost`` is what the buyer paid for the leads.
    """

    delivered: int = 0
    with_feedback: int = 0
    converted: int = 0
    contacted: int = 0
    no_contact: int = 0
    bad_info: int = 0
    duplicate: int = 0
    not_interested: int = 0
    returned: int = 0
    quality_count: int = 0
    quality_sum: int = 0
    quality_squares: int = 0
    revenue: Decimal = NOTHING
    revenue_squares: float = 0.0
    commission: Decimal = NOTHING
    cost: Decimal = NOTHING

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """From a row of sums; a sum over nothing (None) is zero, of money a Decimal."""
        return cls(**{name: row[name] or zero for name, zero in _ZEROS.items()})

    def __add__(self, other: Totals) -> Totals:
        return Totals(*(getattr(self, name) + getattr(other, name) for name in COLUMNS))

    def agrees(self, other: Totals) -> bool:
        """Whether both are sums of the same: exact, but for the squares: floats, added up in any order."""
        squares = (self.revenue_squares, other.revenue_squares)
        return math.isclose(*squares, rel_tol=1e-9) and replace(self, revenue_squares=squares[1]) == other


_ZEROS: dict[str, Any] = {field.name: field.default for field in fields(Totals)}
COLUMNS = tuple(_ZEROS)


@dataclass(frozen=True, slots=True)
class Metric:
    """A named number. ``better`` says which way is good; ``per`` names what it is counted on.

    ``part``: of a rate, how many of those have what it is the rate of.
    """

    name: str
    label: str
    unit: Unit
    better: Better
    per: str
    measure: Callable[[Totals], Measure]
    part: Callable[[Totals], int] | None = None


def _rate(part: Callable[[Totals], int], whole: str) -> Callable[[Totals], Measure]:
    def measured(totals: Totals) -> Measure:
        count: int = getattr(totals, whole)
        if not count:
            return Measure(None, 0)
        low, high = wilson(part(totals), count)
        return Measure(Decimal(part(totals)) / count, count, _rounded(low), _rounded(high))

    return measured


def _delivered(totals: Totals) -> Measure:
    return Measure(Decimal(totals.delivered), totals.delivered)


def _average_quality(totals: Totals) -> Measure:
    """The mean score; its interval is kept within 1 to 5."""
    count = totals.quality_count
    if not count:
        return Measure(None, 0)
    interval = mean_interval(count, totals.quality_sum, totals.quality_squares)
    low, high = (max(1.0, interval[0]), min(5.0, interval[1])) if interval else (1.0, 5.0)
    return Measure(Decimal(totals.quality_sum) / count, count, _rounded(low), _rounded(high))


def _sum(part: Callable[[Totals], Decimal]) -> Callable[[Totals], Measure]:
    return lambda totals: Measure(part(totals), totals.delivered)


def _divided(part: Decimal, whole: Decimal | int, count: int) -> Measure:
    return Measure(part / whole if whole else None, count)


def _per_lead(totals: Totals) -> Measure:
    """The mean revenue of all leads, those that brought in nothing included.

    Few leads bring in nearly all of it, so Student's interval is only as good as there are sales in it; where
    there are none, it has none.
    """
    measured = _divided(totals.revenue, totals.delivered, totals.delivered)
    interval = mean_interval(totals.delivered, float(totals.revenue), totals.revenue_squares)
    if interval is None or not totals.revenue_squares:
        return measured
    return replace(measured, low=_rounded(interval[0]), high=_rounded(interval[1]))


def _roi(totals: Totals) -> Measure:
    """What was paid is known, so its interval is that of the revenue per lead, given the cost."""
    measured = _divided(_margin(totals), totals.cost, totals.delivered)
    per_lead, each = _per_lead(totals), _divided(totals.cost, totals.delivered, 0).value
    if not each or per_lead.low is None or per_lead.high is None:
        return measured
    return replace(measured, low=round(per_lead.low / each - 1, 6), high=round(per_lead.high / each - 1, 6))


def _per_acquisition(totals: Totals) -> Measure:
    """What was paid for each conversion. Prices are known, so its interval is that of the conversion rate."""
    measured = _divided(totals.cost, totals.converted, totals.converted)
    if measured.value is None:
        return measured
    low, high = wilson(totals.converted, totals.delivered)
    each = float(totals.cost) / totals.delivered
    return replace(measured, low=_rounded(each / high), high=_rounded(each / low))


def _reached(totals: Totals) -> int:
    return totals.converted + totals.contacted + totals.not_interested


def _rounded(value: float) -> Decimal:
    return Decimal(f"{value:.6f}")


def _margin(totals: Totals) -> Decimal:
    return totals.revenue - totals.cost


def _rate_metric(name: str, label: str, better: Better, part: Callable[[Totals], int], per: str) -> Metric:
    return Metric(name, label, "rate", better, per, _rate(part, per), part)


_ALL = (
    Metric("delivered", "Delivered", "count", "up", "delivered", _delivered),
    _rate_metric("conversion_rate", "Conversion rate", "up", lambda t: t.converted, "delivered"),
    _rate_metric("return_rate", "Return rate", "down", lambda t: t.returned, "delivered"),
    _rate_metric("coverage", "Coverage", "up", lambda t: t.with_feedback, "delivered"),
    _rate_metric("contact_rate", "Contact rate", "up", _reached, "with_feedback"),
    _rate_metric("bad_info_rate", "Bad info rate", "down", lambda t: t.bad_info, "with_feedback"),
    _rate_metric("duplicate_rate", "Duplicate rate", "down", lambda t: t.duplicate, "with_feedback"),
    Metric("average_quality", "Average quality", "score", "up", "quality_count", _average_quality),
    Metric("revenue", "Revenue", "money", "up", "delivered", _sum(lambda t: t.revenue)),
    Metric("revenue_per_lead", "Revenue per lead", "money", "up", "delivered", _per_lead),
    Metric("cost", "Cost", "money", "down", "delivered", _sum(lambda t: t.cost)),
    Metric("cost_per_acquisition", "Cost per acquisition", "money", "down", "converted", _per_acquisition),
    # Both from the buyer's side: what the leads brought in, against what was paid for them.
    Metric("margin", "Margin", "money", "up", "delivered", _sum(_margin)),
    Metric("roi", "Return on cost", "rate", "up", "delivered", _roi),
)
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}
MEDIAN_DAYS = "median_days_to_conversion"  # measured on times, not on totals: `measure_days`
UNITS: dict[str, Unit] = {**{metric.name: metric.unit for metric in _ALL}, MEDIAN_DAYS: "days"}


def measure(name: str, totals: Totals) -> Measure:
    """The metric of that name on those totals. KeyError where there is no such metric."""
    return METRICS[name].measure(totals)


def counts_of(name: str, totals: Totals) -> tuple[int, int]:
    """What a rate is made of, ``(successes, n)``, for tests on counts. TypeError where it is no share."""
    metric = METRICS[name]
    if metric.part is None:
        raise TypeError(f"{name} is no share of anything counted.")
    return metric.part(totals), getattr(totals, metric.per)


def measure_days(days: Sequence[float]) -> Measure:
    """The median time from delivery to conversion, in days, of the leads that converted.

    Its interval is by order statistics: whatever the times' distribution. Of young leads only the quick ones
    have converted, so ask it of mature ones; `flows.survival` takes the young ones into account.
    """
    return measure_ordered(sorted(days))


def measure_ordered(ordered: Sequence[float]) -> Measure:
    """`measure_days` of times that are in order, or of their `Middle`."""
    count = len(ordered)
    if not count:
        return Measure(None, 0)
    middle = (ordered[(count - 1) // 2] + ordered[count // 2]) / 2
    interval = median_interval(ordered)
    low, high = (_rounded(interval[0]), _rounded(interval[1])) if interval else (None, None)
    return Measure(_rounded(middle), count, low, high)


@dataclass(frozen=True, slots=True)
class Middle(Sequence[float]):
    """An ordered list of ``length`` of which only the middle is at hand: ``known``, from place ``first``."""

    first: int = 0
    known: tuple[float, ...] = ()
    length: int = 0

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, place: Any) -> Any:
        if not self.first <= place < self.first + len(self.known):
            raise IndexError(place)
        return self.known[place - self.first]
