"""The invariants, checked on live data. Reads only; what `manage.py verify` prints."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, Exists, F, Model, OuterRef, Q, QuerySet, Subquery

from feedback.cells import cells_from, cells_stored
from feedback.fold import Event, fold
from feedback.history import STATE_COLUMNS, History, fingerprint
from feedback.metrics import Totals
from feedback.models import (
    BulkChange,
    BulkLead,
    ChangeSet,
    Credit,
    ExternalIdChange,
    Feedback,
    ReturnRequest,
    SourceDay,
    StaleMark,
    Upload,
)
from feedback.returns.audit import ledger_faults, request_faults
from flows.models import (
    Agreement,
    Alert,
    Decision,
    Delivery,
    Lead,
    OutboxMessage,
    Source,
    SuppressionEntry,
)
from flows.outbox import MAX_ATTEMPTS

_Row = tuple[tuple[Any, ...], str, Totals]  # key, where from, totals
CHUNK = 2000  # deliveries in memory at a time
SHOWN = 20  # faults listed of each invariant


@dataclass(slots=True)
class Finding:
    """How one invariant fared: how many rows were looked at, what was wrong, what is not due yet."""

    name: str
    checked: int = 0
    faults: list[str] = field(default_factory=list)
    waiting: int = 0
    seconds: float = 0.0


def verify() -> Iterator[Finding]:
    """Check every invariant against one snapshot of the database."""
    with snapshot():
        for name, check in CHECKS.items():
            finding, start = Finding(name), time.monotonic()
            check(finding)
            finding.seconds = time.monotonic() - start
            yield finding


@contextmanager
def snapshot() -> Iterator[None]:
    """Everything read inside is of one moment, and no writer waits for it.

    Inside a transaction (as in most tests) that transaction is the snapshot.
    """
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "postgresql":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
    else:  # Django would begin a write transaction, in which all recorders wait
        with connection.cursor() as cursor:
            cursor.execute("BEGIN DEFERRED")
            try:
                yield
            finally:
                cursor.execute("ROLLBACK")


def _states(finding: Finding) -> None:
    deliveries = Delivery.objects.order_by("pk").only("public_id", "first_feedback_at", *STATE_COLUMNS)
    for chunk in _chunks(deliveries):
        histories = {delivery.pk: History(delivery) for delivery in chunk}
        for row in Feedback.objects.filter(delivery__gte=chunk[0].pk, delivery__lte=chunk[-1].pk):
            event = Event(row.values, row.occurred_at, row.pk, row.public_id, row.retracts_id)
            histories[row.delivery_id].learn(event, row.fingerprint, row.received_at, row.change_set_id)
        for history in histories.values():
            finding.checked += 1
            finding.faults += _unlike(history)


def _unlike(history: History) -> Iterator[str]:
    delivery, state = history.delivery, fold(history.events)
    made = {name: getattr(state, name) for name in STATE_COLUMNS}
    for name, folded in {**made, "first_feedback_at": history.first_feedback_at()}.items():
        stored = getattr(delivery, name)
        if stored != folded:
            yield f"{delivery.public_id}: {name} is {stored!r}, its events make {folded!r}"


def _chunks(rows: QuerySet[Delivery]) -> Iterator[list[Delivery]]:
    """By primary key, so that SQLite and PostgreSQL alike hold no more than a chunk."""
    last = 0
    while chunk := list(rows.filter(pk__gt=last)[:CHUNK]):
        yield chunk
        last = chunk[-1].pk


def _fingerprints(finding: Finding) -> None:
    for row in Feedback.objects.order_by("pk").select_related("retracts").iterator(chunk_size=CHUNK):
        finding.checked += 1
        retracts = row.retracts.public_id if row.retracts else None
        said = {fingerprint(row.values, row.occurred_at, own, retracts) for own in ("", row.public_id)}
        if row.fingerprint not in said:
            finding.faults.append(f"{row.public_id}: its values or its time are not those that were recorded")


def _cells(finding: Finding) -> None:
    """The stored cells and the aggregate run side by side in the order of their keys."""
    open_marks = set(StaleMark.objects.values_list("source_id", "day").distinct())
    stored: Iterable[_Row] = (
        (key, "stored", totals) for key, totals in cells_stored(SourceDay.objects.all())
    )
    fresh: Iterable[_Row] = ((key, "fresh", totals) for key, totals in cells_from(Delivery.objects.all()))
    together = heapq.merge(stored, fresh, key=itemgetter(0))
    for key, rows in itertools.groupby(together, key=itemgetter(0)):
        both = {which: totals for _, which, totals in rows}
        finding.checked += 1
        if len(both) == 2 and both["stored"].agrees(both["fresh"]):
            continue
        source, buyer, day = key
        if (source, day) in open_marks:
            finding.waiting += 1
        else:
            finding.faults.append(f"source {source}, buyer {buyer}, {day}: {_apart(both)}")


def _apart(both: dict[str, Totals]) -> str:
    if "stored" not in both:
        return "deliveries without a cell"
    if "fresh" not in both:
        return "a cell without deliveries"
    return f"stored {both['stored']}, the deliveries make {both['fresh']}"


def _change_sets(finding: Finding) -> None:
    finding.checked = Feedback.objects.count()
    own = ChangeSet.objects.filter(
        pk=OuterRef("change_set_id"), flow=OuterRef("delivery__flow"), buyer=OuterRef("delivery__buyer")
    )
    orphans = Feedback.objects.filter(~Exists(own)).values_list("public_id", flat=True)
    finding.faults = [f"{each}: no change set of its delivery's flow and buyer" for each in orphans]


def _own_ids(finding: Finding) -> None:
    """An id that was changed is as its last change left it."""
    last = ExternalIdChange.objects.filter(delivery=OuterRef("delivery")).order_by("-pk").values("pk")[:1]
    latest = ExternalIdChange.objects.filter(pk=Subquery(last)).select_related("delivery").order_by("pk")
    for change in latest.iterator(chunk_size=CHUNK):
        finding.checked += 1
        stands = change.delivery.external_id
        if stands != change.after:
            finding.faults.append(f"{change.delivery}: its own id is {stands!r}, set was {change.after!r}")


def _decisions(finding: Finding) -> None:
    finding.checked = Decision.objects.count()
    bare = Decision.objects.filter(Q(numbers={}) | Q(numbers=None) | Q(after={}))
    undone = Decision.objects.filter(
        Q(status="undone", undone_at=None) | Q(status="applied", undone_at__isnull=False)
    )
    twice = (
        Decision.objects.exclude(rule=None)
        .values("rule", "source", "evaluation")
        .order_by()
        .annotate(times=Count("pk"))
        .filter(times__gt=1)
    )
    finding.faults = [
        *(f"decision {each.pk}: taken without numbers" for each in bare),
        *(f"decision {each.pk}: its status and its undoing disagree" for each in undone),
        *(f"rule {each['rule']} decided {each['times']} times on {each['evaluation']}" for each in twice),
    ]


def _paused(finding: Finding) -> None:
    paused = Source.objects.filter(status=Source.Status.PAUSED)
    finding.checked = paused.count()
    finding.faults = [f"source {each.pk} ({each})" for each in paused.filter(status_reason="")]


def _outbox(finding: Finding) -> None:
    finding.checked = OutboxMessage.objects.count()
    wrong = {
        "sent, but not closed": Q(status="done", done_at=None) | Q(status="done", attempts=0),
        "closed, but not sent": ~Q(status="done") & Q(done_at__isnull=False),
        "given up without a reason": Q(status="dead", last_error=""),
        "tried too often": Q(attempts__gt=MAX_ATTEMPTS),
    }
    finding.faults = [
        f"message {each.pk}: {what}"
        for what, which in wrong.items()
        for each in OutboxMessage.objects.filter(which)
    ]
    finding.waiting = OutboxMessage.objects.filter(status="pending").count()


def _returns(finding: Finding) -> None:
    finding.checked = ReturnRequest.objects.count()
    finding.faults = list(request_faults())


def _ledger(finding: Finding) -> None:
    finding.checked = Credit.objects.count()
    finding.faults = list(ledger_faults())


# Each model with the look-ups that must lead to the same row.
SAME: tuple[tuple[type[Model], str, str], ...] = (
    (Delivery, "lead__flow_id", "flow_id"),
    (Delivery, "source__flow_id", "flow_id"),
    (Delivery, "lead__source_id", "source_id"),
    (Delivery, "buyer__seller_id", "flow__seller_id"),
    (Lead, "source__flow_id", "flow_id"),
    (Agreement, "buyer__seller_id", "flow__seller_id"),
    (ChangeSet, "buyer__seller_id", "flow__seller_id"),
    (Upload, "buyer__seller_id", "flow__seller_id"),
    (SourceDay, "buyer__seller_id", "source__flow__seller_id"),
    (StaleMark, "delivery__source_id", "source_id"),
    (Feedback, "retracts__delivery_id", "delivery_id"),
    (Upload, "undo__buyer_id", "buyer_id"),
    (ChangeSet, "undo__buyer_id", "buyer_id"),
    (ChangeSet, "undo__flow_id", "flow_id"),
    (ChangeSet, "bulk__buyer_id", "buyer_id"),
    (BulkChange, "takes_back__buyer_id", "buyer_id"),
    (BulkLead, "delivery__buyer_id", "bulk__buyer_id"),
    (ExternalIdChange, "change_set__buyer_id", "delivery__buyer_id"),
    (ExternalIdChange, "change_set__flow_id", "delivery__flow_id"),
    (Decision, "source__flow_id", "flow_id"),
    (Decision, "rule__flow_id", "flow_id"),
    (Decision, "delivery__source_id", "source_id"),
    (Alert, "flow__seller_id", "seller_id"),
    (Alert, "source__flow__seller_id", "seller_id"),
    (Alert, "decision__flow__seller_id", "seller_id"),
    (Alert, "resolves__seller_id", "seller_id"),
    (SuppressionEntry, "decision__flow__seller_id", "list__seller_id"),
)


def _tenants(finding: Finding) -> None:
    for model, one, other in SAME:
        rows = model._default_manager.all()
        finding.checked += rows.count()
        astray = rows.filter(**{f"{one.split('__')[0]}__isnull": False}).exclude(**{one: F(other)})
        finding.faults += [
            f"{model._meta.verbose_name} {pk}: {one} is not {other}"
            for pk in astray.values_list("pk", flat=True)
        ]


CHECKS: dict[str, Callable[[Finding], None]] = {
    "every delivery's state is the fold of its events": _states,
    "every event reads as it was recorded": _fingerprints,
    "every event belongs to a change set": _change_sets,
    "every own id is as its last change left it": _own_ids,
    "every cell is the aggregate of its deliveries": _cells,
    "every return is of its lead, and its decision whole": _returns,
    "the ledger says what stands credited": _ledger,
    "every decision is unique and has its numbers": _decisions,
    "every paused source says why": _paused,
    "every outbox message is waiting, sent or given up": _outbox,
    "every row stays within its tenant": _tenants,
}
