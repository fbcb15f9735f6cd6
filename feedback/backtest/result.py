"""What came of a replay."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any

from flows.models import Rule

NOTHING = Decimal(0)


@dataclass(slots=True)
class Effect:
    """What a firing would have meant, in the flow's currency.

    ``leads``: those that would not have been bought, at ``cost``; of them ``converted`` for ``revenue``, as
    far as is known today, and ``pending`` are open still. ``repriced`` leads would have cost ``price_change``
    more.
    """

    leads: int = 0
    cost: Decimal = NOTHING
    converted: int = 0
    revenue: Decimal = NOTHING
    pending: int = 0
    repriced: int = 0
    price_change: Decimal = NOTHING
    bonus: Decimal = NOTHING

    def __add__(self, other: Effect) -> Effect:
        return Effect(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(Effect)))


@dataclass(slots=True)
class Firing:
    """One thing that the rule would have done: when, where, on which numbers.

    ``headline``: in words, "Facebook paused"; ``why``: without a full stop. ``reverses``: it would have taken
    back what it did, as the condition had cleared.
    """

    at: dt.datetime
    day: dt.date  # in the flow's zone
    source: str
    source_id: int
    buyer: str
    buyer_id: int | None
    lead: str  # the delivery's id, where one delivery's feedback fired the rule
    headline: str
    why: str
    numbers: dict[str, Any]
    reverses: bool = False
    effect: Effect = field(default_factory=Effect)


@dataclass(frozen=True, slots=True)
class Nearest:
    """How close the rule came to firing: ``enough`` says whether there was the asked-for count at all."""

    day: dt.date
    source: str
    numbers: dict[str, Any]
    enough: bool


@dataclass(slots=True)
class Backtest:
    """All of it. ``delivered`` and ``cost`` are of all leads of the flow in the days from first to last.

    ``idle``: where the condition held but there was nothing to change → on how many days. ``real``: what the
    rule did decide in these days.
    """

    rule: Rule
    first: dt.date
    last: dt.date
    now: dt.datetime
    firings: list[Firing] = field(default_factory=list)
    delivered: int = 0
    cost: Decimal = NOTHING
    real: int = 0
    nearest: Nearest | None = None
    idle: Counter[str] = field(default_factory=Counter)

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def effect(self) -> Effect:
        return sum((firing.effect for firing in self.firings), Effect())
