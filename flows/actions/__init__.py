"""What rules can do: one small class each, by name; and what keeps a rule from being carried out."""

from __future__ import annotations

from flows.actions.alerts import RaiseAlert
from flows.actions.base import Action, BadRule, Changed
from flows.actions.bonus import GrantBonus
from flows.actions.lists import SuppressContact, SuppressSource, UnsuppressSource
from flows.actions.sources import SetPriceAdjustment, StepCap
from flows.actions.status import PauseSource, ResumeSource
from flows.models import Decision, Outcome, Rule
from flows.rules import METRICS, fits_scale

LONGEST_DAYS = 3650
REGISTRY: dict[str, Action] = {
    action.name: action
    for action in (
        PauseSource(),
        ResumeSource(),
        StepCap(),
        SetPriceAdjustment(),
        SuppressContact(),
        SuppressSource(),
        UnsuppressSource(),
        GrantBonus(),
        RaiseAlert(),
    )
}
OFFERED = {name: action for name, action in REGISTRY.items() if action.offered}


def get(name: str) -> Action:
    """The action of that name. BadRule where there is none."""
    try:
        return REGISTRY[name]
    except KeyError:
        raise BadRule(f"There is no action “{name}”. Choose one of {', '.join(OFFERED)}.") from None


def in_the_way(decision: Decision) -> Changed | None:
    """What undoing this applied decision would ask about first."""
    return get(decision.action).in_the_way(decision)


def faults_of(rule: Rule) -> dict[str, str]:
    """What is wrong with a rule, by its columns; empty where it can be carried out."""
    quality = rule.trigger != Rule.Trigger.FEEDBACK
    faults = {**(_quality_faults(rule) if quality else _feedback_faults(rule)), **_span_faults(rule)}
    if rule.action not in OFFERED:
        return {**faults, "action": f"Choose one of {', '.join(OFFERED)}."}
    action = OFFERED[rule.action]
    faults |= _deed_faults(rule, action)
    try:
        action.check(rule)
    except BadRule as bad:
        faults["params"] = str(bad)
    return faults


def _feedback_faults(rule: Rule) -> dict[str, str]:
    """A rule on each feedback knows one delivery: nothing of it is counted, and nothing clears."""
    faults = {}
    if rule.outcome not in Outcome.values:
        faults["outcome"] = f"Choose one of {', '.join(Outcome.values)}."
    for name, only in (
        ("scope", Rule.Scope.SOURCE),
        ("evidence", Rule.Evidence.POINT),
        ("on_clear", Rule.OnClear.NOTHING),
    ):
        if getattr(rule, name) != only:
            faults[name] = f"With “each feedback” this can only be “{only.label}”."
    return faults


def _quality_faults(rule: Rule) -> dict[str, str]:
    faults = {}
    if rule.metric not in METRICS:
        faults["metric"] = f"Choose one of {', '.join(METRICS)}."
    if rule.comparison not in Rule.Comparison.values:
        faults["comparison"] = "Choose below or above."
    if rule.threshold is None:
        faults["threshold"] = "Give a threshold: 0.10 for 10 %, 3.0 for a score."
    if rule.equal_buyers and rule.scope == Rule.Scope.SOURCE_BUYER:
        faults["equal_buyers"] = "A source with one buyer has no other buyers to weigh: choose “each source”."
    if rule.evidence == Rule.Evidence.CONFIDENT and rule.metric in METRICS:
        faults |= _confidence_faults(rule)
    return faults


def _confidence_faults(rule: Rule) -> dict[str, str]:
    """Not everything can be tested at every look: see `flows.sequences`."""
    metric = METRICS[rule.metric]
    if metric.test is None:
        return {
            "evidence": f"There is no confident test of “{metric.label}”: money has no upper end, so no "
            f"bound on it holds at every look. Choose “{Rule.Evidence.POINT.label}”, or a rate or a score."
        }
    if rule.threshold is not None and (fault := fits_scale(rule.metric, rule.threshold)):
        return {"threshold": fault}
    if rule.equal_buyers and metric.test == "score":
        return {
            "equal_buyers": "Buyers who weigh alike can be tested confidently on rates, not on scores. "
            f"Choose “{Rule.Evidence.POINT.label}”, or weigh them by what they bought."
        }
    return {}


def _deed_faults(rule: Rule, action: Action) -> dict[str, str]:
    """Where the action does not go with the trigger, the scope, the mode or what is to happen afterwards."""
    faults = {}
    if action.needs_delivery and rule.trigger != Rule.Trigger.FEEDBACK:
        faults["action"] = "This action needs the trigger “each feedback”."
    elif rule.scope == Rule.Scope.SOURCE_BUYER and not action.for_pairs:
        able = ", ".join(f"“{each.label}”" for each in OFFERED.values() if each.for_pairs)
        faults["action"] = f"A source with one buyer has no cap, price or list of its own. Choose of {able}."
    if rule.mode == Rule.Mode.SUGGEST and not action.undoable:
        faults["mode"] = "An alert only tells, so there is nothing to approve: choose “Act”."
    if rule.on_clear == Rule.OnClear.REVERSE and not action.reverse_name:
        faults["on_clear"] = f"“{action.label}” is not taken back by itself: choose “leave it as it is”."
    return faults


def _span_faults(rule: Rule) -> dict[str, str]:
    spans = {"window_days": LONGEST_DAYS, "maturity_days": LONGEST_DAYS, "cooldown_hours": LONGEST_DAYS * 24}
    faults = {
        name: f"At most {most:,}."
        for name, most in spans.items()
        if getattr(rule, name, None) not in range(most + 1)
    }
    if not 0 <= rule.hysteresis <= 1:
        faults["hysteresis"] = "From 0 % to 100 %."
    return faults
