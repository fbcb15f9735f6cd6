"""What was changed together, and what an undo of it does, in words for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Max

from feedback.bulk_question import in_short
from feedback.desk import Desk, Sheet
from feedback.fold import Event
from feedback.lead_history import Change, changes, event_of
from feedback.models import BulkChange, ChangeSet, ExternalIdChange, Feedback
from feedback.retract import CORRECTED, GONE, OWN_ID, TakenBack
from feedback.undo_sets import Undone, all_of
from feedback.wording import DOORS, NOTHING, in_words
from flows.models import Delivery
from portal.formats import number

SHOWN = 50  # leads on the page of a change
FIELDS = 3  # of a feedback that are told in a line


@dataclass(frozen=True, slots=True)
class Story:
    """A line of History: what was done, to which lead if to one, and how many leads it was."""

    title: str
    about: str = ""
    leads: int = 0


@dataclass(frozen=True, slots=True)
class LeadChange:
    """What a change set did to one lead: its fields, and the buyer's own id, before and after."""

    sheet: Sheet
    changes: tuple[Change, ...]


def stories(heads: Sequence[ChangeSet], desk: Desk) -> dict[int, Story]:
    """By the key of the head. Three queries, however many there are."""
    single = [head for head in heads if not (head.upload_id or head.bulk_id)]
    told = _Single.of([head.pk for head in single])
    return {head.pk: _story(head, told, desk) for head in heads}


def _story(head: ChangeSet, told: _Single, desk: Desk) -> Story:
    if head.upload:
        return Story(f"File {head.upload.filename}", leads=head.upload.recorded)
    if head.bulk:
        return _bulk_story(head.bulk, desk)
    counts = told.events.get(head.pk, {"leads": 0, "events": 0, "back": 0})
    own_id, last = told.ids.get(head.pk), told.last.get(counts.get("last"))
    leads = counts["leads"] or int(own_id is not None)
    about = _title(own_id or last, desk) if leads == 1 else ""
    if hasattr(head, "undoes"):
        return Story(f"Undo of the file {head.undoes.filename}", leads=leads)
    if hasattr(head, "reverses"):
        return Story("Redo" if hasattr(head.reverses, "reverses") else "Undo", about, leads)
    if last is None:
        return Story(f"Your ID: {own_id.after or 'cleared'}" if own_id else "Nothing", about, leads)
    return Story(_title_of(last, counts, desk), about, leads)


def _bulk_story(bulk: BulkChange, desk: Desk) -> Story:
    if bulk.kind == BulkChange.Kind.SET:
        leads = f"{number(bulk.recorded)} lead{'' if bulk.recorded == 1 else 's'}"
        return Story(f"{in_short(bulk, desk.flows)} on {leads}", leads=bulk.recorded)
    if bulk.upload:
        return Story(f"Redo of the file {bulk.upload.filename}", leads=bulk.recorded)
    return Story("Undo or redo of a change of many leads", leads=bulk.recorded)


def _title_of(last: Feedback, counts: Mapping[str, int], desk: Desk) -> str:
    if counts["back"] == counts["events"]:
        return "Restored" if last.retracts and last.retracts.retracts_id else "Taken back"
    words = _said(last, desk) if counts["leads"] == 1 else f"Feedback on {counts['leads']:,} leads"
    return f"Correction: {words}" if counts["back"] else words


def _said(event: Feedback, desk: Desk) -> str:
    sheet = Sheet.of(event.delivery, desk)
    order = [*sheet.schema.by_name, *sorted(event.values)]  # PostgreSQL keeps none of its own
    told = []
    for name, value in sorted(event.values.items(), key=lambda item: order.index(item[0]))[:FIELDS]:
        spec = sheet.schema.by_name.get(name)
        label = spec.label if spec else name
        words = in_words(spec, value, sheet.flow)
        told.append(f"{label} {'cleared' if value is None else words if len(words) < 60 else '…'}")
    return ", ".join(told) + (" …" if len(event.values) > FIELDS else "")


def _title(row: Feedback | ExternalIdChange | None, desk: Desk) -> str:
    return Sheet.of(row.delivery, desk).title if row else ""


@dataclass(frozen=True, slots=True)
class _Single:
    """What single change sets did, by their keys: counts and the last event, or the change of an own id."""

    events: dict[int, Any]
    last: dict[int | None, Feedback]
    ids: dict[int, ExternalIdChange]

    @classmethod
    def of(cls, keys: Sequence[int]) -> _Single:
        counted = Feedback.objects.filter(change_set__in=keys).values("change_set")
        events = {
            each["change_set"]: each
            for each in counted.annotate(
                leads=Count("delivery", distinct=True),
                events=Count("pk"),
                back=Count("retracts"),
                last=Max("pk"),
            )
        }
        rows = Feedback.objects.select_related("retracts", "delivery__flow", "delivery__lead")
        last = rows.in_bulk([each["last"] for each in events.values()])
        changed = ExternalIdChange.objects.filter(change_set__in=keys).order_by("-pk")
        ids = {row.change_set_id: row for row in changed.select_related("delivery__flow", "delivery__lead")}
        return cls(events, dict(last), ids)


