"""What a person's change of a rule means for what hangs on it: its open suggestions and its alerts.

Each function runs in the transaction that changes the rule.
"""

from __future__ import annotations

import datetime as dt

from django.db.models import prefetch_related_objects
from django.utils import timezone

from flows import conditions, grounds, suggestions
from flows.actions.alerts import RaiseAlert
from flows.locks import locked
from flows.models import Alert, Decision, Rule, Source
from flows.suggestions import CHANGED, DELETED, OFF


def failing(rule: Rule) -> str:
    """The condition of the alert that the rule cannot be carried out."""
    return f"rule-fails:{rule.pk}"


def hold_still(*rules: Rule) -> None:
    """Let nothing be decided on the rules' flows until the transaction ends. Before a rule's row is written.

    Who decides by a rule reads it with the sources locked (`feedback.quality`). So whatever was decided by
    the rule as it was is to be seen from here on, and the next to decide reads it as it is then. Workers lock
    in the same order: the sources of all flows by their keys, then a rule's row.
    """
    flows = {rule.flow_id for rule in rules}
    list(locked(Source.objects.filter(flow__in=flows).order_by("pk")).values_list("pk", flat=True))


def settle(rule: Rule, *, now: dt.datetime | None = None) -> None:
    """After the rule was saved: withdraw the suggestions and resolve the alerts that it no longer stands by.

    A new name, position or cool-down takes nothing back. An alert of a state stays open under other numbers,
    until the next look finds that state over.
    """
    at = now or timezone.now()
    prefetch_related_objects([rule], "excluded_buyers")
    waiting = _waiting(rule)
    why = {each.pk: suggestions.why_void(each) for each in waiting}
    suggestions.withdraw({pk: words for pk, words in why.items() if words}, waiting, now=at)
    told = {alert.pk: _why_over(rule, alert) for alert in _told(rule)}
    conditions.end({pk: words for pk, words in told.items() if words}, now=at)
    if not rule.enabled:
        conditions.clear(rule.flow.seller_id, failing(rule), now=at, why=f"{OFF}.")


def end(rule: Rule, *, now: dt.datetime | None = None) -> None:
    """Before the rule is deleted: withdraw its suggestions, resolve its alerts."""
    at = now or timezone.now()
    hold_still(rule)
    waiting = _waiting(rule)
    suggestions.withdraw({each.pk: DELETED for each in waiting}, waiting, now=at)
    conditions.end({alert.pk: f"{DELETED}." for alert in _told(rule)}, now=at)
    conditions.clear(rule.flow.seller_id, failing(rule), now=at, why=f"{DELETED}.")


def _waiting(rule: Rule) -> list[Decision]:
    rows = Decision.objects.filter(rule=rule.pk, status=Decision.Status.SUGGESTED)
    waiting = list(rows.select_related("delivery").order_by("pk"))
    for suggestion in waiting:
        suggestion.rule = rule  # as it stands in hand
    return waiting


def _told(rule: Rule) -> list[Alert]:
    """Its alerts of states that are not over."""
    standing = conditions.open_in(rule.flow.seller_id, f"rule:{rule.pk}")
    return list(standing.select_related("decision__delivery"))


def _why_over(rule: Rule, alert: Alert) -> str:
    if not rule.enabled:
        return f"{OFF}."
    tells = rule.action == RaiseAlert.name and rule.trigger == Rule.Trigger.QUALITY
    there = alert.decision is None or grounds.looks_there(rule, alert.decision)
    return "" if tells and there else f"{CHANGED}."
