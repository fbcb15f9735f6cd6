"""The numbers behind a decision, each with its name. Pure."""

from __future__ import annotations

import datetime as dt
from typing import Any

from flows.models import Decision
from flows.reasons import shown
from flows.rules import METRICS

Fact = tuple[str, str]


def facts_of(decision: Decision) -> list[Fact]:
    """What the decision was taken on, line by line: ``[("Average quality", "2.7"), …]``."""
    numbers = decision.numbers
    if "outcome" in numbers:
        return [("Lead", numbers["lead_id"]), ("Came back as", numbers["outcome"].replace("_", " "))]
    if numbers.get("metric") not in METRICS or numbers.get("value") is None:
        return []
    metric = METRICS[numbers["metric"]]
    facts = [(metric.label, shown(numbers["value"], metric.unit, 2))]
    if numbers.get("low") is not None:
        low, high = (shown(numbers[end], metric.unit, 2) for end in ("low", "high"))
        facts.append(("95 % interval of one look", f"{low} to {high}"))
    facts += [
        ("Counted on", f"{numbers['count']:,} {metric.counted}"),
        ("Threshold", f"{numbers['comparison']} {shown(numbers['threshold'], metric.unit, 2)}"),
        ("Delivered", _days(numbers)),
    ]
    return [*facts, *_conditions(numbers), *_evidence(numbers, metric.unit)]


def _days(numbers: dict[str, Any]) -> str:
    if "from" not in numbers:
        return f"the {numbers['window_days']} days to {numbers['to']}"
    first, last = (dt.date.fromisoformat(numbers[end]) for end in ("from", "to"))
    return f"{first.day} {first:%b %Y} to {last.day} {last:%b %Y}"


def _conditions(numbers: dict[str, Any]) -> list[Fact]:
    facts: list[Fact] = []
    if numbers.get("min_count"):
        facts.append(("Asked for", f"{numbers['min_count']:,} at least"))
    if numbers.get("maturity_days"):
        facts.append(("Only deliveries older than", f"{numbers['maturity_days']} days"))
    if numbers.get("buyer"):
        facts.append(("Only leads of", numbers["buyer"]))
    if numbers.get("without"):
        facts.append(("Without the leads of", ", ".join(numbers["without"])))
    if "equal_buyers" in numbers:
        facts.append(("Mean over", f"{numbers['equal_buyers']} buyers, each weighing the same"))
    return facts


def _evidence(numbers: dict[str, Any], unit: str) -> list[Fact]:
    if numbers.get("evidence") != "confident":
        return [("Evidence", "the bare number")]
    facts = [("Evidence", "certain at 95 %, however often one looks")]
    if "bound" in numbers:
        end = "At most" if numbers["comparison"] == "below" else "At least"
        facts.append((end, shown(numbers["bound"], unit, 2)))
        facts.append(("E-value", f"{numbers['e_value']:,.4g} (needed {numbers['needed']})"))
    return facts
