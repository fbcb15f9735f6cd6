"""What rules can do: one small class each, by name."""

from __future__ import annotations

from flows.actions.alerts import RaiseAlert
from flows.actions.base import Action, BadRule
from flows.actions.lists import SuppressContact, SuppressSource
from flows.actions.sources import PauseSource, ResumeSource, SetPriceAdjustment, StepCap
from flows.models import Outcome, Rule
from flows.rules import METRICS

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
        RaiseAlert(),
    )
}


def get(name: str) -> Action:
    """The action of that name. BadRule where there is none."""
    try:
        return REGISTRY[name]
    except KeyError:
        raise BadRule(f"There is no action “{name}”. Choose one of {', '.join(REGISTRY)}.") from None


def faults_of(rule: Rule) -> dict[str, str]:
    """What is wrong with a rule, by its columns; empty where it can be carried out."""
    faults = {**_trigger_faults(rule), **_span_faults(rule)}
    try:
        action = get(rule.action)
    except BadRule as bad:
        return {**faults, "action": str(bad)}
    if action.needs_delivery and rule.trigger != Rule.Trigger.FEEDBACK:
        faults["action"] = "This action needs the trigger “each feedback”."
    try:
        action.clean(rule.params if isinstance(rule.params, dict) else {})
    except BadRule as bad:
        faults["params"] = str(bad)
    return faults


def _trigger_faults(rule: Rule) -> dict[str, str]:
    if rule.trigger == Rule.Trigger.FEEDBACK:
        known = rule.outcome in Outcome.values
        return {} if known else {"outcome": f"Choose one of {', '.join(Outcome.values)}."}
    faults = {}
    if rule.metric not in METRICS:
        faults["metric"] = f"Choose one of {', '.join(METRICS)}."
    if rule.comparison not in Rule.Comparison.values:
        faults["comparison"] = "Choose below or above."
    if rule.threshold is None:
        faults["threshold"] = "Give a threshold: 0.10 for 10 %, 3.0 for a score."
    return faults


def _span_faults(rule: Rule) -> dict[str, str]:
    spans = {"window_days": LONGEST_DAYS, "maturity_days": LONGEST_DAYS, "cooldown_hours": LONGEST_DAYS * 24}
    return {
        name: f"At most {most:,}."
        for name, most in spans.items()
        if getattr(rule, name, None) not in range(most + 1)
    }
