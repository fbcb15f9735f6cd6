"""What a rule suggests, and what becomes of it: approved, dismissed, or withdrawn by the rule itself."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence

from django.db import transaction
from django.utils import timezone

from flows import actions, grounds
from flows.actions.base import BadRule, Change, Changed, State, Target
from flows.decisions import explain, lock
from flows.models import Decision, Rule
from portal.models import User

Status = Decision.Status
OFF, DELETED, CHANGED = "The rule was switched off", "The rule was deleted", "The rule was changed"
AT_ONCE = 500  # rows a statement: suggestions about contacts come by the hundred


class PlanChanged(Exception):  # noqa: N818
    """The source has changed since, so that approving would do something else than what was shown.

    ``change`` is what it would do now; None: nothing. ``stands`` is what stands now.
    """

    def __init__(self, change: Change | None, stands: State) -> None:
        super().__init__("It has been changed since.")
        self.change = change
        self.stands = stands


def plan(suggestion: Decision) -> Change:
    """What approving it would do now. PlanChanged where there is nothing left to do; BadRule where it can no
    longer be carried out, also as its rule stands by it no more (`why_void`)."""
    rule = suggestion.rule
    if rule is None or why_void(suggestion):
        raise BadRule(f"{why_void(suggestion)}.")
    action, why = actions.get(suggestion.action), explain(suggestion)
    if suggestion.reverses:
        reversed_ = suggestion.reverses
        reversed_.source = suggestion.source
        (found,) = actions.get(reversed_.action).plan_reverse([reversed_], [why])
        if isinstance(found, Changed):
            raise PlanChanged(None, found.stands)
        return found
    target = Target(
        suggestion.source,
        suggestion.evaluation,
        why,
        suggestion.numbers,
        suggestion.delivery,
        suggestion.buyer,
    )
    (change,) = action.plan(rule, [target], action.clean(suggestion.params))
    if change is None:
        raise PlanChanged(None, {})
    return change


def why_void(suggestion: Decision) -> str:
    """Why its rule stands by an open suggestion no more; "" where it does.

    The numbers are another thing: the rule itself withdraws what they no longer bear out, when it looks.
    """
    rule = suggestion.rule
    if rule is None:
        return DELETED
    if not rule.enabled:
        return OFF
    suggests = rule.mode == Rule.Mode.SUGGEST
    return "" if suggests and grounds.is_as_decided(rule, suggestion) else CHANGED


def seal(change: Change) -> str:
    """By what one tells whether a plan is the one that a person saw."""
    text = json.dumps([change.before, change.after], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def suggested(suggestion: Decision) -> Change:
    """The change as it was suggested."""
    return Change(suggestion.before, suggestion.after)


@transaction.atomic
def approve(suggestion: Decision, *, user: User, seen: str = "", now: dt.datetime | None = None) -> Decision:
    """Do what was suggested, planned anew on the locked source. Once, however many approve at the same time:
    what was answered before stays as it is, and what its rule no longer stands by is withdrawn.

    ``seen`` is the `seal` of the change that the person agreed to; without it, of the one that was
    suggested. Raises PlanChanged where that is not what would be done now; BadRule where it can no longer be
    carried out.
    """
    fresh = lock(suggestion)
    if fresh.status != Status.SUGGESTED:
        return fresh
    if why := why_void(fresh):
        withdraw({fresh.pk: why}, [fresh], now=now or timezone.now())
        return fresh
    change = plan(fresh)
    if seal(change) != (seen or seal(suggested(fresh))):
        raise PlanChanged(change, change.before)
    fresh.before, fresh.after = change.before, change.after
    fresh.status = Status.APPLIED
    _answer(fresh, user, now)
    actions.get(fresh.action).perform([fresh])
    return fresh


@transaction.atomic
def dismiss(suggestion: Decision, *, user: User, now: dt.datetime | None = None) -> Decision:
    """Decide against it; the rule's cool-down begins. What was answered before stays as it is."""
    fresh = lock(suggestion)
    if fresh.status == Status.SUGGESTED:
        fresh.status = Status.DISMISSED
        _answer(fresh, user, now)
    return fresh


def withdraw(reasons: Mapping[int, str], open_: Sequence[Decision], *, now: dt.datetime) -> None:
    """Take back those of the open suggestions for which there is a reason, by primary key: nobody needs to
    decide about what is no longer so. Their sources are locked."""
    gone = [suggestion for suggestion in open_ if suggestion.pk in reasons]
    for suggestion in gone:
        suggestion.status, suggestion.answered_at = Status.DISMISSED, now
        suggestion.numbers = {**suggestion.numbers, "withdrawn": reasons[suggestion.pk]}
        suggestion.reverses = None  # so that the reversal can be suggested again
    if gone:
        columns = ["status", "answered_at", "numbers", "reverses"]
        Decision.objects.bulk_update(gone, columns, batch_size=AT_ONCE)


def was_withdrawn(decision: Decision) -> str:
    """Why the rule itself took the suggestion back; "" where it did not."""
    return grounds.was_withdrawn(decision.numbers)


def _answer(decision: Decision, user: User, now: dt.datetime | None) -> None:
    decision.answered_at, decision.answered_by = now or timezone.now(), user
    decision.save(update_fields=["before", "after", "status", "answered_at", "answered_by"])
