"""On what grounds a rule decided, and whether it has new ones. Pure: for rules that act and for trials.

A decision's numbers say what it was taken on: the terms of its condition, and ``days``, what was counted of
each delivery day (`feedback.judgement.by_day`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any

from flows import actions
from flows.actions.base import BadRule
from flows.models import Decision, Rule

Numbers = Mapping[str, Any]
Terms = dict[str, Any]
_TERMS = ("metric", "comparison", "threshold", "min_count", "window_days", "maturity_days")


def rests_since(cooldown_hours: int, now: dt.datetime) -> dt.datetime:
    """What was decided after this moment is less than a cool-down ago, so the rule lets it rest."""
    return now - dt.timedelta(hours=cooldown_hours)


def has_news(found: Numbers, last: Numbers) -> bool:
    """Whether a rule may decide on what it found now, after what its last decision there was taken on.

    It may where a day that counts now did not count then, or counted otherwise: leads came in or matured, or
    something else was said of earlier ones, also that of a day nothing counts any more. That leads leave the
    window is nothing new, though the numbers change with it: all that is left has been decided on. It may
    also where the condition itself turned, from holding to cleared or back, where the rule's terms are others
    now, and after a suggestion that the rule took back, as nothing was done on it and nobody has answered it.
    """
    if was_withdrawn(last) or bool(found.get("cleared")) != bool(last.get("cleared")):
        return True
    if terms(found) != terms(last):
        return True
    if "days" not in last:  # a decision from before the days were kept
        return (found.get("value"), found.get("count")) != (last.get("value"), last.get("count"))
    then, now = last["days"], found.get("days", {})
    gone = (day for day in then if found.get("from", "") <= day <= found.get("to", "") and day not in now)
    return any(then.get(day) != counted for day, counted in now.items()) or any(gone)


def was_withdrawn(numbers: Numbers) -> str:
    """Why the rule itself took a suggestion back; "" where it did not."""
    return str(numbers.get("withdrawn", ""))


def terms(numbers: Numbers) -> Terms:
    """The terms of the condition that a decision's numbers were found by."""
    if "outcome" in numbers:
        return {"outcome": numbers["outcome"]}
    return {
        **{name: numbers.get(name) for name in _TERMS},
        "evidence": numbers.get("evidence", Rule.Evidence.POINT.value),
        "equal_buyers": "equal_buyers" in numbers,
        "without": list(numbers.get("without_ids", ())),
    }


def terms_of(rule: Rule) -> Terms:
    """The terms of a rule as it stands, as `terms` gives those of what it decided."""
    if rule.trigger == Rule.Trigger.FEEDBACK:
        return {"outcome": rule.outcome}
    pairs = rule.scope == Rule.Scope.SOURCE_BUYER
    return {
        **{name: getattr(rule, name) for name in _TERMS},
        "threshold": None if rule.threshold is None else round(float(rule.threshold), 6),
        "evidence": rule.evidence,
        "equal_buyers": rule.equal_buyers,
        "without": [] if pairs else sorted(_left_out(rule)),
    }


def looks_there(rule: Rule, decision: Decision) -> bool:
    """Whether the rule as it stands looks at what the decision is about: a source, or one with a buyer."""
    buyer_id = decision.delivery.buyer_id if decision.delivery else decision.buyer_id
    pairs = rule.scope == Rule.Scope.SOURCE_BUYER
    return pairs == bool(decision.buyer_id) and buyer_id not in _left_out(rule)


def is_as_decided(rule: Rule, decision: Decision) -> bool:
    """Whether the rule as it stands would decide the same on the same numbers."""
    if not looks_there(rule, decision) or terms_of(rule) != terms(decision.numbers):
        return False
    if decision.numbers.get("cleared"):
        return rule.on_clear == Rule.OnClear.REVERSE
    return does_the_same(rule, decision)


def does_the_same(rule: Rule, decision: Decision) -> bool:
    """Whether the rule as it stands does what it did then, however its parameters are written (20, "20")."""
    if decision.action != rule.action:
        return False
    try:
        clean = actions.get(rule.action).clean
        return clean(decision.params) == clean(rule.params)
    except BadRule:
        return bool(decision.params == rule.params)


def _left_out(rule: Rule) -> Collection[int]:
    return {buyer.pk for buyer in rule.excluded_buyers.all()}
