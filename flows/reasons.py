"""Why a rule decided, in a sentence for a person who was not there. Pure: a decision's numbers in, words
out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from flows.rules import METRICS, whose

Numbers = Mapping[str, Any]


def explain(numbers: Numbers) -> str:
    """Why a rule decided, without a full stop.

    "Average quality 2.7 (95 %: 2.5–2.9) on 412 scores in the 30 days to 12 Nov is below 3.0"
    """
    if "outcome" in numbers:
        return f"{numbers['lead_id']} came back as {numbers['outcome'].replace('_', ' ')}"
    if numbers.get("cleared"):
        return f"{counted(numbers)} is {_other_side(numbers)} {_threshold(numbers)} again{_margin(numbers)}"
    return f"{counted(numbers)} is {numbers['comparison']} {_threshold(numbers)}{_certainty(numbers)}"


def no_longer(numbers: Numbers) -> str:
    """Why a suggestion was withdrawn: "Average quality 3.1 … on 40 scores … is no longer below 3.0"."""
    if "outcome" in numbers:
        return f"{numbers['lead_id']} no longer stands as {numbers['outcome'].replace('_', ' ')}"
    if numbers["value"] is None or numbers["count"] < numbers["min_count"]:
        metric = METRICS[numbers["metric"]]
        return (
            f"{numbers['count']:,} {metric.counted}{whose(numbers)} {_span(numbers)} "
            f"are too few to say: {numbers['min_count']:,} are asked for"
        )
    return f"{counted(numbers)} is no longer {numbers['comparison']} {_threshold(numbers)}"


def counted(numbers: Numbers) -> str:
    """The number, how sure it is, on what: "Average quality 2.7 (95 %: 2.5–2.9) on 412 scores in the …"."""
    metric = METRICS[numbers["metric"]]
    value, threshold = numbers["value"], numbers["threshold"]
    places = 2 if shown(value, metric.unit) == shown(threshold, metric.unit) else 1
    interval = ""
    if numbers.get("low") is not None:
        low, high = (shown(numbers[end], metric.unit, places) for end in ("low", "high"))
        interval = f" (95 %: {low.removesuffix(' %')}–{high})"
    return (
        f"{metric.label}{whose(numbers)} {shown(value, metric.unit, places)}{interval}{_weighed(numbers)} "
        f"on {numbers['count']:,} {metric.counted}{_without(numbers)} {_span(numbers)}"
    )


def _weighed(numbers: Numbers) -> str:
    count = numbers.get("equal_buyers")
    return f", the mean over {count} buyer{'' if count == 1 else 's'}," if count else ""


def _without(numbers: Numbers) -> str:
    names = numbers.get("without") or ()
    return f" (without {', '.join(names)})" if names else ""


def _span(numbers: Numbers) -> str:
    last = dt.date.fromisoformat(numbers["to"])
    if numbers.get("evidence") != "confident":
        return f"in the {numbers['window_days']} days to {last.day} {last:%b}"
    first = dt.date.fromisoformat(numbers["from"])
    return f"from {first.day} {first:%b} to {last.day} {last:%b}"


def _certainty(numbers: Numbers) -> str:
    """Of a confident rule: that chance is ruled out, and by how much."""
    if numbers.get("evidence") != "confident":
        return ""
    if "bound" not in numbers:
        return ", and not by chance: whichever one buyer is left out, it is so with 95 % certainty"
    end = "most" if numbers["comparison"] == "below" else "least"
    bound = shown(numbers["bound"], METRICS[numbers["metric"]].unit, 2)
    return (
        f", and not by chance: it is at {end} {bound} with 95 % certainty, however often one looks "
        f"(e-value {_e_value(numbers['e_value'])}, needed {numbers['needed']})"
    )


def _e_value(value: float) -> str:
    return "over a million" if value > 1e6 else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _other_side(numbers: Numbers) -> str:
    return "above" if numbers["comparison"] == "below" else "below"


def _margin(numbers: Numbers) -> str:
    share = numbers.get("hysteresis") or 0
    return f", by {share * 100:g} % of that or more" if share else ""


def shown(value: float, unit: str, places: int = 1) -> str:
    """A number in its unit (rate, score, money): "12.3 %", "4.1", "1,250.00"."""
    if unit == "rate":
        return f"{value * 100:.{places}f} %"
    return f"{value:.{places}f}" if unit == "score" else f"{value:,.2f}"


def _threshold(numbers: Numbers) -> str:
    value, unit = numbers["threshold"], METRICS[numbers["metric"]].unit
    if unit == "rate":
        return f"{value * 100:g} %"
    return f"{value:.2f}".removesuffix("0") if unit == "score" else f"{value:,.2f}"
