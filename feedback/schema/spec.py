"""What the parts of a schema share: a field's specification, the flow's terms, a refusal."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from flows.problems import Fault

# The standard fields and their types, which hold whatever a flow's row says.
STANDARD: dict[str, str] = {
    "outcome": "outcome",
    "converted": "boolean",
    "quality_score": "integer",
    "revenue": "money",
    "commission": "money",
    "feedback_timestamp": "time",
    "contacted_date": "time",
    "reason": "text",
    "notes": "text",
    "recommendations": "text",
    "issues": "list",
    "product_details": "object",
}
TIMESTAMP = "feedback_timestamp"
ALIAS = "date"  # of feedback_timestamp
ID_NAMES = ("lead_id", "external_id")


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field that feedback may carry. ``kind`` is one of ``flows.models.Field.Kind``."""

    name: str
    kind: str
    required: bool = False
    choices: tuple[str, ...] = ()
    help_text: str = ""
    maps_to: str = ""

    @property
    def label(self) -> str:
        """``quality_score`` → ``Quality score``."""
        return self.name.replace("_", " ").capitalize()


@dataclass(frozen=True, slots=True)
class Terms:
    """What of the flow decides how values are read."""

    currency: str = "USD"
    decimals: int = 2
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))


@dataclass(slots=True)
class Reading:
    """One validation under way: what the readers must know, and what they note on the side."""

    payload: Mapping[str, Any]
    now: dt.datetime
    delivered_at: dt.datetime | None = None
    warnings: list[str] = field(default_factory=list)


class RefusedError(ValueError):
    """A value that cannot be taken. ``message`` tells the sender what to do."""

    def __init__(self, code: str, message: str, allowed: Sequence[str] = (), did_you_mean: str = "") -> None:
        super().__init__(code)
        self.code, self.message = code, message
        self.allowed, self.did_you_mean = tuple(allowed), did_you_mean

    def fault(self, name: str) -> Fault:
        return Fault(name, self.code, self.message, self.allowed, self.did_you_mean)


# A reader turns a JSON-typed value into its canonical JSON form, or raises RefusedError.
Reader = Callable[[Any, Reading], Any]
