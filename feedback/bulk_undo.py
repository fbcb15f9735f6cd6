"""Taking back many events: what a bulk change recorded, or what the undo of a file took back."""

from __future__ import annotations

from collections import Counter

from django.db import transaction
from django.db.models import F, QuerySet

from feedback.bulk_lease import keep
from feedback.leases import renewed
from feedback.models import BulkChange, ChangeSet, Door, Feedback, Upload
from feedback.retract import new_change_set, take_back_events, take_back_ids
from feedback.submission import Origin
from portal.access import Actor

CHUNK = 500  # events in one transaction
Status = BulkChange.Status


@transaction.atomic
def ask(head: ChangeSet, origin: Origin) -> BulkChange:
    """Queue the undo of a bulk change, or of a file's undo; where that failed, of what is left.

    ``head``: the first of the change sets. Asked twice, it is done once.
    """
    ChangeSet.objects.select_for_update(of=("self",)).get(pk=head.pk)
    job = BulkChange.objects.filter(takes_back=head).first()
    if job is None:
        return BulkChange.objects.create(
            kind=BulkChange.Kind.UNDO,
            status=Status.QUEUED,
            buyer_id=head.buyer_id,
            user_id=origin.actor.user_id,
            takes_back=head,
            upload=Upload.objects.filter(undo=head).first(),
            request_id=origin.request_id,
            total=_events(head).count(),
        )
    if job.status == Status.FAILED:
        job.status, job.error, job.finished_at = Status.QUEUED, "", None
        job.save(update_fields=["status", "error", "finished_at"])
    return job


def take_back_chunk(bulk: BulkChange) -> bool:
    """Take back the next events of one change set, in one transaction. → whether there were any."""
    head = bulk.takes_back
    assert head is not None  # noqa: S101  # an undo says what it takes back
    rows = list(_events(head).filter(pk__gt=bulk.cursor).order_by("pk")[:CHUNK])
    rows = [row for row in rows if row.change_set_id == rows[0].change_set_id]
    if not rows:
        return False
    with transaction.atomic():
        found = take_back_events(rows, _under(rows[0].change_set_id, bulk))
        keep(
            bulk,
            cursor=rows[-1].pk,
            done=F("done") + len(rows),
            recorded=F("recorded") + found.taken,
            unchanged=F("unchanged") + found.settled,
            refused=F("refused") + found.left.total(),
            left=Counter(bulk.left) + found.left,
            claimed_until=renewed(),
        )
    return True


def close(bulk: BulkChange) -> None:
    """What is left to do in the last transaction: own ids, and the file that counts again."""
    if bulk.upload is None or bulk.takes_back is None:
        return
    take_back_ids(bulk.takes_back, _under(bulk.takes_back.pk, bulk))
    Upload.objects.filter(pk=bulk.upload.pk, undo=bulk.takes_back).update(
        undo=None, status=Upload.Status.DONE, taken_back=0
    )


def _events(head: ChangeSet) -> QuerySet[Feedback]:
    sets = (
        ChangeSet.objects.filter(bulk=head.bulk_id) if head.bulk_id else ChangeSet.objects.filter(pk=head.pk)
    )
    return Feedback.objects.filter(change_set__in=sets)


def _under(recorded_id: int, bulk: BulkChange) -> ChangeSet:
    """The change set under which that one is taken back."""
    recorded = ChangeSet.objects.select_for_update(of=("self",)).get(pk=recorded_id)
    if recorded.undo is None:
        actor = Actor("buyer", bulk.buyer_id, user_id=bulk.user_id)
        origin = Origin(actor, Door.PORTAL, request_id=bulk.request_id)
        recorded.undo = new_change_set(recorded, origin, bulk)
        recorded.save(update_fields=["undo"])
    return recorded.undo
