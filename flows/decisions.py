"""Decisions: taken with their numbers, or suggested; explained, taken back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence

from django.db import transaction
from django.db.models import Max, Q
from django.utils import timezone

from flows import actions, grounds, reasons
from flows.actions.alerts import raise_alerts
from flows.actions.base import Action, CannotUndo, Change, Target
from flows.locks import locked
from flows.models import Alert, Decision, Rule, Source
from portal.models import User

Status = Decision.Status
Key = tuple[int, int | None]  # source, buyer
# What is read along with a decision that is shown.
PARTS = (
    "source",
    "flow",
    "rule",
    "delivery",
    "buyer",
    "bonus",
    "undone_by",
    "answered_by",
    "reversed_by",
    "reverses",
)


def decide(rule: Rule, targets: Sequence[Target], *, now: dt.datetime) -> list[Decision]:
    """Carry out the rule's action on the targets on which it fired, or suggest it, as its mode says; in the
    caller's transaction.

    Logs nothing where the action would change nothing, within the rule's cool-down, where nothing is new
    since the rule last decided there (`flows.grounds.has_news`), where this evaluation is on record, or where
    an earlier suggestion waits. The targets' sources must be locked. The number of queries does not grow with
    the targets. BadRule where the rule cannot be carried out.
    """
    action = actions.get(rule.action)
    params = action.clean(rule.params)
    due = due_for(rule, action, targets, now)
    if not due:
        return []
    planned = zip(due, action.plan(rule, due, params), strict=True)
    return record(
        [_decision(rule, target, change, now) for target, change in planned if change is not None], rule
    )


def record(new: Sequence[Decision], rule: Rule) -> list[Decision]:
    """Save these decisions of the rule, all of one action, and carry them out unless they are suggestions."""
    decisions = Decision.objects.bulk_create(new)
    if not decisions:
        return []
    action = actions.get(decisions[0].action)
    if decisions[0].status == Status.APPLIED:
        action.perform(decisions)
    told = [each for each in decisions if rule.alert or action.alerts or _needs_somebody(each)]
    if told:
        raise_alerts([_alert(action, decision) for decision in told])
    return decisions


def _needs_somebody(decision: Decision) -> bool:
    """A suggestion about a source waits for a person. Those about contacts come by the hundred."""
    return decision.status == Status.SUGGESTED and decision.delivery is None


def status_in(rule: Rule) -> Decision.Status:
    """As what a decision of the rule begins."""
    return Status.SUGGESTED if rule.mode == Rule.Mode.SUGGEST else Status.APPLIED


def explain(decision: Decision) -> str:
    """Why the decision was taken, as a sentence for a person, without a full stop."""
    return reasons.explain(decision.numbers)


def headline(decision: Decision) -> str:
    """What the decision did or would do, for a person: "Facebook paused", "Suggested: Facebook paused"."""
    done = actions.get(decision.action).headline(decision)
    return f"Suggested: {done}" if decision.status in (Status.SUGGESTED, Status.DISMISSED) else done


def can_undo(decision: Decision) -> bool:
    """Whether there is something to take back. An alert that went out cannot be."""
    return (
        actions.get(decision.action).undoable
        and decision.status == Status.APPLIED
        and reversal_of(decision) is None
    )


def reversal_of(decision: Decision) -> Decision | None:
    """The decision by which its rule took this one back once the condition had cleared, if that stands."""
    reversal: Decision | None = getattr(decision, "reversed_by", None)
    return reversal if reversal and reversal.status == Status.APPLIED else None


@transaction.atomic
def undo(decision: Decision, *, user: User, force: bool = False, now: dt.datetime | None = None) -> Decision:
    """Put back what stood before the decision; taken back already, it stays as it is.

    Raises Changed, with what stands now, where something else has changed it since and ``force`` is not set;
    CannotUndo where there is nothing to take back.
    """
    fresh = lock(decision)
    if fresh.status == Status.UNDONE:
        return fresh
    if fresh.status != Status.APPLIED:
        raise CannotUndo("Nothing was done, so there is nothing to take back.")
    if reversal_of(fresh):
        raise CannotUndo("The rule has reversed it already. Undo the reversal to bring it back.")
    fresh.undone_at, fresh.undone_by = now or timezone.now(), user
    actions.get(fresh.action).undo(fresh, force=force)
    fresh.status = Status.UNDONE
    fresh.save(update_fields=["status", "undone_at", "undone_by"])
    return fresh


def lock(decision: Decision) -> Decision:
    """The decision as it stands now, with its source locked: what bears on a source waits in line here."""
    source = locked(Source.objects.filter(pk=decision.source_id)).get()
    with_ = ("flow", "rule__flow", "buyer", "delivery__lead", "reversed_by", "reverses")
    fresh = Decision.objects.select_related(*with_).get(pk=decision.pk)
    fresh.source = source
    source.flow = fresh.flow
    return fresh


def due_for(rule: Rule, action: Action, targets: Sequence[Target], now: dt.datetime) -> list[Target]:
    """The targets on which the rule may decide now: one a source (and buyer), where the action is about
    it."""
    about = [target for target in targets if action.is_about_source(target)]
    if about:
        resting = _resting(rule, {target.source.pk for target in about}, now)
        once = {target.key: target for target in reversed(about) if target.key not in resting}
        moved = _moved(rule, list(once.values()))
        keys = sorted(moved, key=lambda key: (key[0], key[1] or 0))
        targets = [target for target in targets if not action.is_about_source(target)]
        targets += [once[key] for key in keys]
    if not targets:
        return []
    on_record = set(
        Decision.objects.filter(
            rule=rule, evaluation__in={target.evaluation for target in targets}
        ).values_list("source_id", "evaluation")
    )
    return [target for target in targets if (target.source.pk, target.evaluation) not in on_record]


def _moved(rule: Rule, targets: Sequence[Target]) -> set[Key]:
    """Where the rule has a reason to decide that it had not when it last decided there. Each delivery that
    comes back is one by itself."""
    counted = {target.key: target for target in targets if target.delivery is None}
    last = _last(rule, {source for source, _ in counted}) if counted else {}
    idle = {key for key, target in counted.items() if key in last and not _is_new(rule, last[key], target)}
    return {target.key for target in targets} - idle


def _is_new(rule: Rule, last: Decision, target: Target) -> bool:
    """Other grounds than those of the last decision; or another deed on the same ones; or its alert was
    resolved, so that it was over in between."""
    told = getattr(last, "alert", None)
    acts = not target.numbers.get("cleared") and not last.numbers.get("cleared")
    return (
        grounds.has_news(target.numbers, last.numbers)
        or (acts and not grounds.does_the_same(rule, last))
        or bool(told and told.resolved_at)
    )


def _last(rule: Rule, source_ids: Collection[int]) -> dict[Key, Decision]:
    """The rule's last decision on each source (and buyer), whatever became of it."""
    mine = Decision.objects.filter(rule=rule, source__in=source_ids).order_by()
    newest = mine.values("source", "buyer").annotate(newest=Max("pk")).values("newest")
    rows = Decision.objects.filter(pk__in=newest).select_related("alert")
    return {(each.source_id, each.buyer_id): each for each in rows}


