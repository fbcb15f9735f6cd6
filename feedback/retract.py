"""Taking back what a change set recorded: retractions, which are new events. Nothing is deleted.

Taken back is what still counts. The rest is left as it is, and told by why:

    gone      it was taken back, or restored, by something else since
    corrected something newer was put in its place, and that stays
    own_id    the buyer's own id of the lead was changed since, or is another lead's by now
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db.models import QuerySet
from django.utils import timezone

from feedback.chains import Chains
from feedback.external_ids import put_back
from feedback.fold import Event, fold, in_force
from feedback.history import History
from feedback.models import BulkChange, ChangeSet, ExternalIdChange, Feedback, Upload
from feedback.record import histories_of, keep
from feedback.submission import Origin
from flows.models import Delivery

GONE, CORRECTED, OWN_ID = "gone", "corrected", "own_id"


@dataclass(frozen=True, slots=True)
class TakenBack:
    """``taken``: events taken back; ``settled``: leads on which newer feedback stands, so nothing changed;
    ``ids``: own ids put back; ``left``: why → how many were left as they are.
    """

    taken: int = 0
    settled: int = 0
    ids: int = 0
    left: Counter[str] = field(default_factory=Counter)

    @property
    def anything(self) -> bool:
        return bool(self.taken or self.ids)


def take_back(recorded: ChangeSet, under: ChangeSet) -> TakenBack:
    """Take back what ``recorded`` recorded and still counts, as events of ``under``; own ids too.

    Both are of the same flow and buyer. Call in a transaction; the number of queries is the same for any
    number of events.
    """
    found = take_back_events(list(events_of(recorded)), under)
    put = take_back_ids(recorded, under)
    return TakenBack(found.taken, found.settled, put.ids, found.left + put.left)


def take_back_events(rows: Sequence[Feedback], under: ChangeSet) -> TakenBack:
    """Take back these events, in the order of their keys: all that a change set has on each of its leads."""
    now = timezone.now()
    found, changed = _weigh(rows, now, lock=True)
    for history in changed:
        history.bring_up_to_date()
    keep(changed, {under.buyer_id: under}, now=now)
    return found


def preview(rows: Sequence[Feedback]) -> TakenBack:
    """What `take_back_events` would do with them now."""
    return _weigh(rows, timezone.now(), lock=False)[0]


def _weigh(rows: Sequence[Feedback], now: dt.datetime, *, lock: bool) -> tuple[TakenBack, list[History]]:
    """Decide on each event without writing anything. The histories hold what is to be recorded."""
    deliveries = Delivery.objects.filter(pk__in={row.delivery_id for row in rows}).order_by("pk")
    if lock:
        deliveries = deliveries.select_for_update(of=("self",), no_key=True)
    histories = {each.delivery.pk: each for each in histories_of(deliveries.select_related("flow")).values()}
    own: dict[int, set[int]] = {}
    for row in rows:
        own.setdefault(row.delivery_id, set()).add(row.pk)
    left = Counter[str]()
    for row in rows:
        history = histories[row.delivery_id]
        if why := _why_left(history, row, own[row.delivery_id]):
            left[why] += 1
        else:
            history.take_back(Event(row.values, row.occurred_at, row.pk, row.public_id, row.retracts_id), now)
    changed = [history for history in histories.values() if history.news]
    settled = sum(not _changes_anything(history) for history in changed)
    return TakenBack(sum(len(each.news) for each in changed), settled, left=left), changed


def take_back_ids(recorded: ChangeSet, under: ChangeSet) -> TakenBack:
    """Let ids of the buyer's own be again what they were before ``recorded``, where they still stand."""
    changes = ExternalIdChange.objects.filter(change_set=recorded).count()
    ids = put_back(recorded, under, now=timezone.now()) if changes else 0
    return TakenBack(ids=ids, left=+Counter({OWN_ID: changes - ids}))


def new_change_set(row: Upload | ChangeSet, origin: Origin, bulk: BulkChange | None = None) -> ChangeSet:
    """A change set of that one's flow and buyer, under which it can be taken back."""
    return ChangeSet.objects.create(
        door=origin.door,
        flow_id=row.flow_id,
        buyer_id=row.buyer_id,
        user_id=origin.actor.user_id,
        api_key_id=origin.actor.key_id,
        bulk=bulk,
        request_id=origin.request_id,
    )


def events_of(recorded: ChangeSet) -> QuerySet[Feedback]:
    return Feedback.objects.filter(change_set=recorded).order_by("pk")


def _why_left(history: History, row: Feedback, own: set[int]) -> str:
    """Why this event is not to be taken back; "" if it is. ``own``: what is taken back together with it."""
    chains = history.chains()
    root = chains.roots[row.pk]
    if not any(event.order == row.pk for event in in_force(history.events)):
        return CORRECTED if row.pk == root and chains.corrected(root) else GONE
    if row.retracts_id and not chains.counts(root) and _is_replaced(chains, root, row.pk, own):
        return CORRECTED
    return ""


def _is_replaced(chains: Chains, feedback: int, since: int, own: set[int]) -> bool:
    """Whether something else of the same line of corrections came to count since that event, and stays."""
    first = chains.first(feedback)
    line = {each for each in chains.tips if each != feedback and chains.first(each) == first}
    later = {each for each in line if chains.tips[each] > since and chains.tips[each] not in own}
    return any(chains.counts(each) for each in later)


def _changes_anything(history: History) -> bool:
    news = {row.public_id for row in history.news}
    before = [event for event in history.events if event.public_id not in news]
    return not fold(before).says_the_same(fold(history.events))
