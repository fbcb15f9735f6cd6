"""When a rule fires, when it has cleared, and how to say why. Pure: what was counted in, a finding out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from flows import sequences
from flows.evidence import Measure


class RuleMetric(NamedTuple):
    """A metric that a rule may watch.

    ``counted`` are the things that its count counts; ``test``: by which sequential test it can be confident
    (None: by none, as money has no upper end, see `flows.sequences`).
    """

    label: str
    unit: Literal["rate", "score", "money"]
    counted: str
    test: Literal["rate", "score"] | None = "rate"


# The definitions stand in feedback/metrics.py under the same names.
METRICS = {
    "average_quality": RuleMetric("Average quality", "score", "scores", "score"),
    "conversion_rate": RuleMetric("Conversion rate", "rate", "deliveries"),
    "return_rate": RuleMetric("Return rate", "rate", "deliveries"),
    "coverage": RuleMetric("Coverage", "rate", "deliveries"),
    "contact_rate": RuleMetric("Contact rate", "rate", "deliveries with feedback"),
    "bad_info_rate": RuleMetric("Bad info rate", "rate", "deliveries with feedback"),
    "duplicate_rate": RuleMetric("Duplicate rate", "rate", "deliveries with feedback"),
    "revenue_per_lead": RuleMetric("Revenue per lead", "money", "deliveries", None),
    "roi": RuleMetric("Return on cost", "rate", "deliveries", None),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """A rule's condition. The threshold is a fraction for rates, 1 to 5 for scores.

    ``evidence``: "point" compares the bare number; "confident" asks a test that may be looked at after every
    feedback. ``equal_buyers``: the mean over buyers. ``hysteresis``: by which share of the threshold the
    number must be on the other side before the condition counts as cleared.
    """

    metric: str
    comparison: Literal["below", "above"]
    threshold: Decimal
    min_count: int
    window_days: int
    maturity_days: int
    evidence: Literal["point", "confident"] = "point"
    equal_buyers: bool = False
    hysteresis: Decimal = Decimal("0.1")

    def days(self, today: dt.date) -> tuple[dt.date, dt.date]:
        """First and last delivery day that count, the last of which is mature today.

        Conversions take time: counted too young, every source looks bad. The bare number is taken over a
        window that slides, a confident test over periods that follow each other: see
        `flows.sequences.period`.
        """
        last = today - dt.timedelta(days=self.maturity_days)
        if self.evidence == "confident":
            return sequences.period(last, self.window_days)
        return last - dt.timedelta(days=max(self.window_days, 1) - 1), last

    @property
    def clear_at(self) -> Decimal:
        """From where on the number counts as cleared: within the scale that it is on."""
        margin = abs(self.threshold) * self.hysteresis
        if self.comparison == "above":
            return self.threshold - margin
        most = {"score": Decimal(5), "rate": Decimal(1)}.get(METRICS[self.metric].test or "")
        return self.threshold + margin if most is None else min(self.threshold + margin, most)


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted of a source, or of a source with one buyer, on the days of a condition.

    For a confident test beside it ``pairs``, successes and count, one for all or one for each buyer where
    they weigh alike; or ``scores``, how many of the scores 1 … 5. ``buyers``: how many the number is the
    mean of.
    """

    measure: Measure
    pairs: Sequence[tuple[int, int]] = ()
    scores: Sequence[int] = (0, 0, 0, 0, 0)
    buyers: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look found: whether the condition holds, whether it has lapsed, and whether it has cleared.

    ``lapsed``: what a rule suggested before is no longer so. A bare number lapses when it is not beyond the
    threshold any more, or on too little. Certainty, once reached, stands until the number itself speaks
    against it: that a new period has little to say yet takes nothing back. ``clear``: beyond
    `Condition.clear_at`.
    """

    condition: Condition
    counted: Counted
    today: dt.date
    fires: bool
    lapsed: bool
    clear: bool

    def numbers(self) -> dict[str, Any]:
        """What it was found on, JSON-typed, as a decision records it."""
        condition, measure = self.condition, self.counted.measure
        first, last = condition.days(self.today)
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
            "evidence": condition.evidence,
            **({"equal_buyers": self.counted.buyers} if condition.equal_buyers else {}),
            **(_certainty(condition, self.counted) if condition.evidence == "confident" else {}),
        }


def evaluate(condition: Condition, counted: Counted, today: dt.date) -> Finding:
    """Whether the condition holds on what was counted, or has cleared.

    It holds on ``min_count`` at least. It has cleared when the number itself is beyond `Condition.clear_at`,
    also where it takes a test to fire: a source that was paused gets no leads by which a test could ever be
    passed in the other direction.
    """
    measure, bare = counted.measure, condition.evidence == "point"
    if measure.value is None or measure.count < condition.min_count:
        return Finding(condition, counted, today, fires=False, lapsed=bare, clear=False)
    below = condition.comparison == "below"
    beyond = measure.value < condition.threshold if below else measure.value > condition.threshold
    fires = beyond and (bare or _is_certain(condition, counted))
    clear = measure.value >= condition.clear_at if below else measure.value <= condition.clear_at
    return Finding(condition, counted, today, fires, lapsed=not beyond, clear=clear and not fires)


def _is_certain(condition: Condition, counted: Counted) -> bool:
    threshold, side = condition.threshold, condition.comparison
    if METRICS[condition.metric].test == "score":
        return sequences.confident_score(counted.scores, threshold, side)
    if condition.equal_buyers:
        return sequences.confident_equal_rates(counted.pairs, threshold, side)
    return sequences.confident_rate(*counted.pairs[0], threshold, side)


def _certainty(condition: Condition, counted: Counted) -> dict[str, Any]:
    """The evidence in numbers: the e-value, and the bound that holds at every look. Buyers who weigh alike
    are tested by leaving out each in turn, for which there is no single e-value."""
    needed = round(1 / sequences.ALPHA)
    if condition.equal_buyers:
        return {"needed": needed}
    side, both = condition.comparison, 2 * sequences.ALPHA  # one end of an interval at 2α is a bound at α
    if METRICS[condition.metric].test == "score":
        e_value = sequences.score_e_value(counted.scores, condition.threshold, side)
        low, high = sequences.score_bounds(counted.scores, both)
    else:
        e_value = sequences.rate_e_value(*counted.pairs[0], condition.threshold, side)
        low, high = sequences.rate_bounds(*counted.pairs[0], both)
    bound = low if side == "above" else high
    return {"e_value": float(f"{e_value:.4g}"), "bound": round(bound, 6), "needed": needed}


def _number(value: Decimal | None) -> float | None:
    return None if value is None else round(float(value), 6)


def fits_scale(metric: str, threshold: Decimal) -> str:
    """What is wrong with a threshold on the metric's scale; "" where nothing is. ROI and money have no
    ends."""
    test = METRICS[metric].test
    if test == "rate" and not 0 <= threshold <= 1:
        return "A rate lies between 0 % and 100 %."
    return "A score lies between 1 and 5." if test == "score" and not 1 <= threshold <= 5 else ""


def whose(numbers: Mapping[str, Any]) -> str:
    """Where the numbers are of one buyer's leads: " with Alpine"; else ""."""
    return f" with {numbers['buyer']}" if numbers.get("buyer") else ""
