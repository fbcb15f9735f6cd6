"""Actions that change columns of a source: its status, its cap, its price adjustment."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, ClassVar

from flows.actions.base import Action, BadRule, Change, Changed, Params, State, Target, decimal_of
from flows.models import Alert, Decision, Rule, Source

LOWEST_ADJUSTMENT, HIGHEST_ADJUSTMENT = "0.5", "2.0"
MOST_CAP = 1_000_000


class SourceAction(Action):
    """Sets ``columns`` of the source; undoing sets back what stood before."""

    columns: ClassVar[tuple[str, ...]]

    @abstractmethod
    def wanted(self, source: Source, params: Params, reason: str) -> State | None:
        """The columns as they should be; None: leave the source alone."""

    def plan(self, rule: Rule, targets: Sequence[Target], params: Params) -> list[Change | None]:
        return [self._change(target, params) for target in targets]

    def _change(self, target: Target, params: Params) -> Change | None:
        before = state_of(target.source, self.columns)
        after = self.wanted(target.source, params, target.reason)
        return None if after is None or same(before, after) else Change(before, after)

    def perform(self, decisions: Sequence[Decision]) -> None:
        for decision in decisions:
            put(decision.source, decision.after)
        Source.objects.bulk_update([decision.source for decision in decisions], self.columns)

    def undo(self, decision: Decision, *, force: bool) -> None:
        stands = state_of(decision.source, self.columns)
        if not force and not same(stands, decision.after):
            raise Changed(stands)
        put(decision.source, decision.before)
        decision.source.save(update_fields=self.columns)


class PauseSource(SourceAction):
    """Buy nothing more from it; intake refuses its leads as ``source_paused``."""

    name, label = "pause_source", "Pause the source"
    columns = ("status", "status_reason")

    def wanted(self, source: Source, params: Params, reason: str) -> State | None:
        if source.status == Source.Status.PAUSED:
            return None
        return {"status": Source.Status.PAUSED.value, "status_reason": reason[:255]}

    def headline(self, decision: Decision) -> str:
        return f"{decision.source} paused"

    def level(self, decision: Decision) -> Alert.Level:
        return Alert.Level.BAD


class ResumeSource(SourceAction):
    """Buy again from a source that a rule paused. What a person paused stays paused."""

    name, label = "resume_source", "Resume the source"
    columns = ("status", "status_reason")

    def plan(self, rule: Rule, targets: Sequence[Target], params: Params) -> list[Change | None]:
        pauses = Decision.objects.filter(
            source__in=[target.source.pk for target in targets],
            action=PauseSource.name,
            status=Decision.Status.APPLIED,
        )
        by_rule = {(pause.source_id, pause.after["status_reason"]) for pause in pauses}
        return [
            self._change(target, params)
            if (target.source.pk, target.source.status_reason) in by_rule
            else None
            for target in targets
        ]

    def wanted(self, source: Source, params: Params, reason: str) -> State | None:
        return {"status": Source.Status.ACTIVE.value, "status_reason": ""}

    def headline(self, decision: Decision) -> str:
        return f"{decision.source} resumed"

    def level(self, decision: Decision) -> Alert.Level:
        return Alert.Level.GOOD


class StepCap(SourceAction):
    """Raise or lower the daily cap by a percentage, within bounds. A source without a cap stays without.

    Parameters: ``percentage`` (20: a fifth more; −20: a fifth less), ``min`` and ``max`` leads a day.
    """

    name, label = "step_cap", "Step the daily cap"
    columns = ("daily_cap",)

    def clean(self, params: Params) -> Params:
        percentage = decimal_of(params, "percentage", "-90", "100")
        low, high = (int(decimal_of(params, name, "1", str(MOST_CAP))) for name in ("min", "max"))
        if percentage == 0 or low > high:
            raise BadRule("“percentage” must not be 0, and “min” must not be above “max”.")
        return {"percentage": percentage, "min": low, "max": high}

    def wanted(self, source: Source, params: Params, reason: str) -> State | None:
        if source.daily_cap is None:
            return None
        cap = stepped(source.daily_cap, params["percentage"], params["min"], params["max"])
        up = params["percentage"] > 0
        # A cap that a person set beyond the bounds is theirs: a raise never lowers it, nor the other way.
        return {"daily_cap": cap} if (cap > source.daily_cap) is up else None

    def headline(self, decision: Decision) -> str:
        return f"{decision.source}: cap {decision.before['daily_cap']} → {decision.after['daily_cap']}"

    def level(self, decision: Decision) -> Alert.Level:
        raised = decision.after["daily_cap"] > decision.before["daily_cap"]
        return Alert.Level.GOOD if raised else Alert.Level.WARN


class SetPriceAdjustment(SourceAction):
    """Assign the factor on the base price. Assigned, never multiplied onto the one that stands.

    Parameter: ``value``, 0.5 to 2.0.
    """

    name, label = "set_price_adjustment", "Set the price adjustment"
    columns = ("price_adjustment",)

    def clean(self, params: Params) -> Params:
        return {"value": decimal_of(params, "value", LOWEST_ADJUSTMENT, HIGHEST_ADJUSTMENT)}

    def wanted(self, source: Source, params: Params, reason: str) -> State | None:
        return {"price_adjustment": str(params["value"])}

    def headline(self, decision: Decision) -> str:
        before, after = (f"{Decimal(state['price_adjustment']):.2f}" for state in _states(decision))
        return f"{decision.source}: price × {before} → × {after}"

    def level(self, decision: Decision) -> Alert.Level:
        before, after = (Decimal(state["price_adjustment"]) for state in _states(decision))
        return Alert.Level.GOOD if after > before else Alert.Level.WARN


def stepped(cap: int, percentage: Decimal, low: int, high: int) -> int:
    """The cap moved by the percentage, by one at least, within [low, high]."""
    step = int((cap * percentage / 100).to_integral_value(ROUND_HALF_UP))
    return max(low, min(high, cap + (step or (1 if percentage > 0 else -1))))


def state_of(source: Source, columns: Sequence[str]) -> State:
    """The columns, JSON-typed."""
    return {name: _json(getattr(source, name)) for name in columns}


def same(one: State, other: State) -> bool:
    """Whether two states mean the same: the adjustment 1.2 is 1.2000."""
    return {name: _typed(name, value) for name, value in one.items()} == {
        name: _typed(name, value) for name, value in other.items()
    }


def put(source: Source, state: State) -> None:
    """Set the columns of the row in hand."""
    for name, value in state.items():
        setattr(source, name, _typed(name, value))


def _states(decision: Decision) -> tuple[State, State]:
    return decision.before, decision.after


def _json(value: Any) -> Any:
    return str(value) if isinstance(value, Decimal) else value


def _typed(name: str, value: Any) -> Any:
    return Source._meta.get_field(name).to_python(value)  # type: ignore[union-attr]  # a column, no relation
