"""Which rules fire after a pass: on a source's numbers, and on each changed delivery."""

from __future__ import annotations

import datetime as dt
import logging
import zoneinfo
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Any, cast

from django.db import InterfaceError, OperationalError, transaction

from feedback.cells import totals_of_cells
from feedback.metrics import Totals, measure
from feedback.models import SourceDay
from flows import actions, decisions, rules
from flows.actions.alerts import raise_alerts
from flows.actions.base import BadRule, Target
from flows.models import Alert, Delivery, Flow, Rule, Source

log = logging.getLogger(__name__)


def rule_on(
    sources: Sequence[Source], delivery_ids: Collection[int], *, evaluation: str, now: dt.datetime
) -> None:
    """Evaluate the enabled rules of the sources' flows, and carry out those that fire.

    ``sources`` are locked rows with their flow; ``evaluation`` names this look at them. A rule that fails
    stops no other: what it did is rolled back, and its owner is told once.
    """
    flow_ids = {source.flow_id for source in sources}
    enabled = list(Rule.objects.filter(flow__in=flow_ids, enabled=True).select_related("flow"))
    on_quality = [rule for rule in enabled if rule.trigger == Rule.Trigger.QUALITY]
    on_feedback = [rule for rule in enabled if rule.trigger == Rule.Trigger.FEEDBACK]
    deliveries = _deliveries(on_feedback, delivery_ids)
    look = Look(sources, on_quality, evaluation, now)
    for rule in on_quality:
        _judge(rule, look.targets, sources, now)
    by_pk = {source.pk: source for source in sources}
    for rule in on_feedback:
        _judge(rule, partial(_with_outcome, deliveries, by_pk), sources, now)


class Look:
    """One look at sources' numbers. Reads their cells once, over the widest window that a rule asks for."""

    def __init__(
        self, sources: Sequence[Source], on_quality: Sequence[Rule], evaluation: str, now: dt.datetime
    ) -> None:
        self.evaluation = evaluation
        self.sources: dict[int, list[Source]] = defaultdict(list)
        for source in sources:
            self.sources[source.flow_id].append(source)
        self.today = {source.flow_id: _today(source.flow, now) for source in sources}
        self._sums: dict[tuple[int, dt.date, dt.date], Totals] = {}
        self._days = self._read(sources, on_quality)

    def targets(self, rule: Rule) -> list[Target]:
        """The rule's sources on whose numbers it fires."""
        found = (self._target(rule, source) for source in self.sources[rule.flow_id])
        return [target for target in found if target is not None]

    def _target(self, rule: Rule, source: Source) -> Target | None:
        condition, today = _condition(rule), self.today[rule.flow_id]
        measured = measure(condition.metric, self._totals(source.pk, *condition.days(today)))
        numbers = rules.evaluate(condition, measured, today)
        if numbers is None:
            return None
        return Target(source, self.evaluation, rules.explain(numbers), numbers)

    def _totals(self, source_id: int, first: dt.date, last: dt.date) -> Totals:
        key = (source_id, first, last)
        if key not in self._sums:
            days = self._days.get(source_id, ())
            self._sums[key] = sum((totals for day, totals in days if first <= day <= last), Totals())
        return self._sums[key]

    def _read(
        self, sources: Sequence[Source], on_quality: Sequence[Rule]
    ) -> dict[int, list[tuple[dt.date, Totals]]]:
        sound = (rule for rule in on_quality if not actions.faults_of(rule))
        spans = [_condition(rule).days(self.today[rule.flow_id]) for rule in sound]
        if not spans:
            return {}
        cells = SourceDay.objects.filter(
            source__in=[source.pk for source in sources],
            day__gte=min(first for first, _ in spans),
            day__lte=max(last for _, last in spans),
        )
        found: dict[int, list[tuple[dt.date, Totals]]] = defaultdict(list)
        for (source_id, day), totals in totals_of_cells(cells, "source_id", "day").items():
            found[source_id].append((day, totals))
        return found


def _judge(
    rule: Rule, targets_of: Callable[[Rule], list[Target]], sources: Sequence[Source], now: dt.datetime
) -> None:
    """One rule, in a savepoint if it fires. An ailing database is no fault of the rule: the pass is off."""
    try:
        if faults := actions.faults_of(rule):
            raise BadRule(" ".join(faults.values()))
        if targets := targets_of(rule):
            with transaction.atomic():
                decisions.decide(rule, targets, now=now)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # noqa: BLE001  # whatever it is, the other rules and the cells go on
        _failed(rule, error, now)
        _reread(sources)
    else:
        _works(rule)


def _failed(rule: Rule, error: Exception, now: dt.datetime) -> None:
    """Log it; tell the owner when it begins to fail, not at every pass."""
    log.error("Rule %s (%s) failed", rule.pk, rule.name, exc_info=error)
    message = (str(error) if isinstance(error, BadRule) else f"{type(error).__name__}: {error}")[:500]
    if not rule.error:
        title = f"The rule “{rule.name}” cannot be carried out"
        raise_alerts(
            [
                Alert(
                    seller_id=rule.flow.seller_id,
                    flow=rule.flow,
                    level=Alert.Level.BAD,
                    title=title[:160],
                    body=message,
                    created_at=now,
                )
            ]
        )
    if rule.error != message:
        Rule.objects.filter(pk=rule.pk).update(error=message)


def _works(rule: Rule) -> None:
    if rule.error:
        Rule.objects.filter(pk=rule.pk).update(error="")


def _reread(sources: Iterable[Source]) -> None:
    """The failed rule may have changed the rows in hand, which the database has rolled back."""
    in_hand = {source.pk: source for source in sources}
    for stored in Source.objects.filter(pk__in=in_hand):
        for field in Source._meta.concrete_fields:
            setattr(in_hand[stored.pk], field.attname, getattr(stored, field.attname))


def _deliveries(on_feedback: Sequence[Rule], delivery_ids: Collection[int]) -> list[Delivery]:
    """The changed deliveries that any rule might fire on."""
    if not on_feedback:
        return []
    outcomes = {rule.outcome for rule in on_feedback}
    found = Delivery.objects.filter(pk__in=delivery_ids, outcome__in=outcomes)
    return list(found.select_related("lead").order_by("pk"))


def _with_outcome(deliveries: Iterable[Delivery], sources: dict[int, Source], rule: Rule) -> list[Target]:
    """A rule on feedback fires on each delivery that has its outcome; once, whatever comes later."""
    return [
        _delivery_target(delivery, sources[delivery.source_id])
        for delivery in deliveries
        if delivery.flow_id == rule.flow_id and delivery.outcome == rule.outcome
    ]


def _delivery_target(delivery: Delivery, source: Source) -> Target:
    numbers: dict[str, Any] = {"outcome": delivery.outcome, "lead_id": delivery.public_id}
    return Target(source, f"delivery:{delivery.pk}", rules.explain(numbers), numbers, delivery)


def _condition(rule: Rule) -> rules.Condition:
    return rules.Condition(
        metric=rule.metric,
        comparison=cast("Any", rule.comparison),
        threshold=cast("Any", rule.threshold),
        min_count=rule.min_count,
        window_days=rule.window_days,
        maturity_days=rule.maturity_days,
    )


def _today(flow: Flow, now: dt.datetime) -> dt.date:
    return now.astimezone(zoneinfo.ZoneInfo(flow.timezone)).date()
