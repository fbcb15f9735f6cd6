"""What a rule takes back by itself once its condition has cleared."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from flows import actions
from flows.actions.alerts import raise_alerts
from flows.actions.base import Changed, Target
from flows.change_wording import change_words, who_words
from flows.decisions import due_for, explain, headline, record, status_in
from flows.models import Alert, Decision, Rule
from flows.wording import state_words

LEFT = "left_standing"  # in a decision's numbers: when it was found changed, and so left alone for good


def reverse(rule: Rule, cleared: Sequence[Target], *, now: dt.datetime) -> list[Decision]:
    """Take back the rule's last decision on each of these, as far as it stands and the cool-down is over.

    As a decision of its own, which names the one that it reverses; in mode “suggest”, as a suggestion. What
    something else has changed since is left as it is, for good, and told once. The targets' sources are
    locked.
    """
    standing = _standing(rule, cleared)
    due = due_for(rule, actions.get(rule.action), [each for each in cleared if each.key in standing], now)
    if not due:
        return []
    last = [standing[target.key] for target in due]
    for decision, target in zip(last, due, strict=True):
        decision.source, decision.flow = target.source, rule.flow
    action = actions.get(rule.action)
    planned = action.plan_reverse(last, [target.reason for target in due])
    new, changed = [], []
    for decision, target, plan in zip(last, due, planned, strict=True):
        if isinstance(plan, Changed):
            changed.append((decision, target, plan))
            continue
        new.append(
            Decision(
                flow=rule.flow,
                rule=rule,
                rule_name=rule.name,
                source=target.source,
                buyer=target.buyer,
                reverses=decision,
                evaluation=target.evaluation,
                action=action.reverse_name,
                params=decision.params,
                numbers=target.numbers,
                before=plan.before,
                after=plan.after,
                status=status_in(rule),
                decided_at=now,
            )
        )
    _leave(changed, now)
    return record(new, rule)


def was_left(decision: Decision) -> str:
    """When the condition had cleared but something else had changed the source, so that nothing was reversed:
    an ISO time; "" where that was not so."""
    return str(decision.numbers.get(LEFT, ""))


def _standing(rule: Rule, cleared: Sequence[Target]) -> dict[tuple[int, int | None], Decision]:
    """The last decision of the rule's own action on each, where neither a person nor the rule took it
    back."""
    decisions = Decision.objects.filter(
        rule=rule,
        action=rule.action,
        source__in={target.source.pk for target in cleared},
        status=Decision.Status.APPLIED,
        reverses=None,
        reversed_by=None,
    ).select_related("buyer")
    last: dict[tuple[int, int | None], Decision] = {}
    for decision in decisions.order_by("decided_at", "pk"):
        last[decision.source_id, decision.buyer_id] = decision
    return {key: decision for key, decision in last.items() if not was_left(decision)}


def _leave(changed: Sequence[tuple[Decision, Target, Changed]], now: dt.datetime) -> None:
    """Note on the decisions that they were left alone, and tell it."""
    for decision, _, _ in changed:
        decision.numbers = {**decision.numbers, LEFT: now.isoformat()}
    if not changed:
        return
    Decision.objects.bulk_update([decision for decision, _, _ in changed], ["numbers"])
    raise_alerts(
        [
            Alert(
                seller_id=decision.flow.seller_id,
                flow=decision.flow,
                source=decision.source,
                level=Alert.Level.WARN,
                title=f"Not reversed, as it was changed since: {headline(decision)}"[:160],
                body=_told(decision, target, change)[:500],
                created_at=now,
            )
            for decision, target, change in changed
        ]
    )


def _told(decision: Decision, target: Target, change: Changed) -> str:
    now_ = f"now stands “{state_words(change.stands)}”, not “{state_words(decision.after)}”"
    came = "; ".join(f"{change_words(each)}: {who_words(each)}" for each in change.since[:3])
    between = f"it has been changed since ({came})" if came else now_
    return (
        f"{target.reason}. The rule “{decision.rule_name}” would have taken back what it did "
        f"({explain(decision)}), but {between}. It leaves that as it is."
    )
