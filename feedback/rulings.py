"""What rules do after a look at sources' numbers, and at each changed delivery."""

from __future__ import annotations

import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Any

from django.db import InterfaceError, OperationalError, transaction

from feedback import alerted
from feedback.looks import Look, Seen
from flows import actions, clearing, conditions, decisions, reasons, rule_changes, suggestions
from flows.actions.base import BadRule, Target
from flows.models import Alert, Decision, Delivery, Rule, Source

log = logging.getLogger(__name__)
Waiting = dict[int, list[Decision]]  # rule → its suggestions that wait for a person


def rule_on(
    sources: Sequence[Source],
    delivery_ids: Collection[int],
    *,
    now: dt.datetime,
    evaluation: str | None = None,
) -> None:
    """Evaluate the enabled rules of the sources' flows, and carry out those that fire.

    ``sources`` are locked rows with their flow. ``evaluation`` names this look at them; without, it is the
    look of the flow's day. A rule that fails stops no other: what it did is rolled back, and its owner is
    told once. The number of queries does not grow with the sources.
    """
    flow_ids = {source.flow_id for source in sources}
    enabled = list(
        Rule.objects.filter(flow__in=flow_ids, enabled=True)
        .select_related("flow")
        .prefetch_related("excluded_buyers")
    )
    on_quality = [rule for rule in enabled if rule.trigger == Rule.Trigger.QUALITY]
    on_feedback = [rule for rule in enabled if rule.trigger == Rule.Trigger.FEEDBACK]
    waiting, told = _waiting(enabled, sources), alerted.standing(on_quality, sources)
    look = Look(sources, on_quality, evaluation, now)
    for rule in on_quality:
        stands = waiting[rule.pk], told[rule.pk]
        _safely(rule, partial(_on_quality, rule, look, *stands, now), sources, now)
    changed = _Changed(on_feedback, delivery_ids, sources)
    for rule in on_feedback:
        _safely(rule, partial(_on_feedback, rule, changed, waiting[rule.pk], now), sources, now)


def _on_quality(
    rule: Rule, look: Look, waiting: Sequence[Decision], told: Sequence[Decision], now: dt.datetime
) -> None:
    """Decide where the condition holds; take back where it has cleared; withdraw what is no longer so, and
    resolve what was told of it."""
    seen = look.seen(rule)
    firing = [look.target(rule, each) for each in seen if each.finding.fires]
    clear = [each for each in seen if each.finding.clear and rule.on_clear == Rule.OnClear.REVERSE]
    if not (firing or clear or waiting or told):
        return
    with transaction.atomic():
        conditions.end(alerted.over(rule, look, seen, told), now=now)
        suggestions.withdraw(_out_of_date(rule, look, seen, waiting), waiting, now=now)
        if firing:
            decisions.decide(rule, firing, now=now)
        if clear:
            margin = {"cleared": True, "hysteresis": float(rule.hysteresis)}
            clearing.reverse(rule, [look.target(rule, each, **margin) for each in clear], now=now)


def _out_of_date(rule: Rule, look: Look, seen: Sequence[Seen], waiting: Sequence[Decision]) -> dict[int, str]:
    """Of the suggestions that wait, those that the numbers no longer bear out: why, by primary key.

    To act: where the condition has lapsed. To reverse: where it holds again.
    """
    found = {each.key: each for each in seen}
    out: dict[int, str] = {}
    for suggestion in waiting:
        at_hand = found.get((suggestion.source_id, suggestion.buyer_id))
        if at_hand is None:  # nothing of this buyer is left on the days that count
            if rule.evidence == Rule.Evidence.POINT:
                out[suggestion.pk] = reasons.no_longer({**suggestion.numbers, "count": 0})
        elif suggestion.reverses_id and at_hand.finding.fires:
            out[suggestion.pk] = reasons.explain(look.numbers(rule, at_hand))
        elif not suggestion.reverses_id and at_hand.finding.lapsed:
            out[suggestion.pk] = reasons.no_longer(look.numbers(rule, at_hand))
    return out


