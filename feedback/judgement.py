"""A condition on totals: does it hold, has it cleared? Pure, so that any day can be judged, also a past
one."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from feedback.metrics import Totals, counts_of, measure
from flows import rules
from flows.evidence import Measure
from flows.rules import METRICS, Condition, Counted, Finding

Scores = Sequence[int]  # how many of the scores 1 … 5
NO_SCORES: Scores = (0, 0, 0, 0, 0)


def judge(
    condition: Condition,
    by_buyer: Mapping[int, Totals],
    today: dt.date,
    scores: Mapping[int, Scores] | None = None,
) -> Finding:
    """The finding on a source: ``by_buyer`` are its totals with each buyer on ``condition.days(today)``.

    For a source with one buyer, give that buyer's alone; buyers who are not to count, leave out. ``scores``
    are needed by a confident condition on scores only (`needs_scores`).
    """
    if condition.equal_buyers:
        counted = _alike(condition, by_buyer)
    else:
        counted = _together(condition, by_buyer, scores or {})
    return rules.evaluate(condition, counted, today)


def needs_scores(condition: Condition) -> bool:
    """Whether sums are not enough to judge by: the test wants to know how often each score was given."""
    return condition.evidence == "confident" and METRICS[condition.metric].test == "score"


def is_over(condition: Condition, finding: Finding | None) -> bool:
    """Whether that is over of which an alert told, which lasts as long as its condition.

    It is once the condition has cleared, by its margin, so that a number near the threshold does not raise
    and resolve it in turn. The bare number also says nothing any more where too little is left to count;
    certainty, once reached, stands until the number speaks against it. ``finding``: None where nothing at all
    is left.
    """
    measured = finding.counted.measure if finding else Measure(None, 0)
    if measured.value is None or measured.count < condition.min_count:
        return condition.evidence == "point"
    return finding is not None and finding.clear


def by_day(
    condition: Condition, days: Iterable[tuple[dt.date, Mapping[int, Totals]]]
) -> dict[str, list[float | int]]:
    """What is counted of each delivery day, JSON-typed, ``{"2025-11-12": [20, 4.5]}``: by this a decision's
    grounds are told from new ones (`flows.grounds.has_news`).

    ``days`` come with the totals of those buyers who count. A day of which nothing is counted is left out.
    """
    counted = {}
    for day, by_buyer in days:
        found = measure(condition.metric, sum(by_buyer.values(), Totals()))
        if found.count and found.value is not None:
            counted[day.isoformat()] = [found.count, round(float(found.value), 6)]
    return counted


def _together(condition: Condition, by_buyer: Mapping[int, Totals], scores: Mapping[int, Scores]) -> Counted:
    totals = sum(by_buyer.values(), Totals())
    measured = measure(condition.metric, totals)
    if condition.evidence == "point":
        return Counted(measured)
    if METRICS[condition.metric].test == "score":
        each = [tuple(scores.get(buyer, NO_SCORES)) for buyer in by_buyer]
        return Counted(measured, scores=[sum(column) for column in zip(NO_SCORES, *each, strict=True)])
    return Counted(measured, pairs=[counts_of(condition.metric, totals)])


def _alike(condition: Condition, by_buyer: Mapping[int, Totals]) -> Counted:
    """Every buyer of whom there is a number weighs alike, however much they bought."""
    heard = {buyer: found for buyer, totals in by_buyer.items() if (found := _of(condition, totals)).count}
    confident = condition.evidence == "confident"
    pairs = [counts_of(condition.metric, by_buyer[buyer]) for buyer in heard] if confident else ()
    return Counted(mean_of(list(heard.values())), pairs, buyers=len(heard))


def _of(condition: Condition, totals: Totals) -> Measure:
    return measure(condition.metric, totals)


def mean_of(measures: Sequence[Measure]) -> Measure:
    """The mean of independent measures, with its 95 % interval made of theirs.

    By the method of variance estimates recovery: the squares of the distances from each value to its end add
    up (Zou & Donner, "Construction of confidence limits about effect measures", Stat. Med. 27, 2008).
    """
    values = [each.value for each in measures if each.value is not None]
    count = sum(each.count for each in measures)
    if not values:
        return Measure(None, count)
    mean = sum(values, Decimal(0)) / len(values)
    if any(each.low is None or each.high is None for each in measures):
        return Measure(mean, count)
    low, high = (
        math.sqrt(sum(float((each.value or 0) - (getattr(each, end) or 0)) ** 2 for each in measures))
        / len(values)
        for end in ("low", "high")
    )
    return Measure(mean, count, mean - Decimal(f"{low:.6f}"), mean + Decimal(f"{high:.6f}"))
