"""A delivery's events in hand, and what a piece of feedback would add to them. Touches no database."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from feedback.chains import Chains
from feedback.fold import Event, State, fold, in_force, setter_of, standing, takes_effect
from feedback.models import Feedback
from feedback.schema import Clean
from feedback.schema.clock import iso
from flows.models import Delivery

STATE_COLUMNS = tuple(each.name for each in fields(State))
THIS_CALL = -1  # stands for the change set that the news will be in


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
    """The events of one delivery: those on record, and the news of this call.

    ``received``: event's order → when it came in; ``sets``: → its change set.
    """

    delivery: Delivery
    events: list[Event] = field(default_factory=list)
    fingerprints: set[str] = field(default_factory=set)
    received: dict[int, dt.datetime] = field(default_factory=dict)
    sets: dict[int, int] = field(default_factory=dict)
    news: list[Feedback] = field(default_factory=list)

    def learn(self, event: Event, print_: str, received_at: dt.datetime, change_set: int | None) -> None:
        self.events.append(event)
        self.fingerprints.add(print_)
        self.received[event.order] = received_at
        if change_set is not None:
            self.sets[event.order] = change_set

    def chains(self) -> Chains:
        return Chains.of(self.events, self.sets)

    def same_as(self, clean: Clean, now: dt.datetime) -> Event | None:
        """The event that has said this already.

        With a timestamp: the same values at the same time, also where they were corrected since: a file that
        is sent again does not undo a correction. Without: where every field stands as sent and saying it
        again would change nothing, the event that said it last.
        """
        counting = standing(self.events)
        if clean.occurred_at is not None:
            return self._said_at(clean.occurred_at, clean.values, counting)
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

    def applies(self, event: Event) -> bool:
        """Whether the event counts and any of its fields stands."""
        return takes_effect(event, self.events) and any(
            each.order == event.order for each in in_force(self.events)
        )

    def add(self, clean: Clean, now: dt.datetime) -> tuple[Feedback, bool]:
        """Take the feedback in. → its row, not yet saved, and whether any of it takes effect."""
        own = clean.occurred_at is None
        row, event = self._say(clean.values, clean.occurred_at or now, now, own=own)
        return row, takes_effect(event, self.events)

    def take_back(self, event: Event, now: dt.datetime) -> None:
        """Let an event that is on record count no more. What is taken back already stays as it is."""
        if any(each.order == event.order for each in in_force(self.events)):
            chains = self.chains()
            self._retract(chains.tips[chains.roots[event.order]], now)

    def restore(self, event: Event, now: dt.datetime) -> None:
        """Let a feedback that was taken back count again, and not what was put in its place."""
        chains = self.chains()
        if chains.counts(event.order):
            return
        self._retract(chains.tips[event.order], now)
        for heir in filter(chains.counts, chains.heirs(event.order)):
            self._retract(chains.tips[heir], now)

    def correct(self, event: Event, values: Mapping[str, Any], now: dt.datetime) -> None:
        """Put a feedback with these values in the place of one that counts; it happened when that did.

        Where another feedback that counts says the same of the same time, that one is enough.
        """
        at = event.occurred_at
        others = [each for each in standing(self.events) if each.order != event.order]
        self.take_back(event, now)
        if not any(each.occurred_at == at and each.values == values for each in others):
            _, new = self._say(values, event.occurred_at, now)
            self.sets[self.chains().tips[event.order]] = self.sets[new.order] = THIS_CALL

    def bring_up_to_date(self) -> None:
        """Write the fold of all events onto the delivery (in memory)."""
        state = fold(self.events)
        for name in STATE_COLUMNS:
            setattr(self.delivery, name, getattr(state, name))
        self.delivery.version += len(self.news)
        self.delivery.first_feedback_at = self.first_feedback_at()

    def first_feedback_at(self) -> dt.datetime | None:
        """When the first of the feedback that counts came in; a correction, when what it corrects did."""
        chains = self.chains()
        return min((self.received[chains.first(each.order)] for each in standing(self.events)), default=None)

    def _said_at(self, moment: dt.datetime, values: Mapping[str, Any], counting: list[Event]) -> Event | None:
        said = [each for each in self.events if each.occurred_at == moment and each.values == values]
        said = [each for each in said if each.retracts is None]
        if not said:
            return None
        held = {each.order for each in counting}
        chains = self.chains()
        corrected = (each for each in said if chains.corrected(each.order))
        return next((each for each in said if each.order in held), next(corrected, None))

    def _say(
        self, values: Mapping[str, Any], occurred_at: dt.datetime, now: dt.datetime, *, own: bool = False
    ) -> tuple[Feedback, Event]:
        row = self._row(values, occurred_at, now)
        row.fingerprint = fingerprint(values, occurred_at)
        if own or row.fingerprint in self.fingerprints:  # the latter was taken back
            row.fingerprint = fingerprint(values, occurred_at, row.public_id)
        return row, self._note(row, Event(values, occurred_at, self._next(), row.public_id), now)

    def _retract(self, order: int, now: dt.datetime) -> None:
        """``order``: of an event that is on record, so it is its primary key."""
        target = next(each for each in self.events if each.order == order)
        row = self._row({}, now, now)
        row.retracts_id = order
        row.fingerprint = fingerprint({}, now, row.public_id, target.public_id)
        self._note(row, Event({}, now, self._next(), row.public_id, order), now)

    def _row(self, values: Mapping[str, Any], occurred_at: dt.datetime, now: dt.datetime) -> Feedback:
        return Feedback(
            delivery=self.delivery,
            occurred_at=occurred_at,
            received_at=now,
            values=values,
            schema_version=self.delivery.flow.schema_version,
        )

    def _note(self, row: Feedback, event: Event, now: dt.datetime) -> Event:
        self.learn(event, row.fingerprint, now, None)
        self.news.append(row)
        return event

    def _next(self) -> int:
        """An order after all others; the ids that the rows are given will rise in the same way."""
        return max((event.order for event in self.events), default=0) + 1
