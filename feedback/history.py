"""A delivery's events in hand, and what a piece of feedback would add to them. Touches no database."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from feedback.fold import Event, State, fold, setter_of, standing, takes_effect
from feedback.models import Feedback
from feedback.schema import Clean
from feedback.schema.clock import iso
from flows.models import Delivery

STATE_COLUMNS = tuple(each.name for each in fields(State))


def fingerprint(
    values: Mapping[str, Any], occurred_at: dt.datetime, own: str = "", retracts: str | None = None
) -> str:
    """SHA-256 of what was said of when, or of which event was taken back.

    Feedback without a timestamp is told from a repetition by the state, not by its hash: ``own``, its id,
    keeps the same words apart when they are said again after others, or after they were taken back.
    """
    said = {"at": iso(occurred_at), "values": values, "own": own}
    if retracts:
        said["retracts"] = retracts
    return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@dataclass(slots=True)
class History:
    """The events of one delivery: those on record, and the news of this call."""

    delivery: Delivery
    events: list[Event] = field(default_factory=list)
    fingerprints: set[str] = field(default_factory=set)
    news: list[Feedback] = field(default_factory=list)

    def learn(self, event: Event, print_: str) -> None:
        self.events.append(event)
        self.fingerprints.add(print_)

    def same_as(self, clean: Clean, now: dt.datetime) -> Event | None:
        """The event that has said this already.

        With a timestamp: the same values at the same time. Without: where every field stands as sent and
        saying it again would change nothing, the event that said it last.
        """
        counting = standing(self.events)
        if clean.occurred_at is not None:
            said = (each for each in counting if each.occurred_at == clean.occurred_at)
            return next((each for each in said if each.values == clean.values), None)
        setters = [setter_of(name, counting) for name in clean.values]
        agreeing = [
            event
            for event, (name, value) in zip(setters, clean.values.items(), strict=True)
            if event is not None and event.values[name] == value
        ]
        again = [*counting, Event(clean.values, now, self._next())]
        if len(agreeing) < len(setters) or not fold(again).says_the_same(fold(counting)):
            return None
        return max(agreeing, key=lambda event: event.place)

    def add(self, clean: Clean, now: dt.datetime) -> tuple[Feedback, bool]:
        """Take the feedback in. → its row, not yet saved, and whether any of it takes effect."""
        row = Feedback(
            delivery=self.delivery,
            occurred_at=clean.occurred_at or now,
            received_at=now,
            values=clean.values,
            schema_version=self.delivery.flow.schema_version,
        )
        row.fingerprint = fingerprint(clean.values, row.occurred_at)
        if clean.occurred_at is None or row.fingerprint in self.fingerprints:  # the latter was taken back
            row.fingerprint = fingerprint(clean.values, row.occurred_at, row.public_id)
        event = Event(clean.values, row.occurred_at, self._next(), row.public_id)
        self.learn(event, row.fingerprint)
        self.news.append(row)
        return row, takes_effect(event, self.events)

    def take_back(self, event: Event, now: dt.datetime) -> None:
        """Retract an event that is on record. What was taken back already stays as it is."""
        if any(each.retracts == event.order for each in self.events):
            return
        row = Feedback(
            delivery=self.delivery,
            occurred_at=now,
            received_at=now,
            values={},
            schema_version=self.delivery.flow.schema_version,
            retracts_id=event.order,
        )
        row.fingerprint = fingerprint({}, now, row.public_id, event.public_id)
        self.learn(Event({}, now, self._next(), row.public_id, event.order), row.fingerprint)
        self.news.append(row)

    def bring_up_to_date(self) -> None:
        """Write the fold of all events onto the delivery (in memory)."""
        state = fold(self.events)
        for name in STATE_COLUMNS:
            setattr(self.delivery, name, getattr(state, name))
        self.delivery.version += len(self.news)
        if not state.feedback_count:
            self.delivery.first_feedback_at = None
        elif self.delivery.first_feedback_at is None:
            self.delivery.first_feedback_at = self.news[0].received_at

    def _next(self) -> int:
        """An order after all others; the ids that the rows are given will rise in the same way."""
        return max((event.order for event in self.events), default=0) + 1
