"""From a delivery's events to its state. Pure: the same events give the same state in whatever order.

Field by field, the latest event that names a field decides: ``null`` clears it, a field left out keeps what
stood. Events are in the order of (when it happened, arrival). An event that was taken back counts for
nothing, neither in a field nor in the count: the state is that of the other events alone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from flows.models import ConversionStatus, Outcome

# What an outcome says about the sale; contacted and no_contact leave it open.
DECIDED: Mapping[str, ConversionStatus] = {
    Outcome.CONVERTED: ConversionStatus.SOLD,
    Outcome.BAD_INFO: ConversionStatus.NOT_SOLD,
    Outcome.DUPLICATE: ConversionStatus.NOT_SOLD,
    Outcome.NOT_INTERESTED: ConversionStatus.NOT_SOLD,
    Outcome.RETURNED: ConversionStatus.NOT_SOLD,
}
# Fields with a column of their own; every other is kept in ``fields`` under its name.
COLUMNS: Mapping[str, str] = {
    "outcome": "outcome",
    "quality_score": "quality_score",
    "revenue": "revenue",
    "commission": "commission",
    "contacted_date": "contacted_at",
}


@dataclass(frozen=True, slots=True)
class Event:
    """One piece of feedback.

    ``values``: field → canonical JSON value, or None; ``order``: by arrival, unique for the delivery.
    ``retracts``: the order of the earlier event that this one takes back; such a one has no values.
    """

    values: Mapping[str, Any]
    occurred_at: dt.datetime
    order: int
    public_id: str = ""
    retracts: int | None = None

    @property
    def place(self) -> tuple[dt.datetime, int]:
        return self.occurred_at, self.order


@dataclass(frozen=True, slots=True)
class State:
    """What a delivery's events amount to: the state columns of ``flows.models.Delivery``."""

    outcome: str | None = None
    conversion_status: str = ConversionStatus.PENDING
    quality_score: int | None = None
    revenue: Decimal | None = None
    commission: Decimal | None = None
    contacted_at: dt.datetime | None = None
    converted_at: dt.datetime | None = None  # since when it has been sold, if it is
    fields: dict[str, Any] = field(default_factory=dict)
    feedback_count: int = 0
    last_feedback_at: dt.datetime | None = None

    def says_the_same(self, other: State) -> bool:
        """Equal but for how often and when it was said."""
        return replace(self, feedback_count=0, last_feedback_at=None) == replace(
            other, feedback_count=0, last_feedback_at=None
        )


def in_force(events: Iterable[Event]) -> list[Event]:
    """The events that are not taken back, retractions among them, each once, the last to arrive first.

    A retraction arrives after what it takes back. From the last arrival to the first, each event's fate is
    settled before its own turn comes, that of a retraction that was itself taken back too.
    """
    taken_back: set[int] = set()
    found = []
    for _, event in sorted({event.order: event for event in events}.items(), reverse=True):
        if event.order not in taken_back:
            found.append(event)
            if event.retracts is not None:
                taken_back.add(event.retracts)
    return found


def standing(events: Iterable[Event]) -> list[Event]:
    """The feedback that counts, in the order in which it does: no retractions, and nothing taken back."""
    said = (event for event in in_force(events) if event.retracts is None)
    return sorted(said, key=lambda event: event.place)


def fold(events: Iterable[Event]) -> State:
    """The state after these events."""
    ordered = standing(events)
    if not ordered:
        return State()
    values: dict[str, Any] = {}
    for event in ordered:
        values.update(event.values)
    status, since = _conversion(ordered)
    return State(
        outcome=values.get("outcome"),
        conversion_status=status,
        quality_score=values.get("quality_score"),
        revenue=_decimal(values.get("revenue")),
        commission=_decimal(values.get("commission")),
        contacted_at=_moment(values.get("contacted_date")),
        converted_at=since,
        fields={
            name: value for name, value in sorted(values.items()) if value is not None and name not in COLUMNS
        },
        feedback_count=len(ordered),
        last_feedback_at=ordered[-1].occurred_at,
    )


def setter_of(name: str, events: Iterable[Event]) -> Event | None:
    """The event whose word on this field stands."""
    return next((event for event in reversed(standing(events)) if name in event.values), None)


def takes_effect(event: Event, events: Iterable[Event]) -> bool:
    """Whether any of the event's fields stands, or newer events had settled all of them."""
    others = [other for other in standing(events) if other.place > event.place]
    return any(not any(name in other.values for other in others) for name in event.values)


@dataclass(slots=True)
class _Word:
    """Which of outcome and converted spoke last, and whether it still stands."""

    outcome: str | None = None
    converted: bool | None = None
    outcome_last: bool = True

    def hear(self, values: Mapping[str, Any]) -> None:
        for name in ("outcome", "converted"):
            if name in values:
                setattr(self, name, values[name])
        if values.get("outcome") is not None or values.get("converted") is not None:
            self.outcome_last = _outcome_prevails(values)

    def status(self) -> ConversionStatus:
        said = None if self.converted is None else _sold(self.converted)
        if self.outcome is None or (said is not None and not self.outcome_last):
            return said or ConversionStatus.PENDING
        return DECIDED.get(self.outcome, ConversionStatus.PENDING)


def _outcome_prevails(values: Mapping[str, Any]) -> bool:
    """Within one event a decided outcome counts more than ``converted``, which counts more than an open one:
    a lead returned after its sale is not sold, one contacted and ``converted: false`` is not sold either.
    """
    if values.get("converted") is None:
        return True
    return values.get("outcome") in DECIDED


def _conversion(ordered: Iterable[Event]) -> tuple[ConversionStatus, dt.datetime | None]:
    """The conversion status, and the time of the event since which it has been sold.

    The later of ``outcome`` and ``converted`` decides; where that one is cleared, the other.
    """
    word, status, since = _Word(), ConversionStatus.PENDING, None
    for event in ordered:
        word.hear(event.values)
        before, status = status, word.status()
        if status != ConversionStatus.SOLD:
            since = None
        elif before != ConversionStatus.SOLD:
            since = event.occurred_at
    return status, since


def _sold(converted: bool) -> ConversionStatus:
    return ConversionStatus.SOLD if converted else ConversionStatus.NOT_SOLD


def _decimal(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def _moment(value: str | None) -> dt.datetime | None:
    return None if value is None else dt.datetime.fromisoformat(value)
