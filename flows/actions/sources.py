"""Actions that change columns of a source: its cap, its price adjustment. Its status:
`flows.actions.status`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, ClassVar

from flows.actions.base import Action, BadRule, Change, Changed, Params, State, Target, decimal_of
from flows.models import Alert, Decision, Rule, Source, SourceBuyer
from flows.source_changes import changed_by, changed_by_undo, since

LOWEST_ADJUSTMENT, HIGHEST_ADJUSTMENT = "0.5", "2.0"
MOST_CAP = 1_000_000
Holder = Source | SourceBuyer  # the row that has the columns


class SourceAction(Action):
    """Sets ``columns`` of the source; undoing and reversing set back what stood before."""

    columns: ClassVar[tuple[str, ...]]
    bears_on: ClassVar[tuple[str, ...]] = ()  # further columns by which an undo would mean something else

    @abstractmethod
    def wanted(self, row: Holder, params: Params, reason: str) -> State | None:
        """The columns as they should be; None: leave the row alone."""

    def holders(self, things: Sequence[Target | Decision]) -> list[Holder]:
        """The row that each target or decision is about."""
        return [thing.source for thing in things]

    def plan(self, rule: Rule, targets: Sequence[Target], params: Params) -> list[Change | None]:
        rows = self.holders(targets)
        return [self._change(row, target.reason, params) for row, target in zip(rows, targets, strict=True)]

    def _change(self, row: Holder, reason: str, params: Params) -> Change | None:
        before = state_of(row, self.columns)
        after = self.wanted(row, params, reason)
        return None if after is None or same(before, after) else Change(before, after)

    def perform(self, decisions: Sequence[Decision]) -> None:
        rows = self.holders(decisions)
        for row, decision in zip(rows, decisions, strict=True):
            put(row, decision.after)
        save(rows, self.columns)
        changed_by(decisions)

    def undo(self, decision: Decision, *, force: bool) -> None:
        if not force and (changed := self.in_the_way(decision)):
            raise changed
        (row,) = self.holders([decision])
        stands = state_of(row, self.columns)
        put(row, decision.before)
        save([row], self.columns)
        changed_by_undo(decision, stands)

    def in_the_way(self, decision: Decision) -> Changed | None:
        return self._changed([decision], self.bears_on)[0]

    def _changed(self, decisions: Sequence[Decision], bears_on: tuple[str, ...] = ()) -> list[Changed | None]:
        """For each decision what has changed its columns since, though they may stand as it left them."""
        later = since(decisions, (*self.columns, *bears_on))
        found: list[Changed | None] = []
        for row, decision in zip(self.holders(decisions), decisions, strict=True):
            stands, changes = state_of(row, self.columns), later.get(decision.pk, [])
            as_left = not changes and same(stands, decision.after)
            found.append(None if as_left else Changed(stands, changes))
        return found

    def plan_reverse(self, decisions: Sequence[Decision], reasons: Sequence[str]) -> list[Change | Changed]:
        return [
            changed or Change(state_of(row, self.columns), self.reversed(decision, reason))
            for row, decision, reason, changed in zip(
                self.holders(decisions), decisions, reasons, self._changed(decisions), strict=True
            )
        ]

    def reversed(self, decision: Decision, reason: str) -> State:
        """The columns as they should be once the decision's condition has cleared."""
        before: State = decision.before
        return before


class StepCap(SourceAction):
    """Raise or lower the daily cap by a percentage, within bounds. A source without a cap stays without.

    Parameters: ``percentage`` (20: a fifth more; −20: a fifth less), ``min`` and ``max`` leads a day.
    """

    name, label = "step_cap", "Step the daily cap"
    columns = ("daily_cap",)
    reverse_name = "step_cap"

    def clean(self, params: Params) -> Params:
        percentage = decimal_of(params, "percentage", "-90", "100")
        low, high = (int(decimal_of(params, name, "1", str(MOST_CAP))) for name in ("min", "max"))
        if percentage == 0:
            raise BadRule("“percentage” must not be 0.", "percentage")
        if low > high:
            raise BadRule("“min” must not be above “max”.", "min")
        return {"percentage": percentage, "min": low, "max": high}

    def wanted(self, row: Holder, params: Params, reason: str) -> State | None:
        standing = row.daily_cap if isinstance(row, Source) else None
        if standing is None:
            return None
        cap = stepped(standing, params["percentage"], params["min"], params["max"])
        up = params["percentage"] > 0
        # A cap that a person set beyond the bounds is theirs: a raise never lowers it, nor the other way.
        return {"daily_cap": cap} if (cap > standing) is up else None

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
    bears_on = ("base_price",)
    reverse_name = "set_price_adjustment"

    def clean(self, params: Params) -> Params:
        return {"value": decimal_of(params, "value", LOWEST_ADJUSTMENT, HIGHEST_ADJUSTMENT)}

    def wanted(self, row: Holder, params: Params, reason: str) -> State | None:
        return {"price_adjustment": _json(params["value"])}

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


def state_of(row: Holder, columns: Sequence[str]) -> State:
    """The columns, JSON-typed."""
    return {name: _json(getattr(row, name)) for name in columns}


def same(one: State, other: State) -> bool:
    """Whether two states mean the same: the adjustment 1.2 is 1.2000."""
    return {name: _typed(name, value) for name, value in one.items()} == {
        name: _typed(name, value) for name, value in other.items()
    }


def put(row: Holder, state: State) -> None:
    """Set the columns of the row in hand."""
    for name, value in state.items():
        setattr(row, name, _typed(name, value))


def save(rows: Sequence[Holder], columns: Sequence[str]) -> None:
    """Write the columns, in a statement for the sources and one for the pairs."""
    sources = [row for row in rows if isinstance(row, Source)]
    if sources:
        Source.objects.bulk_update(sources, columns)
    # Without their keys, so that a row which is there already conflicts by source and buyer alone.
    pairs = [
        SourceBuyer(
            source_id=row.source_id, buyer_id=row.buyer_id, **{name: getattr(row, name) for name in columns}
        )
        for row in rows
        if isinstance(row, SourceBuyer)
    ]
    if pairs:
        SourceBuyer.objects.bulk_create(
            pairs, update_conflicts=True, unique_fields=["source", "buyer"], update_fields=columns
        )


def _states(decision: Decision) -> tuple[State, State]:
    return decision.before, decision.after


def _json(value: Any) -> Any:
    return f"{value.normalize():f}" if isinstance(value, Decimal) else value


def _typed(name: str, value: Any) -> Any:
    return Source._meta.get_field(name).to_python(value)  # type: ignore[union-attr]  # a column, no relation
