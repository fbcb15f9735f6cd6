"""Corrections of single events: taken back, restored, or put right. Each is new events in one change set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from feedback.chains import Chains
from feedback.desk import Sheet
from feedback.edit import Edited, payload, refused
from feedback.fold import Event
from feedback.history import History
from feedback.intake import refuse_if_disabled, validation_failed
from feedback.match import outside_window
from feedback.models import Feedback
from feedback.record import change_sets, histories_of, keep
from feedback.schema.clock import iso
from feedback.schema.spec import TIMESTAMP
from feedback.submission import Origin, Receipt
from flows.models import Delivery
from flows.problems import Fault, Problem, ProblemError

Deed = Callable[[History, Event], None]
NOTHING_LEFT = "Nothing is left of it. Fill in a field, or take the feedback back instead."


@dataclass(frozen=True, slots=True)
class Preview:
    """What a deed would do: the delivery's events before it and after it, in their order of arrival.

    ``heirs``: ids of the feedback that was put in its place and counts, the latest last.
    """

    before: tuple[Event, ...]
    after: tuple[Event, ...]
    heirs: tuple[str, ...] = ()


def take_back(delivery: Delivery, event_id: str, version: int, origin: Origin) -> Delivery:
    """Let one feedback of the delivery count no more. → the delivery as it stands then.

    ``version``: the delivery's version that the person had before their eyes. ProblemError 409 where it has
    moved on, or where the feedback is taken back already; 403 where the flow takes no feedback. The update
    window does not matter, as in the undo of an upload: it limits what is said of a lead, not the mending of
    a mistake.
    """
    return _do(delivery, event_id, version, origin, _taking_back)


def restore(delivery: Delivery, event_id: str, version: int, origin: Origin) -> Delivery:
    """Let a feedback that was taken back count again, and what was put in its place no more.

    → and errors as in `take_back`.
    """
    return _do(delivery, event_id, version, origin, _restoring)


def correct(
    sheet: Sheet, event: Feedback, texts: Mapping[str, str], *, version: int, origin: Origin
) -> Edited:
    """Put a feedback with other values in the place of one that counts. It happened when that did.

    ``texts``: field → what a person changed; "" leaves the field out, so that what stood before it counts.
    Nothing is recorded where the values are those of the event. The update window applies.
    """
    if not texts:
        return Edited()
    values = _values(sheet, event, texts)
    if isinstance(values, Problem):
        return refused(values, sheet)
    if values == event.values:
        return Edited()

    said: list[Feedback] = []

    def correcting(history: History, old: Event) -> None:
        if closed := outside_window(history.delivery, timezone.now()):
            raise ProblemError(closed)
        _must(_counts(history, old), "This feedback has been taken back already.")
        history.correct(old, values, timezone.now())
        said.extend(history.news)

    try:
        row = _do(sheet.delivery, event.public_id, version, origin, correcting)
    except ProblemError as error:
        return refused(error.problem, sheet)
    return Edited(Receipt(0, "recorded", said[-1].public_id, row, applied=True))


def preview(delivery: Delivery, event_id: str, *, restoring: bool) -> Preview | None:
    """What taking the feedback back, or restoring it, would do; None where it has been done. One query."""
    history = histories_of([delivery])[delivery.public_id]
    event = _named(history, event_id)
    if _counts(history, event) is restoring:
        return None
    before, chains = tuple(history.events), history.chains()
    heirs = {order for order in chains.heirs(event.order) if chains.counts(order)} if restoring else set()
    (history.restore if restoring else history.take_back)(event, timezone.now())
    named = tuple(each.public_id for each in before if each.order in heirs)
    return Preview(before, tuple(history.events), named)


def _do(delivery: Delivery, event_id: str, version: int, origin: Origin, deed: Deed) -> Delivery:
    with transaction.atomic():
        rows = Delivery.objects.select_for_update(of=("self",), no_key=True).select_related("flow")
        row = rows.get(pk=delivery.pk)
        refuse_if_disabled(row.flow)
        _must(row.version == version, "Somebody else has changed this lead since you opened it.")
        history = histories_of([row])[row.public_id]
        deed(history, _named(history, event_id))
        if history.news:
            now = history.news[0].received_at
            history.bring_up_to_date()
            keep([history], change_sets(row.flow, [row], origin, now), now=now)
    return row


def _taking_back(history: History, event: Event) -> None:
    _must(_counts(history, event), "This feedback has been taken back already.")
    history.take_back(event, timezone.now())


def _restoring(history: History, event: Event) -> None:
    _must(not _counts(history, event), "This feedback counts already.")
    history.restore(event, timezone.now())


def _values(sheet: Sheet, event: Feedback, texts: Mapping[str, str]) -> dict[str, Any] | Problem:
    """What the event says with these changes, in canonical JSON; or what is wrong with it.

    Fields that the flow has no more keep their values.
    """
    specs = sheet.schema.by_name
    told = {name: value for name, value in event.values.items() if name in specs and name not in texts}
    told |= payload(sheet, {name: text for name, text in texts.items() if text.strip()}, required=False)
    gone = {name: value for name, value in event.values.items() if name not in specs}
    if not gone and not told.keys() - {"lead_id"}:
        return validation_failed((Fault("", "required", NOTHING_LEFT),))
    when = {TIMESTAMP: iso(event.occurred_at)}  # where the flow requires it
    clean = sheet.schema.validate({**told, **when}, now=max(timezone.now(), event.occurred_at))
    return validation_failed(clean) if isinstance(clean, tuple) else {**gone, **clean.values}


def _named(history: History, event_id: str) -> Event:
    return next(each for each in history.events if each.public_id == event_id)


def _counts(history: History, event: Event) -> bool:
    chains: Chains = history.chains()
    return chains.counts(event.order)


def _must(holds: bool, otherwise: str) -> None:
    if not holds:
        detail = f"{otherwise} Look at what stands now, then do it again if it is still wanted."
        raise ProblemError(Problem(409, "stale", "The lead has changed", detail))
