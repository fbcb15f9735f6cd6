"""What happened to one delivery, event by event, as its buyer reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import QuerySet

from feedback.desk import Sheet
from feedback.fold import Event, fold, in_force, standing, takes_effect
from feedback.forms import text_of
from feedback.models import ChangeSet, Feedback
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

    ``takes_back``: the event that this one retracts. ``taken_back``: this one was retracted, and that holds.
    """

    event: Feedback
    who: str
    door: str
    said: tuple[tuple[str, str], ...]
    changes: tuple[Change, ...]
    late: bool
    takes_back: Feedback | None = None
    taken_back: bool = False


def entries(sheet: Sheet) -> list[Entry]:
    """The latest events, the last to arrive first. One query."""
    rows = list(_rows(sheet).select_related("change_set__user", "change_set__api_key", "change_set__upload"))
    events = [_event(row) for row in rows]
    by_pk: dict[int | None, Feedback] = {row.pk: row for row in rows}
    held = {event.order for event in in_force(events)}
    first = max(len(rows) - SHOWN, 0)
    return [
        replace(
            _entry(sheet, rows[place], events[: place + 1]),
            takes_back=by_pk.get(rows[place].retracts_id),
            taken_back=rows[place].pk not in held,
        )
        for place in range(len(rows) - 1, first - 1, -1)
    ]


def changes_since(sheet: Sheet, version: int) -> tuple[Change, ...]:
    """What has changed on the lead since it was at that version (one event raises it by one). One query."""
    events = [_event(row) for row in _rows(sheet)]
    return _changes(sheet, events[: max(version, 0)], events)


def texts_at(sheet: Sheet, version: int) -> dict[str, str]:
    """The texts of the form as it was shown at that version. One query."""
    values = _values([_event(row) for row in _rows(sheet)[: max(version, 0)]])
    kinds = {name: spec.kind for name, spec in sheet.schema.by_name.items()}
    return {name: text_of(value, kinds[name]) for name, value in values.items() if name in kinds}


def _rows(sheet: Sheet) -> QuerySet[Feedback]:
    """In the order of arrival."""
    return Feedback.objects.filter(delivery=sheet.delivery).order_by("pk")


def _event(row: Feedback) -> Event:
    return Event(row.values, row.occurred_at, row.pk, row.public_id, row.retracts_id)


def _entry(sheet: Sheet, row: Feedback, events: Sequence[Event]) -> Entry:
    """``events``: this one and all that had arrived before it."""
    return Entry(
        event=row,
        who=_who(row.change_set),
        door=DOORS.get(row.change_set.door, row.change_set.get_door_display()),
        said=tuple((_label(sheet, name), _words(sheet, name, value)) for name, value in row.values.items()),
        changes=_changes(sheet, events[:-1], events),
        late=row.retracts_id is None and not takes_effect(events[-1], events),
    )


def _changes(sheet: Sheet, before: Sequence[Event], after: Sequence[Event]) -> tuple[Change, ...]:
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


def _who(change_set: ChangeSet) -> str:
    if change_set.user:
        return change_set.user.get_full_name() or change_set.user.username
    return change_set.api_key.name if change_set.api_key else ""