class _Changed:
    """The changed deliveries that rules on each feedback might fire on."""

    def __init__(
        self, on_feedback: Sequence[Rule], delivery_ids: Collection[int], sources: Sequence[Source]
    ) -> None:
        self.sources = {source.pk: source for source in sources}
        self.ids = set(delivery_ids)
        self.rows: list[Delivery] = []
        if on_feedback and self.ids:
            outcomes = {rule.outcome for rule in on_feedback}
            rows = Delivery.objects.filter(pk__in=self.ids, outcome__in=outcomes)
            self.rows = list(rows.select_related("lead").order_by("pk"))

    def targets(self, rule: Rule) -> list[Target]:
        """A rule on feedback fires on each delivery that has its outcome; once, whatever comes later."""
        left_out = {buyer.pk for buyer in rule.excluded_buyers.all()}
        return [
            _delivery_target(delivery, self.sources[delivery.source_id])
            for delivery in self.rows
            if delivery.flow_id == rule.flow_id
            and delivery.outcome == rule.outcome
            and delivery.buyer_id not in left_out
        ]


def _on_feedback(rule: Rule, changed: _Changed, waiting: Sequence[Decision], now: dt.datetime) -> None:
    targets = changed.targets(rule)
    standing = {target.delivery.pk for target in targets if target.delivery}
    out = {
        each.pk: reasons.no_longer(each.numbers)
        for each in waiting
        if each.delivery_id in changed.ids and each.delivery_id not in standing
    }
    if targets or out:
        with transaction.atomic():
            suggestions.withdraw(out, waiting, now=now)
            decisions.decide(rule, targets, now=now)


def _delivery_target(delivery: Delivery, source: Source) -> Target:
    numbers: dict[str, Any] = {"outcome": delivery.outcome, "lead_id": delivery.public_id}
    return Target(source, f"delivery:{delivery.pk}", reasons.explain(numbers), numbers, delivery)


def _waiting(rules: Sequence[Rule], sources: Sequence[Source]) -> Waiting:
    found: Waiting = defaultdict(list)
    if rules:
        rows = Decision.objects.filter(
            status=Decision.Status.SUGGESTED,
            rule__in=[rule.pk for rule in rules],
            source__in=[source.pk for source in sources],
        )
        for suggestion in rows.order_by("pk"):
            found[suggestion.rule_id or 0].append(suggestion)
    return found


def _safely(rule: Rule, work: Callable[[], None], sources: Sequence[Source], now: dt.datetime) -> None:
    """One rule's work, which opens a savepoint before it writes. An ailing database is no fault of the rule:
    the pass is off."""
    try:
        if faults := actions.faults_of(rule):
            raise BadRule(" ".join(faults.values()))
        work()
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # noqa: BLE001  # whatever it is, the other rules and the cells go on
        _failed(rule, error, now)
        _reread(sources)
    else:
        _works(rule, now)


def _failed(rule: Rule, error: Exception, now: dt.datetime) -> None:
    """Log it; tell the owner when it begins to fail, not at every pass."""
    log.error("Rule %s (%s) failed", rule.pk, rule.name, exc_info=error)
    message = (str(error) if isinstance(error, BadRule) else f"{type(error).__name__}: {error}")[:500]
    alert = Alert(
        flow=rule.flow,
        level=Alert.Level.BAD,
        title=f"The rule “{rule.name}” cannot be carried out"[:160],
        body=message,
        created_at=now,
    )
    conditions.hold(rule.flow.seller_id, rule_changes.failing(rule), lambda: alert)
    if rule.error != message:
        Rule.objects.filter(pk=rule.pk).update(error=message)


def _works(rule: Rule, now: dt.datetime) -> None:
    """What failed works again once it could be done, not where there was nothing to do."""
    if rule.error and actions.get(rule.action).ready(rule):
        Rule.objects.filter(pk=rule.pk).update(error="")
        conditions.clear(
            rule.flow.seller_id, rule_changes.failing(rule), now=now, why="It is carried out again."
        )


def _reread(sources: Iterable[Source]) -> None:
    """The failed rule may have changed the rows in hand, which the database has rolled back."""
    in_hand = {source.pk: source for source in sources}
    for stored in Source.objects.filter(pk__in=in_hand):
        for field in Source._meta.concrete_fields:
            setattr(in_hand[stored.pk], field.attname, getattr(stored, field.attname))
