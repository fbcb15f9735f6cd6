"""When a rule fires, and how to say why. Pure: a condition and a measure in, numbers and words out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from flows.evidence import Measure


class RuleMetric(NamedTuple):
    """A metric that a rule may watch; ``counted`` are the things that its count counts."""

    label: str
    unit: Literal["rate", "score", "money"]
    counted: str


# The definitions stand in feedback/metrics.py under the same names.
METRICS = {
    "average_quality": RuleMetric("Average quality", "score", "scores"),
    "conversion_rate": RuleMetric("Conversion rate", "rate", "deliveries"),
    "return_rate": RuleMetric("Return rate", "rate", "deliveries"),
    "coverage": RuleMetric("Coverage", "rate", "deliveries"),
    "contact_rate": RuleMetric("Contact rate", "rate", "deliveries with feedback"),
    "bad_info_rate": RuleMetric("Bad info rate", "rate", "deliveries with feedback"),
    "duplicate_rate": RuleMetric("Duplicate rate", "rate", "deliveries with feedback"),
    "revenue_per_lead": RuleMetric("Revenue per lead", "money", "deliveries"),
    "roi": RuleMetric("Return on cost", "rate", "deliveries"),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """A rule's condition. The threshold is a fraction for rates, 1 to 5 for scores."""

    metric: str
    comparison: Literal["below", "above"]
    threshold: Decimal
    min_count: int
    window_days: int
    maturity_days: int

    def days(self, today: dt.date) -> tuple[dt.date, dt.date]:
        """First and last delivery day that count: ``window_days`` days, the last of which is mature today.

        Conversions take time: counted too young, every source looks bad.
        """
        last = today - dt.timedelta(days=self.maturity_days)
        return last - dt.timedelta(days=max(self.window_days, 1) - 1), last


def evaluate(condition: Condition, measure: Measure, today: dt.date) -> dict[str, Any] | None:
    """The numbers, JSON-typed, on which the condition fires; None where it does not."""
    if measure.value is None or measure.count < condition.min_count:
        return None
    below = condition.comparison == "below"
    if not (measure.value < condition.threshold if below else measure.value > condition.threshold):
        return None
    first, last = condition.days(today)
    return {
        "metric": condition.metric,
        "value": _number(measure.value),
        "low": _number(measure.low),
        "high": _number(measure.high),
        "count": measure.count,
        "comparison": condition.comparison,
        "threshold": _number(condition.threshold),
        "min_count": condition.min_count,
        "window_days": condition.window_days,
        "maturity_days": condition.maturity_days,
        "from": first.isoformat(),
        "to": last.isoformat(),
    }


def explain(numbers: Mapping[str, Any]) -> str:
    """Why a rule fired, in one sentence without a full stop.

    "Average quality 2.7 (95 %: 2.5–2.9) on 412 scores in the 30 days to 12 Nov is below 3"
    """
    if "outcome" in numbers:
        return f"{numbers['lead_id']} came back as {numbers['outcome'].replace('_', ' ')}"
    metric = METRICS[numbers["metric"]]
    last = dt.date.fromisoformat(numbers["to"])
    value, threshold = numbers["value"], numbers["threshold"]
    places = 2 if _shown(value, metric.unit) == _shown(threshold, metric.unit) else 1
    interval = ""
    if numbers["low"] is not None:
        low, high = (_shown(numbers[end], metric.unit, places) for end in ("low", "high"))
        interval = f" (95 %: {low.removesuffix(' %')}–{high})"
    return (
        f"{metric.label} {_shown(value, metric.unit, places)}{interval} on {numbers['count']:,} "
        f"{metric.counted} in the {numbers['window_days']} days to {last.day} {last:%b} "
        f"is {numbers['comparison']} {_threshold(threshold, metric.unit)}"
    )


def _number(value: Decimal | None) -> float | None:
    return None if value is None else round(float(value), 6)


def _shown(value: float, unit: str, places: int = 1) -> str:
    if unit == "rate":
        return f"{value * 100:.{places}f} %"
    return f"{value:.{places}f}" if unit == "score" else f"{value:,.2f}"


def _threshold(value: float, unit: str) -> str:
    return f"{value * 100:g} %" if unit == "rate" else f"{value:.1f}" if unit == "score" else f"{value:,.2f}"
