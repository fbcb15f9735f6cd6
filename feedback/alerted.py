"""Alerts that rules raised of a source's quality: which stand, and which are over. See `flows.conditions`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from feedback.judgement import is_over
from feedback.looks import Look, Seen, condition_of
from flows import reasons
from flows.actions.alerts import RaiseAlert
from flows.models import Decision, Rule, Source

Told = dict[int, list[Decision]]  # rule → its decisions whose alert stands


def standing(rules: Sequence[Rule], sources: Sequence[Source]) -> Told:
    """What these rules have told of the sources and what is not over, each decision with its alert. One
    query, if any of the rules tells."""
    told: Told = defaultdict(list)
    telling = [rule.pk for rule in rules if rule.action == RaiseAlert.name]
    if telling:
        rows = Decision.objects.filter(
            rule__in=telling, source__in=[source.pk for source in sources], alert__resolved_at=None
        ).exclude(alert__condition="")
        for decision in rows.select_related("alert").order_by("pk"):
            told[decision.rule_id or 0].append(decision)
    return told


def over(rule: Rule, look: Look, seen: Sequence[Seen], told: Sequence[Decision]) -> dict[int, str]:
    """Of the alerts of these decisions those whose condition is over: why, by primary key."""
    if not told:
        return {}
    condition, found = condition_of(rule), {each.key: each for each in seen}
    at_hand = {decision: found.get((decision.source_id, decision.buyer_id)) for decision in told}
    return {
        decision.alert.pk: _why(rule, look, each, decision)
        for decision, each in at_hand.items()
        if is_over(condition, each.finding if each else None)
    }


def _why(rule: Rule, look: Look, seen: Seen | None, decision: Decision) -> str:
    if seen is None:  # nothing of this buyer is left on the days that count
        return f"{reasons.no_longer({**decision.numbers, 'count': 0})}."
    numbers = look.numbers(rule, seen)
    if seen.finding.clear:
        return f"{reasons.explain({**numbers, 'cleared': True, 'hysteresis': float(rule.hysteresis)})}."
    return f"{reasons.no_longer(numbers)}."
