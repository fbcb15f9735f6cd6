"""Into the books: events, states, stale marks. A list of any length takes the same number of queries."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from feedback.announcements import announce
from feedback.external_ids import learn
from feedback.fold import Event
from feedback.history import STATE_COLUMNS, History
from feedback.models import ChangeSet, Feedback
from feedback.schema import Clean
from feedback.stale import mark
from feedback.submission import Origin, Receipt
from flows.models import Delivery, Flow
from flows.problems import Problem

TEST_FEEDBACK_ID = "fbk_test"
WRITTEN = (*STATE_COLUMNS, "version", "first_feedback_at", "updated_at")


@dataclass(frozen=True, slots=True)
class Entry:
    """A submission that is valid and has found its delivery. ``test``: answer it, but keep nothing.

    ``learn``: the buyer's own id, to be put on record with it.
    """

    index: int
    clean: Clean
    delivery: Delivery
    expected_version: int | None = None
    test: bool = False
    learn: str = ""


def weigh(entries: Sequence[Entry], *, now: dt.datetime) -> tuple[list[Receipt], list[History]]:
    """Decide on each entry, in order, without writing anything: one query for all the events.

    The deliveries must be locked. The histories hold what `write` is to record.
    """
    histories = histories_of(entry.delivery for entry in entries)
    receipts = [_decide(entry, histories[entry.delivery.public_id], now) for entry in entries]
    changed = [history for history in histories.values() if history.news]
    for history in changed:
        history.bring_up_to_date()
    tests = {entry.delivery.public_id for entry in entries if entry.test}
    return receipts, [history for history in changed if history.delivery.public_id not in tests]


def write(
    flow: Flow,
    histories: Sequence[History],
    origin: Origin,
    *,
    now: dt.datetime,
    learned: Mapping[Delivery, str] = MappingProxyType({}),
) -> Collection[Delivery]:
    """Record the news of the histories. Call within the transaction that locked the deliveries.

    ``learned``: delivery → the buyer's own id of it. → those whose id somebody else took meanwhile.
    """
    deliveries = [*(history.delivery for history in histories), *learned]
    if not deliveries:
        return ()
    sets = change_sets(flow, deliveries, origin, now)
    keep(histories, sets, now=now)
    return learn(learned, sets, now=now) if learned else ()


def keep(histories: Sequence[History], sets: Mapping[int, ChangeSet], *, now: dt.datetime) -> None:
    """Write the news, the states and the stale marks; ``sets``: the change set by the buyer's key."""
    rows = [row for history in histories for row in history.news]
    for row in rows:
        row.change_set = sets[row.delivery.buyer_id]
    if not rows:
        return
    Feedback.objects.bulk_create(rows)
    deliveries = [history.delivery for history in histories]
    for delivery in deliveries:
        delivery.updated_at = now
    _save(deliveries)
    mark(deliveries, now=now)
    announce(histories, sets, now=now)


def histories_of(deliveries: Iterable[Delivery]) -> dict[str, History]:
    """By the delivery's id, each with every event on record: one query."""
    histories = {delivery.public_id: History(delivery) for delivery in deliveries}
    by_pk = {each.delivery.pk: each for each in histories.values() if each.delivery.pk}
    if by_pk:
        events = Feedback.objects.filter(delivery__in=list(by_pk)).values_list(
            "delivery",
            "fingerprint",
            "received_at",
            "change_set",
            *("values", "occurred_at", "pk", "public_id", "retracts"),
        )
        for pk, fingerprint, received_at, change_set, *said in events:
            by_pk[pk].learn(Event(*said), fingerprint, received_at, change_set)
    return histories


def _decide(entry: Entry, history: History, now: dt.datetime) -> Receipt:
    """A receipt; what is new is added to the history."""
    same = history.same_as(entry.clean, now)
    if same is not None:
        applied = history.applies(same)
        receipt = Receipt(entry.index, "unchanged", same.public_id, entry.delivery, applied)
    elif _is_stale(entry):
        return Receipt(entry.index, "rejected", problem=_stale())
    else:
        row, applied = history.add(entry.clean, now)
        receipt = Receipt(entry.index, "recorded", row.public_id, entry.delivery, applied)
    if entry.test:
        receipt = replace(receipt, status="test", would_be=receipt.status, feedback_id=TEST_FEEDBACK_ID)
    return replace(receipt, warnings=entry.clean.warnings, learned=bool(entry.learn))


def _is_stale(entry: Entry) -> bool:
    return entry.expected_version is not None and entry.expected_version != entry.delivery.version


def _stale() -> Problem:
    return Problem(
        409,
        "stale",
        "The lead has changed",
        "Somebody else has updated this lead since you opened it. "
        "Look at what stands now, then send yours again.",
    )


def change_sets(
    flow: Flow, deliveries: Iterable[Delivery], origin: Origin, now: dt.datetime
) -> dict[int, ChangeSet]:
    """A change set for each buyer concerned, by the buyer's key: for a buyer's own call that is one."""
    buyers = dict.fromkeys(delivery.buyer_id for delivery in deliveries)
    sets = {
        buyer_id: ChangeSet(
            door=origin.door,
            flow=flow,
            buyer_id=buyer_id,
            user_id=origin.actor.user_id,
            api_key_id=origin.actor.key_id,
            upload=origin.upload,
            bulk=origin.bulk,
            request_id=origin.request_id,
            created_at=now,
        )
        for buyer_id in buyers
    }
    ChangeSet.objects.bulk_create(sets.values())
    return sets


def _save(deliveries: Sequence[Delivery]) -> None:
    if len(deliveries) == 1:
        deliveries[0].save(update_fields=WRITTEN)
        return
    # Every row is there and locked, so each insert becomes an update: one statement for the list.
    Delivery.objects.bulk_create(
        deliveries, update_conflicts=True, unique_fields=["id"], update_fields=WRITTEN
    )
