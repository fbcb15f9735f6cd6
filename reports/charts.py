"""What the charts draw: weekly series with their bands, and the interval bars of sources. Pure."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from feedback.metrics import Totals, measure
from flows.evidence import Measure
from flows.models.config import CURRENCY_DECIMALS
from portal.formats import number
from reports.periods import WEEK, Period, monday_of
from reports.words import rounded

WEEKS = 13  # at least, so that a line has a shape
BAR_WIDTH = 200  # of the drawing, in its own units
Threshold = tuple[Decimal, str]  # a rate, and "low" or "high": on which side of it a rule acts
_NICE = tuple(Decimal(text) for text in ("0.01", "0.02", "0.05", "0.1", "0.16", "0.2", "0.3", "0.5", "0.75"))


@dataclass(frozen=True)
class Week:
    """A week of deliveries. ``maturing``: some of them are still too young to count."""

    period: Period
    totals: Totals
    maturing: bool

    @cached_property
    def conversion(self) -> Measure:
        return measure("conversion_rate", self.totals)

    @cached_property
    def contact(self) -> Measure:
        return measure("contact_rate", self.totals)

    @cached_property
    def quality(self) -> Measure:
        return measure("average_quality", self.totals)


def span(period: Period) -> Period:
    """The whole weeks that hold the period, and no fewer than WEEKS."""
    earliest = monday_of(period.last) - (WEEKS - 1) * WEEK
    return Period(min(monday_of(period.first), earliest), period.last)


def weeks(daily: Mapping[dt.date, Totals], over: Period, mature_until: dt.date) -> list[Week]:
    """The days summed by week of delivery, empty weeks before the first delivery left out."""
    made = [
        Week(
            week,
            sum((totals for day, totals in daily.items() if week.first <= day <= week.last), Totals()),
            maturing=week.last > mature_until,
        )
        for week in over.weeks()
    ]
    first = next((at for at, week in enumerate(made) if week.totals.delivered), len(made))
    return made[first:]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart as static/charts.js reads it from ``data-chart``."""

    name: str
    title: str
    data: str
    summary: str  # for who does not see it


def conversion_chart(made: Sequence[Week], thresholds: Sequence[Threshold]) -> Chart:
    data = _banded([week.conversion for week in made], scale=100)
    data |= {
        "unit": "%",
        "maturing": _maturing(made),
        "thresholds": [(float(value * 100), kind) for value, kind in thresholds],
    }
    return _chart("conversion", "Conversion rate, weekly cohorts", made, data)


def quality_chart(made: Sequence[Week]) -> Chart:
    data = _banded([week.quality for week in made], scale=1)
    data |= {"unit": "", "low_end": 1, "high_end": 5, "maturing": None}
    return _chart("quality", "Average quality", made, data)


def contact_chart(made: Sequence[Week]) -> Chart:
    """Of leads with feedback, as the metric counts: so none of it is still to come."""
    data = _banded([week.contact for week in made], scale=100) | {"unit": "%", "maturing": None}
    return _chart("contact", "Contact rate, weekly cohorts", made, data)


def revenue_chart(made: Sequence[Week], currency: str) -> Chart:
    return money_chart(made, currency, "revenue", "Revenue per week of delivery")


def money_chart(made: Sequence[Week], currency: str, name: str, title: str) -> Chart:
    """The sum of a money column of the totals. What was paid is known at once, revenue is still to come."""
    data = {
        "y": [float(getattr(week.totals, name)) for week in made],
        "unit": currency,
        "decimals": CURRENCY_DECIMALS[currency] if currency else 2,
        "maturing": None if name == "cost" else _maturing(made),
    }
    return _chart(name, title, made, data)


def _maturing(made: Sequence[Week]) -> int | None:
    """The first week that is still maturing: from there on the numbers will grow."""
    return next((at for at, week in enumerate(made) if week.maturing), None)


def _banded(measures: Sequence[Measure], scale: int) -> dict[str, object]:
    return {
        name: [_number(getattr(each, of), scale) for each in measures]
        for name, of in (("y", "value"), ("low", "low"), ("high", "high"))
    }


def _chart(name: str, title: str, made: Sequence[Week], data: dict[str, object]) -> Chart:
    data["x"] = [_epoch(week.period.first) for week in made]
    values = [value for value in data["y"] if value is not None]  # type: ignore[attr-defined]  # a list
    summary = f"{title}: {len(made)} weeks"
    if values:
        low, high, last = (number(value, 1) for value in (min(values), max(values), values[-1]))
        summary += f", from {low} to {high}, last {last} {data['unit']}"
    return Chart(name, title, json.dumps(data, separators=(",", ":")), summary.strip())


def _number(value: Decimal | None, scale: int) -> float | None:
    return None if value is None else float(rounded(value * scale, 3))


def _epoch(day: dt.date) -> int:
    return int(dt.datetime.combine(day, dt.time(), dt.UTC).timestamp())


@dataclass(frozen=True, slots=True)
class Bar:
    """An interval on a common axis: positions in units of BAR_WIDTH. ``cut``: it goes on beyond the axis."""

    start: float
    width: float
    value: float
    cut: bool
    thresholds: tuple[tuple[float, str], ...]  # position, and "low" or "high"


def axis_end(highs: Sequence[Decimal]) -> Decimal:
    """The round rate at which the axis of the bars ends."""
    top = max(highs, default=Decimal("0.1"))
    return next((nice for nice in _NICE if nice >= top), Decimal(1))


def bar(rate: Measure, end: Decimal, thresholds: Sequence[Threshold]) -> Bar | None:
    """None where nothing was counted."""
    if rate.value is None or rate.low is None or rate.high is None:
        return None
    start, stop = _at(rate.low, end), _at(rate.high, end)
    marks = tuple((_at(value, end), kind) for value, kind in thresholds if value <= end)
    return Bar(start, round(max(stop - start, 1), 1), _at(rate.value, end), rate.high > end, marks)


def _at(rate: Decimal, end: Decimal) -> float:
    return round(float(min(rate, end) / end) * BAR_WIDTH, 1)
