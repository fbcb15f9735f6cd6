"""Every metric, defined once. Pure: sums of cells in, measures out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Literal, Self

from flows.evidence import Measure, mean_interval, wilson

Unit = Literal["rate", "score", "money"]
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
    commission: Decimal = NOTHING
    cost: Decimal = NOTHING

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """From a row of sums; a sum over nothing (None) is zero, of money a Decimal."""
        return cls(**{name: row[name] or zero for name, zero in _ZEROS.items()})

    def __add__(self, other: Totals) -> Totals:
        return Totals(*(getattr(self, name) + getattr(other, name) for name in COLUMNS))


_ZEROS: dict[str, Any] = {field.name: field.default for field in fields(Totals)}
COLUMNS = tuple(_ZEROS)


@dataclass(frozen=True, slots=True)
class Metric:
    """A named number. ``better`` says which way is good; ``per`` names what it is counted on."""

    name: str
    label: str
    unit: Unit
    better: Better
    per: str
    measure: Callable[[Totals], Measure]


def _rate(part: Callable[[Totals], int], whole: str) -> Callable[[Totals], Measure]:
    def measured(totals: Totals) -> Measure:
        count: int = getattr(totals, whole)
        if not count:
            return Measure(None, 0)
        low, high = wilson(part(totals), count)
        return Measure(Decimal(part(totals)) / count, count, _rounded(low), _rounded(high))

    return measured


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
    return _divided(totals.revenue, totals.delivered, totals.delivered)


def _roi(totals: Totals) -> Measure:
    return _divided(_margin(totals), totals.cost, totals.delivered)


def _reached(totals: Totals) -> int:
    return totals.converted + totals.contacted + totals.not_interested


def _rounded(value: float) -> Decimal:
    return Decimal(f"{value:.6f}")


def _margin(totals: Totals) -> Decimal:
    return totals.revenue - totals.cost


def _rate_metric(name: str, label: str, better: Better, part: Callable[[Totals], int], per: str) -> Metric:
    return Metric(name, label, "rate", better, per, _rate(part, per))


_ALL = (
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
    # Both from the buyer's side: what the leads brought in, against what was paid for them.
    Metric("margin", "Margin", "money", "up", "delivered", _sum(_margin)),
    Metric("roi", "Return on cost", "rate", "up", "delivered", _roi),
)
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}


def measure(name: str, totals: Totals) -> Measure:
    """The metric of that name on those totals. KeyError where there is no such metric."""
    return METRICS[name].measure(totals)
