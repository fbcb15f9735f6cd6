"""What happened to one delivery, event by event, as its buyer reads it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import QuerySet

from feedback.chains import Chains
from feedback.desk import Sheet
from feedback.external_ids import changes_of
from feedback.fold import Event, fold, standing, takes_effect
from feedback.forms import text_of
from feedback.models import ChangeSet, ExternalIdChange, Feedback
from feedback.wording import DOORS, in_words
from flows.models import ConversionStatus

SHOWN = 200  # events on the page, the latest ones
STATUS = "conversion status"  # no field can be called so
Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """A field, in words: what stood before the event arrived and what after."""

    label: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One event. ``late``: for all that it ``said`` newer feedback stood already, so it changed nothing.

    ``takes_back``, ``restores``, ``corrects``: the feedback on which this event does that; a correction shows
    as one event, the feedback that was put in the other's place. ``taken_back``: this one counts no more;
    ``corrected_by``: what counts in its place.
    """

    event: Feedback
    who: str
    door: str
    said: tuple[tuple[str, str], ...]
    changes: tuple[Change, ...]
    late: bool
    takes_back: Feedback | None = None
    restores: Feedback | None = None
    corrects: Feedback | None = None
    taken_back: bool = False
    corrected_by: Feedback | None = None

    @property
    def at(self) -> dt.datetime:
        return self.event.received_at

    @property
    def change_set(self) -> ChangeSet:
        return self.event.change_set

    @property
    def is_feedback(self) -> bool:
        """Whether it can be taken back, or restored."""
        return self.event.retracts_id is None


@dataclass(frozen=True, slots=True)
class IdEntry:
    """That the buyer's own id of the lead was set, changed or cleared."""

    own_id: ExternalIdChange
    who: str
    door: str

    @property
    def at(self) -> dt.datetime:
        return self.own_id.change_set.created_at

    @property
    def change_set(self) -> ChangeSet:
        return self.own_id.change_set


def timeline(sheet: Sheet) -> list[Entry | IdEntry]:
    """All that happened to the lead, the last to arrive first. Two queries."""
    of_ids = [
        IdEntry(change, _who(change.change_set), _door(change.change_set))
        for change in changes_of(sheet.delivery)[:SHOWN]
    ]
    both: list[Entry | IdEntry] = [*entries(sheet), *of_ids]
    return sorted(both, key=lambda entry: entry.at, reverse=True)


def entries(sheet: Sheet) -> list[Entry]:
    """The latest events, the last to arrive first. One query."""
    return _Entries(sheet).latest()


def entry_of(sheet: Sheet, event: Feedback) -> Entry:
    """One event of the lead. One query."""
    return _Entries(sheet).of(event)


class _Entries:
    def __init__(self, sheet: Sheet) -> None:
        self.sheet = sheet
        self.rows = list(
            _rows(sheet).select_related("change_set__user", "change_set__api_key", "change_set__upload")
        )
        self.events = [event_of(row) for row in self.rows]
        self.by_pk = {row.pk: row for row in self.rows}
        self.chains = Chains.of(self.events, {row.pk: row.change_set_id for row in self.rows})

    def latest(self) -> list[Entry]:
        """A retraction that made room for a correction is shown with that one."""
        first = max(len(self.rows) - SHOWN, 0)
        places = range(len(self.rows) - 1, first - 1, -1)
        return [self._entry(place) for place in places if not self._is_correction(place + 1)]

    def of(self, event: Feedback) -> Entry:
        return self._entry(next(place for place, row in enumerate(self.rows) if row.pk == event.pk))

    def _is_correction(self, place: int) -> bool:
        return place < len(self.rows) and self.rows[place].pk in self.chains.corrects

    def _entry(self, place: int) -> Entry:
        row, arrived = self.rows[place], self.events[: place + 1]
        before = arrived[: -2 if self._is_correction(place) else -1]
        sheet = self.sheet
        entry = Entry(
            event=row,
            who=_who(row.change_set),
            door=_door(row.change_set),
            said=tuple(
                (_label(sheet, name), _words(sheet, name, value)) for name, value in row.values.items()
            ),
            changes=changes(sheet, before, arrived),
            late=row.retracts_id is None and not takes_effect(arrived[-1], arrived),
        )
        return replace(entry, **(self._of_feedback(row) if entry.is_feedback else self._of_retraction(row)))

    def _of_feedback(self, row: Feedback) -> dict[str, Any]:
        chains = self.chains
        heirs = [heir for heir in chains.heirs(row.pk) if chains.counts(heir)]
        taken_back = not chains.counts(row.pk)
        return {
            "corrects": self.by_pk.get(chains.corrects.get(row.pk, 0)),
            "taken_back": taken_back,
            "corrected_by": self.by_pk[heirs[-1]] if taken_back and heirs else None,
        }

    def _of_retraction(self, row: Feedback) -> dict[str, Any]:
        root = self.by_pk[self.chains.roots[row.pk]]
        return {"takes_back" if self.chains.links[row.pk] % 2 else "restores": root}


def changes_since(sheet: Sheet, version: int) -> tuple[Change, ...]:
    """What has changed on the lead since it was at that version (one event raises it by one). One query."""
    events = [event_of(row) for row in _rows(sheet)]
    return changes(sheet, events[: max(version, 0)], events)


def texts_at(sheet: Sheet, version: int) -> dict[str, str]:
    """The texts of the form as it was shown at that version. One query."""
    values = _values([event_of(row) for row in _rows(sheet)[: max(version, 0)]])
    kinds = {name: spec.kind for name, spec in sheet.schema.by_name.items()}
    return {name: text_of(value, kinds[name]) for name, value in values.items() if name in kinds}


def _rows(sheet: Sheet) -> QuerySet[Feedback]:
    """In the order of arrival."""
    return Feedback.objects.filter(delivery=sheet.delivery).order_by("pk")


def event_of(row: Feedback) -> Event:
    """The row as the fold takes it."""
    return Event(row.values, row.occurred_at, row.pk, row.public_id, row.retracts_id)


def changes(sheet: Sheet, before: Sequence[Event], after: Sequence[Event]) -> tuple[Change, ...]:
    """What differs, field by field, between the states that these events make."""
    old, new = _values(before), _values(after)
    return tuple(
        Change(_label(sheet, name), _words(sheet, name, old.get(name)), _words(sheet, name, new.get(name)))
        for name in _names(sheet, {**old, **new})
        if old.get(name) != new.get(name)
    )


def _values(events: Sequence[Event]) -> Values:
    """What stands after these events, in canonical JSON: the fold, field by field."""
    values: Values = {}
    for event in standing(events):
        values.update(event.values)
    return {**values, STATUS: fold(events).conversion_status}


def _names(sheet: Sheet, values: Values) -> list[str]:
    """In the schema's order, then what the schema has no more, then the status."""
    known = [name for name in sheet.schema.by_name if name in values]
    return [*known, *sorted(set(values) - set(known) - {STATUS}), STATUS]


def _label(sheet: Sheet, name: str) -> str:
    spec = sheet.schema.by_name.get(name)
    return spec.label if spec else name.replace("_", " ").capitalize()


def _words(sheet: Sheet, name: str, value: Any) -> str:
    if name == STATUS:
        return ConversionStatus(value).label
    return in_words(sheet.schema.by_name.get(name), value, sheet.flow)


def _door(change_set: ChangeSet) -> str:
    return DOORS.get(change_set.door, change_set.get_door_display())


def _who(change_set: ChangeSet) -> str:
    if change_set.user:
        return change_set.user.get_full_name() or change_set.user.username
    return change_set.api_key.name if change_set.api_key else ""