def lead_changes(head: ChangeSet, desk: Desk) -> list[LeadChange]:
    """Before and after, lead by lead; the first `SHOWN` of them. Four queries."""
    own = Feedback.objects.filter(change_set__in=all_of(head))
    ids = ExternalIdChange.objects.filter(change_set__in=all_of(head)).order_by("pk")
    keys = list(dict.fromkeys(own.order_by("pk").values_list("delivery", flat=True)[: 4 * SHOWN]))
    moved = {row.delivery_id: row for row in ids[:SHOWN]}
    keys = list(dict.fromkeys([*keys, *moved]))[:SHOWN]
    rows = Delivery.objects.select_related("flow", "lead").in_bulk(keys)
    ours = set(own.filter(delivery__in=keys).values_list("pk", flat=True))
    events: dict[int, list[Event]] = {}
    for row in Feedback.objects.filter(delivery__in=keys).order_by("pk"):
        events.setdefault(row.delivery_id, []).append(event_of(row))
    return [
        _lead_change(Sheet.of(rows[key], desk), events.get(key, []), ours, moved.get(key)) for key in keys
    ]


def _lead_change(
    sheet: Sheet, events: Sequence[Event], ours: set[int], moved: ExternalIdChange | None
) -> LeadChange:
    mine = [event.order for event in events if event.order in ours]
    told: tuple[Change, ...] = ()
    if mine:
        before = [event for event in events if event.order < mine[0]]
        told = changes(sheet, before, [event for event in events if event.order <= mine[-1]])
    if moved:
        told += (Change("Your ID", moved.before or NOTHING, moved.after or NOTHING),)
    return LeadChange(sheet, told)


def who(change_set: ChangeSet) -> str:
    """Who did it: a person, or a key's name."""
    if change_set.user:
        return change_set.user.get_full_name() or change_set.user.username
    return change_set.api_key.name if change_set.api_key else NOTHING


def door(change_set: ChangeSet) -> str:
    return DOORS.get(change_set.door, change_set.get_door_display())


def said_of_bulk(bulk: BulkChange) -> str:
    """``23 leads changed, 1 unchanged, 2 refused``."""
    if bulk.kind == BulkChange.Kind.UNDO:
        parts = [f"{number(bulk.recorded)} taken back"]
        return ", ".join([*parts, f"{number(bulk.refused)} left as they are"] if bulk.refused else parts)
    parts = [f"{number(bulk.recorded)} lead{'' if bulk.recorded == 1 else 's'} changed"]
    parts += [f"{number(bulk.unchanged)} unchanged"] if bulk.unchanged else []
    return ", ".join([*parts, f"{number(bulk.refused)} refused"] if bulk.refused else parts)


def said_of_undo(done: Undone) -> str:
    """What an undo did, in sentences."""
    if done.upload:
        return "The file is being taken back." if done.head is None else "The file was taken back."
    if done.job:
        if done.job.finished_at is None:
            return "It is being taken back."
        return " ".join([f"Undone: {said_of_bulk(done.job)}.", *left_words(done.job.left)])
    what = done.what or TakenBack()
    if not what.anything:
        return " ".join(["Nothing was left to take back.", *left_words(what.left)])
    return " ".join(["Undone.", *settled_words(what.settled), *left_words(what.left)])


def settled_words(settled: int) -> list[str]:
    """About leads that stay as they are although their feedback is taken back."""
    if not settled:
        return []
    stay = "1 lead stays as it was" if settled == 1 else f"{number(settled)} leads stay as they were"
    return [f"{stay}: newer feedback stands there."]


LEFT = {
    GONE: (
        "was taken back or restored by something else since",
        "were taken back or restored by something else since",
    ),
    CORRECTED: (
        "was corrected since, and the correction stays",
        "were corrected since, and the corrections stay",
    ),
    OWN_ID: ("own ID was changed since and stays", "own IDs were changed since and stay"),
}


def left_words(left: Mapping[str, int]) -> list[str]:
    """Why something can no longer be undone: a sentence for each reason."""
    return [f"{number(left[why])} {words[left[why] != 1]}." for why, words in LEFT.items() if left.get(why)]
