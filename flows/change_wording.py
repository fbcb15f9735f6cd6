"""What became of a source, and who made it so, as people say it. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from flows.models import SourceChange
from flows.wording import state_words
from portal.models import User

By, Column = SourceChange.By, SourceChange.Column


def change_words(change: SourceChange) -> str:
    """What a change did: ``"80 a day → 90 a day"``, ``"Active → Paused"``."""
    return f"{_value(change.column, change.before)} → {_value(change.column, change.after)}"


def who_words(change: SourceChange) -> str:
    """Who or what made it: ``"Ana Lee, by hand"``, ``"the rule “Low quality”, approved by Ana Lee"``."""
    rule = f"the rule “{change.decision.rule_name}”" if change.decision else "a rule"
    if change.by == By.DECISION:
        return f"{rule}, approved by {person(change.user)}" if change.user else rule
    who = person(change.user) if change.user else "somebody"
    return f"{who}, undoing {rule}" if change.by == By.UNDO else f"{who}, by hand"


def person(user: User) -> str:
    """A person's name, as colleagues read it."""
    return user.get_full_name() or user.username


def _value(column: str, value: Any) -> str:
    return f"{Decimal(value):.2f}" if column == Column.BASE_PRICE else state_words({column: value})
