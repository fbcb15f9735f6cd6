"""What an action is: planned for many targets at once, logged before and after, undone if it still stands."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar

from flows.models import Alert, Decision, Delivery, Rule, Source

Params = Mapping[str, Any]
State = dict[str, Any]  # JSON-typed: what stood before, what stands after


class BadRule(ValueError):  # noqa: N818  # it is the rule that is bad
    """A rule that cannot be carried out; the message tells its owner what to mend."""


class CannotUndo(Exception):  # noqa: N818
    """This decision cannot be taken back."""


class Changed(CannotUndo):
    """Something else changed what the decision had changed. ``stands`` is what stands now."""

    def __init__(self, stands: State) -> None:
        super().__init__("It has been changed since.")
        self.stands = stands


@dataclass(frozen=True, slots=True)
class Target:
    """On what a rule fired: a source, with the delivery if one delivery's feedback fired it.

    ``numbers`` are what the rule fired on, ``reason`` the same in words; ``evaluation`` names this look.
    The source is a locked row, shared by all targets of a pass.
    """

    source: Source
    evaluation: str
    reason: str
    numbers: State = field(default_factory=dict)
    delivery: Delivery | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What an action would change on one target."""

    before: State
    after: State


class Action(ABC):
    """One thing that a rule can do. Instances hold nothing; the registry has one of each."""

    name: ClassVar[str]
    label: ClassVar[str]
    per_source: ClassVar[bool] = True  # False: each delivery counts, so no cool-down by source
    needs_delivery: ClassVar[bool] = False
    alerts: ClassVar[bool] = False  # alerts even where the rule does not ask for it
    undoable: ClassVar[bool] = True

    def clean(self, params: Params) -> Params:
        """The parameters, checked and typed. BadRule where they are wrong."""
        return params

    @abstractmethod
    def plan(self, rule: Rule, targets: Sequence[Target], params: Params) -> list[Change | None]:
        """What would change on each target, in a bounded number of queries; None: nothing."""

    @abstractmethod
    def perform(self, decisions: Sequence[Decision]) -> None:
        """Make the planned changes of these saved decisions."""

    @abstractmethod
    def undo(self, decision: Decision, *, force: bool) -> None:
        """Put back what stood before. Changed where something else has changed it, unless ``force``."""

    @abstractmethod
    def headline(self, decision: Decision) -> str:
        """What was done, for a title: "Facebook paused"."""

    def level(self, decision: Decision) -> Alert.Level:
        """How an alert about it is coloured."""
        return Alert.Level.INFO


def decimal_of(params: Params, name: str, low: str, high: str) -> Decimal:
    """A number among the parameters, within bounds. BadRule otherwise."""
    value = params.get(name)
    message = f"“{name}” must be a number from {low} to {high}."
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise BadRule(message)
    try:
        number = Decimal(str(value))
    except ArithmeticError:
        raise BadRule(message) from None
    if not number.is_finite() or not Decimal(low) <= number <= Decimal(high):
        raise BadRule(message)
    return number
