"""Taking back what a change set recorded: retractions, which are new events. Nothing is deleted."""

from __future__ import annotations

from django.utils import timezone

from feedback.external_ids import put_back
from feedback.fold import Event
from feedback.models import ChangeSet, Feedback
from feedback.record import histories_of, keep
from flows.models import Delivery


def take_back(recorded: ChangeSet, under: ChangeSet) -> int:
    """Take back every event of ``recorded`` that counts, as events of ``under``. → how many.

    Ids of the buyer's own that it put on record go back to what they were, where they still stand.
    Both are of the same flow and buyer. Call in a transaction; the number of queries is the same for any
    number of events.
    """
    rows = list(Feedback.objects.filter(change_set=recorded).order_by("pk"))
    deliveries = Delivery.objects.filter(pk__in={row.delivery_id for row in rows}).order_by("pk")
    locked = deliveries.select_for_update(of=("self",), no_key=True).select_related("flow")
    histories = {history.delivery.pk: history for history in histories_of(locked).values()}
    now = timezone.now()
    for row in rows:
        event = Event(row.values, row.occurred_at, row.pk, row.public_id, row.retracts_id)
        histories[row.delivery_id].take_back(event, now)
    changed = [history for history in histories.values() if history.news]
    for history in changed:
        history.bring_up_to_date()
    keep(changed, {under.buyer_id: under}, now=now)
    put_back(recorded, under, now=now)
    return sum(len(history.news) for history in changed)
