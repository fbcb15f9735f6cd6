"""What an action is: planned for many targets at once, logged before and after, undone if it still stands."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar

from flows.models import Alert, Decision, Delivery, Rule, Source, SourceChange
from portal.models import Buyer

Params = Mapping[str, Any]
State = dict[str, Any]  # JSON-typed: what stood before, what stands after


class BadRule(ValueError):  # noqa: N818  # it is the rule that is bad
    """A rule that cannot be carried out; the message tells its owner what to mend, ``param`` in which
    parameter."""

    def __init__(self, message: str, param: str = "") -> None:
        super().__init__(message)
        self.param = param


class CannotUndo(Exception):  # noqa: N818
    """This decision cannot be taken back."""


class Changed(CannotUndo):
    """Something else changed what the decision had changed. ``stands`` is what stands now; ``since``: the
    changes in between, the oldest first, as far as they are on record."""

    def __init__(self, stands: State, since: Sequence[SourceChange] = ()) -> None:
        super().__init__("It has been changed since.")
        self.stands = stands
        self.since = since


@dataclass(frozen=True, slots=True)
class Target:
    """On what a rule fired: a source, with the delivery if one delivery's feedback fired it, with the buyer
    if the rule looks at the source with each of its buyers.

    ``numbers`` are what the rule fired on, ``reason`` the same in words; ``evaluation`` names this look.
    The source is a locked row, shared by all targets of a pass.
    """

    source: Source
    evaluation: str
    reason: str
    numbers: State = field(default_factory=dict)
    delivery: Delivery | None = None
    buyer: Buyer | None = None

    @property
    def key(self) -> tuple[int, int | None]:
        """What it is about: the source, or the source with one buyer."""
        return self.source.pk, self.buyer.pk if self.buyer else None


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
    for_pairs: ClassVar[bool] = False  # whether it can be done to a source with one buyer
    offered: ClassVar[bool] = True  # False: nothing that a rule can be given to do
    alerts: ClassVar[bool] = False  # alerts even where the rule does not ask for it
    undoable: ClassVar[bool] = True
    reverse_name: ClassVar[str] = ""  # the action that takes it back once its condition has cleared; "": none

    def clean(self, params: Params) -> Params:
        """The parameters, checked and typed. BadRule where they are wrong."""
        return params

    def check(self, rule: Rule) -> None:
        """BadRule where the rule's parameters are wrong, by themselves or for its flow."""
        self.clean(rule.params if isinstance(rule.params, dict) else {})

    def ready(self, rule: Rule) -> bool:
        """Whether what it needs is there: asked of a rule that failed, before it is said to work again."""
        return True

    def is_about_source(self, target: Target) -> bool:
        """Whether it is done once for the source, with a cool-down, not for each delivery."""
        return self.per_source

    @abstractmethod
    def plan(self, rule: Rule, targets: Sequence[Target], params: Params) -> list[Change | None]:
        """What would change on each target, in a bounded number of queries; None: nothing."""

    @abstractmethod
    def perform(self, decisions: Sequence[Decision]) -> None:
        """Make the planned changes of these saved decisions."""

    @abstractmethod
    def undo(self, decision: Decision, *, force: bool) -> None:
        """Put back what stood before. Changed where something else has changed it, unless ``force``."""

    def in_the_way(self, decision: Decision) -> Changed | None:
        """What undoing the applied decision would ask about first, as far as that can be told beforehand."""
        return None

    def plan_reverse(self, decisions: Sequence[Decision], reasons: Sequence[str]) -> list[Change | Changed]:
        """How to take these decisions back now that their conditions have cleared, for which reasons.

        Changed where what a decision did no longer stands: that is then left alone. The decisions' sources
        are locked. Only asked of an action with a ``reverse_name``.
        """
        raise NotImplementedError(f"{self.name} names no action that reverses it.")

    @abstractmethod
    def headline(self, decision: Decision) -> str:
        """What was done, for a title: "Facebook paused"."""

    def level(self, decision: Decision) -> Alert.Level:
        """How an alert about it is coloured."""
        return Alert.Level.INFO

    def condition(self, decision: Decision) -> str:
        """Of which lasting state an alert about it tells (`flows.conditions`); "": of the deed, told once."""
        return ""


def of_pair(thing: Target | Decision) -> str:
    """Where it is about a source with one buyer: " for Alpine"; else ""."""
    return f" for {thing.buyer}" if thing.buyer else ""


def decimal_of(params: Params, name: str, low: str, high: str) -> Decimal:
    """A number among the parameters, within bounds. BadRule otherwise."""
    value = params.get(name)
    fault = BadRule(f"“{name}” must be a number from {low} to {high}.", name)
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise fault
    try:
        number = Decimal(str(value))
    except ArithmeticError:
        raise fault from None
    if not number.is_finite() or not Decimal(low) <= number <= Decimal(high):
        raise fault
    return number