def _resting(rule: Rule, source_ids: set[int], now: dt.datetime) -> set[Key]:
    """What the rule leaves alone: it decided there less than a cool-down ago, or a person approved,
    dismissed or took back what it decided, or its suggestion waits for one."""
    since = grounds.rests_since(rule.cooldown_hours, now)
    recent = Q(decided_at__gt=since) | Q(undone_at__gt=since)
    answered = Q(answered_at__gt=since, answered_by__isnull=False)
    found = Decision.objects.filter(
        recent | answered | Q(status=Status.SUGGESTED), rule=rule, source__in=source_ids
    )
    return set(found.values_list("source_id", "buyer_id"))


def _decision(rule: Rule, target: Target, change: Change, now: dt.datetime) -> Decision:
    return Decision(
        flow=rule.flow,
        rule=rule,
        rule_name=rule.name,
        source=target.source,
        delivery=target.delivery,
        buyer=target.buyer,
        evaluation=target.evaluation,
        action=rule.action,
        params=rule.params,
        numbers=target.numbers,
        before=change.before,
        after=change.after,
        status=status_in(rule),
        decided_at=now,
    )


def _alert(action: Action, decision: Decision) -> Alert:
    suggested = decision.status == Status.SUGGESTED
    return Alert(
        seller_id=decision.flow.seller_id,
        flow=decision.flow,
        source=decision.source,
        decision=decision,
        level=Alert.Level.WARN if suggested else action.level(decision),
        title=headline(decision)[:160],
        body=explain(decision)[:500],
        condition=action.condition(decision),
        created_at=decision.decided_at,
    )
