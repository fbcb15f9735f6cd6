"""Decisions: taken with their numbers, explained, taken back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from flows import actions, rules
from flows.actions.alerts import raise_alerts
from flows.actions.base import Action, Change, Target
from flows.locks import locked
from flows.models import Alert, Decision, Rule, Source
from portal.models import User


def decide(rule: Rule, targets: Sequence[Target], *, now: dt.datetime) -> list[Decision]:
    """Carry out the rule's action on the targets on which it fired, in the caller's transaction.

    Logs nothing where the action would change nothing, within the rule's cool-down, or where this
    evaluation is on record. The targets' sources must be locked. The number of queries does not grow with
    the targets. BadRule where the rule cannot be carried out.
    """
    action = actions.get(rule.action)
    params = action.clean(rule.params)
    due = _due(rule, action, targets, now)
    if not due:
        return []
    planned = zip(due, action.plan(rule, due, params), strict=True)
    decisions = Decision.objects.bulk_create(
        _decision(rule, target, change, now) for target, change in planned if change is not None
    )
    if decisions:
        action.perform(decisions)
    if rule.alert or action.alerts:
        raise_alerts([_alert(action, decision) for decision in decisions])
    return decisions


def explain(decision: Decision) -> str:
    """Why the decision was taken, as a sentence for a person, without a full stop."""
    return rules.explain(decision.numbers)


def headline(decision: Decision) -> str:
    """What the decision did, for a person: "Facebook paused"."""
    return actions.get(decision.action).headline(decision)


def can_undo(decision: Decision) -> bool:
    """Whether there is something to take back. An alert that went out cannot be."""
    return actions.get(decision.action).undoable and decision.status == Decision.Status.APPLIED


@transaction.atomic
def undo(decision: Decision, *, user: User, force: bool = False, now: dt.datetime | None = None) -> Decision:
    """Put back what stood before the decision; taken back already, it stays as it is.

    Raises Changed, with what stands now, where something else has changed it since and ``force`` is not set;
    CannotUndo where there is nothing to take back.
    """
    source = locked(Source.objects.filter(pk=decision.source_id)).get()
    fresh = Decision.objects.select_related("flow", "rule").get(pk=decision.pk)
    if fresh.status == Decision.Status.UNDONE:
        return fresh
    fresh.source = source
    actions.get(fresh.action).undo(fresh, force=force)
    fresh.status, fresh.undone_at, fresh.undone_by = Decision.Status.UNDONE, now or timezone.now(), user
    fresh.save(update_fields=["status", "undone_at", "undone_by"])
    return fresh


def _due(rule: Rule, action: Action, targets: Sequence[Target], now: dt.datetime) -> list[Target]:
    """The targets on which the rule may decide now: one a source, where the action is about the source."""
    if action.per_source:
        cooling = _cooling(rule, {target.source.pk for target in targets}, now)
        once = {target.source.pk: target for target in reversed(targets)}
        targets = [target for pk, target in sorted(once.items()) if pk not in cooling]
    on_record = set(
        Decision.objects.filter(
            rule=rule, evaluation__in={target.evaluation for target in targets}
        ).values_list("source_id", "evaluation")
    )
    return [target for target in targets if (target.source.pk, target.evaluation) not in on_record]


def _cooling(rule: Rule, source_ids: Iterable[int], now: dt.datetime) -> set[int]:
    """Sources on which the rule decided, or a person took its decision back, less than a cool-down ago."""
    since = now - dt.timedelta(hours=rule.cooldown_hours)
    recent = Q(decided_at__gt=since) | Q(undone_at__gt=since)
    found = Decision.objects.filter(recent, rule=rule, source__in=source_ids)
    return set(found.values_list("source_id", flat=True))


def _decision(rule: Rule, target: Target, change: Change, now: dt.datetime) -> Decision:
    return Decision(
        flow=rule.flow,
        rule=rule,
        rule_name=rule.name,
        source=target.source,
        delivery=target.delivery,
        evaluation=target.evaluation,
        action=rule.action,
        params=rule.params,
        numbers=target.numbers,
        before=change.before,
        after=change.after,
        decided_at=now,
    )


def _alert(action: Action, decision: Decision) -> Alert:
    return Alert(
        seller_id=decision.flow.seller_id,
        flow=decision.flow,
        source=decision.source,
        decision=decision,
        level=action.level(decision),
        title=action.headline(decision)[:160],
        body=explain(decision)[:500],
        created_at=decision.decided_at,
    )
