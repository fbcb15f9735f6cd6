"""The figure cards: each number with its change, its interval, its count, and what it is of. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from feedback.metrics import METRICS, Totals, measure
from flows.evidence import Z95, Measure
from portal.formats import number
from reports.queries import Share
from reports.ranking import FEW
from reports.words import NBSP, NONE, aged, interval, leads, money, percent, signed, value_of

Direction = Literal["good", "bad", "flat"]


@dataclass(frozen=True, slots=True)
class Change:
    """Against the period before. ``flat`` where it may be chance: the two intervals overlap."""

    text: str
    direction: Direction
    was: str  # a sentence for a tooltip and for screen readers


@dataclass(frozen=True, slots=True)
class Figure:
    """One card. ``details`` are short texts that stand under the number, after its change."""

    name: str
    label: str
    note: str
    value: str
    change: Change | None
    details: tuple[str, ...]


def figures(share: Share, currency: str, ages: Sequence[int]) -> tuple[Figure, ...]:
    """The four cards of the dashboard. ``ages``: after how many days leads are mature, on whichever flow."""
    return (
        conversion(share, ages),
        _quality(share),
        _revenue(share, currency),
        _coverage(share),
    )


def conversion(share: Share, ages: Sequence[int]) -> Figure:
    now = measure("conversion_rate", share.mature)
    alike = f"leads {aged(ages)}" if any(ages) else "all leads"
    note = alike if len(ages) == 1 else "mature leads"  # of what age is said with the sources
    if not now.count:
        return Figure("conversion_rate", "Conversion rate", note, NONE, None, _young(share, ages))
    counted = f"{number(share.mature.converted)} of {number(now.count)}"
    details = (interval("conversion_rate", now), counted)
    change = change_of("conversion_rate", *pair("conversion_rate", share.compared, share.mature_before))
    return _figure("conversion_rate", note, now, change, details)


def _young(share: Share, ages: Sequence[int]) -> tuple[str, ...]:
    """What to say of a conversion rate when no lead is mature."""
    if not share.young.delivered:
        return ("no leads in these days",)
    so_far = measure("conversion_rate", share.young)
    return (
        f"no lead of these days is {' or '.join(map(str, ages))} days old yet",
        f"so far {percent(so_far.value)} of {number(so_far.count)}",
    )


def _quality(share: Share) -> Figure:
    now, before = pair("average_quality", share.all, share.all_before)
    details = (interval("average_quality", now), f"{number(now.count)} score{'' if now.count == 1 else 's'}")
    return _figure("average_quality", "scores 1–5", now, change_of("average_quality", now, before), details)


def _revenue(share: Share, currency: str) -> Figure:
    each = measure("revenue_per_lead", share.all).value
    details = (f"{money(each, currency)} per lead", f"{number(share.all.converted)} sold")
    value = money(share.all.revenue, currency, whole=True)
    return Figure("revenue", "Revenue reported", currency, value, _revenue_change(share, currency), details)


def _revenue_change(share: Share, currency: str) -> Change | None:
    """Of the revenue per mature lead: young leads have not brought in yet what they will."""
    now, before = pair("revenue_per_lead", share.compared, share.mature_before)
    if min(now.count, before.count) < FEW or not before.value or now.value is None:
        return None
    grown = (now.value - before.value) / before.value
    was = (
        f"{money(now.value, currency)} on {number(now.count)} mature leads, "
        f"{money(before.value, currency)} on {number(before.count)} in as many days before"
    )
    chance = _may_be_chance(share.compared, share.mature_before)
    if chance:
        sold = f"{number(share.compared.converted)} and {number(share.mature_before.converted)} sold"
        was += f"; with {sold} this may be chance"
    text = f"{signed(grown * 100, 0)}{NBSP}% per mature lead"
    return Change(text, "flat" if chance else _direction(grown), was)


def _may_be_chance(now: Totals, before: Totals) -> bool:
    """Whether the revenues per lead differ by less than two would of which nothing but chance is different.

    Amounts of sales are not kept as squares, so the spread is a rough one: sales come at random (Poisson) and
    their amounts vary as much as they are large, so the variance of a sum of c sales is 2/c of its square.
    """
    values = [measure("revenue_per_lead", totals).value or Decimal(0) for totals in (now, before)]
    sold = (max(now.converted, 1), max(before.converted, 1))
    variance = sum(2 * value**2 / count for value, count in zip(values, sold, strict=True))
    return (values[0] - values[1]) ** 2 <= Decimal(Z95) ** 2 * variance


def _coverage(share: Share) -> Figure:
    """The change is that among mature leads: the others' feedback is still on its way."""
    now = measure("coverage", share.all)
    silent = share.all.delivered - share.all.with_feedback
    counted = f"{number(share.all.with_feedback)} of {number(now.count)}"
    details = (interval("coverage", now), counted, f"{leads(silent)} silent")
    change = change_of("coverage", *pair("coverage", share.compared, share.mature_before))
    if change:
        change = replace(change, text=f"{change.text} on mature leads")
    return Figure(
        "coverage", "Coverage", "leads with feedback", value_of("coverage", now), change, _said(details)
    )


def pair(name: str, now: Totals, before: Totals) -> tuple[Measure, Measure]:
    return measure(name, now), measure(name, before)


def _figure(name: str, note: str, now: Measure, change: Change | None, details: tuple[str, ...]) -> Figure:
    return Figure(
        name,
        METRICS[name].label,
        note,
        value_of(name, now),
        change,
        _said(details),
    )


def _said(details: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(text for text in details if text)


def change_of(name: str, now: Measure, before: Measure) -> Change | None:
    """In percentage points for a rate, in points for a score; None without a number to compare with."""
    if now.value is None or before.value is None:
        return None
    rate = METRICS[name].unit == "rate"
    step = (now.value - before.value) * (100 if rate else 1)
    was = f"{value_of(name, before)} ({interval(name, before)}) "
    was += f"on {number(before.count)} in as many days before"
    chance = _overlap(now, before)
    direction: Direction = "flat" if chance else _direction(step)
    if chance:
        was += "; the two intervals overlap, so this may be chance"
    return Change(f"{signed(step, 1)}{' pts' if rate else ''}", direction, was)


def _overlap(one: Measure, other: Measure) -> bool:
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return False
    return one.low <= other.high and other.low <= one.high


def _direction(step: Decimal) -> Direction:
    """Every figure of the dashboard is better when it is higher."""
    return "good" if step > 0 else "bad" if step < 0 else "flat"
