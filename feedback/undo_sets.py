"""Undo of what was recorded together: an edit, a correction, a call, a bulk change, a file, or an undo.

What History shows as one line is one head: a change set, or the first of those of a file or a bulk change. An
undo is a change set too, and is undone in the same way. Many events are taken back by a worker
(`feedback.bulk_undo`), all others at once.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from feedback import undo as undo_of_upload
from feedback.bulk_undo import ask
from feedback.bulk_work import start
from feedback.models import BulkChange, ChangeSet, Feedback, ReturnRequest, Upload
from feedback.retract import TakenBack, new_change_set, preview, take_back
from feedback.submission import Origin
from flows.problems import Problem, ProblemError
from portal.access import Actor, Role
from portal.models import Membership

AT_ONCE = 500  # events that a preview goes through
NOT_THEIRS = "Only who made this change, or a manager of your company, can undo it."
UNDO_FOR = dt.timedelta(days=30)
Rows = QuerySet[ChangeSet]


@dataclass(frozen=True, slots=True)
class Undone:
    """What became of an undo: what was taken back at once, or the work that has begun.

    ``head``: the change set that did it, by which it can itself be undone; None where nothing was done yet.
    """

    head: ChangeSet | None = None
    what: TakenBack | None = None
    job: BulkChange | None = None
    upload: Upload | None = None


def heads(rows: Rows) -> Rows:
    """One change set for each file and bulk change: the first of it."""
    earlier = ChangeSet.objects.filter(pk__lt=OuterRef("pk"))
    return rows.exclude(Exists(earlier.filter(upload=OuterRef("upload")))).exclude(
        Exists(earlier.filter(bulk=OuterRef("bulk")))
    )


def with_all(rows: Rows) -> Rows:
    """With what `why_not` and a line of History look at: no query more for each row."""
    settled = ReturnRequest.objects.filter(feedback__change_set=OuterRef("pk"))
    of_seller = Membership.objects.filter(user=OuterRef("user"), seller=OuterRef("flow__seller"))
    return rows.annotate(by_seller=Exists(settled) | Exists(of_seller)).select_related(
        *("flow", "user", "api_key", "bulk__upload", "undoes", "reverses__reverses", "undo_job__user"),
        *("undo__user", "undo__api_key", "upload__undo__user", "upload__undo__api_key"),
    )


def all_of(head: ChangeSet) -> Rows:
    """Every change set that is undone together with this one, in the order in which they were made."""
    if head.upload_id:
        return ChangeSet.objects.filter(upload=head.upload_id).order_by("pk")
    if head.bulk_id:
        return ChangeSet.objects.filter(bulk=head.bulk_id).order_by("pk")
    return ChangeSet.objects.filter(pk=head.pk)


def may_undo(actor: Actor, done: ChangeSet | Upload) -> bool:
    """Agents undo what they did themselves, managers whatever was done for their company."""
    if not actor.is_buyer or actor.party_id != done.buyer_id:
        return False
    return actor.role == Role.BUYER_MANAGER or (actor.user_id is not None and done.user_id == actor.user_id)


def why_not(actor: Actor, head: ChangeSet, *, now: dt.datetime | None = None) -> str:
    """Why this (a row of `with_all`) cannot be undone by this person now, as a sentence; "" if it can."""
    if under_way(head):
        return "It is still under way. Undo it once it is done."
    if is_undone(head):
        return "It is undone already. That undo has a line of its own here, and can be undone in turn."
    if head.by_seller:  # type: ignore[attr-defined]  # annotated
        return "The seller decided this on a return. Write to them on the return’s page."
    if not may_undo(actor, head):
        return NOT_THEIRS
    if head.created_at < (now or timezone.now()) - UNDO_FOR:
        return f"More than {UNDO_FOR.days} days ago. Single feedback can be taken back on its lead's page."
    if not head.flow.feedback_enabled:
        return f"{head.flow.name} takes no feedback any more, so nothing of it can be changed."
    if head.bulk and head.bulk.upload_id:
        return "It let a file count again. Undo the file itself."
    return ""


def is_undone(head: ChangeSet) -> bool:
    if head.upload:
        return head.upload.undo_id is not None
    job = _job(head)
    return job.status == BulkChange.Status.DONE if job else head.undo_id is not None


def undone_by(head: ChangeSet) -> ChangeSet | None:
    """The change set that took it back, of several the first."""
    return head.upload.undo if head.upload else head.undo


def under_way(head: ChangeSet) -> bool:
    """Whether it is still being recorded, or being taken back."""
    files = [head.upload, getattr(head, "undoes", None)]
    return any(work and work.finished_at is None for work in (*files, head.bulk, _job(head)))


def _job(head: ChangeSet) -> BulkChange | None:
    return getattr(head, "undo_job", None)


def undo(head: ChangeSet, origin: Origin) -> Undone:
    """Take back what counts of it. ProblemError 409 where `why_not` says why, so the second time too."""
    if why := why_not(origin.actor, head):
        raise _refused(why)
    if head.upload:
        upload = undo_of_upload.undo(head.upload, origin)
        return Undone(None if upload.is_being_undone else upload.undo, upload=upload)
    if head.bulk_id or hasattr(head, "undoes"):
        job = start(ask(head, origin))
        return Undone(job.change_sets.order_by("pk").first() if job.finished_at else None, job=job)
    return _undo_at_once(head, origin)


@transaction.atomic
def _undo_at_once(head: ChangeSet, origin: Origin) -> Undone:
    row = with_all(ChangeSet.objects.select_for_update(of=("self",))).get(pk=head.pk)
    if row.undo_id:
        raise _refused(why_not(origin.actor, row))
    under = new_change_set(row, origin)
    what = take_back(row, under)
    if not what.anything:
        under.delete()
        return Undone(what=what)
    row.undo = under
    row.save(update_fields=["undo"])
    return Undone(under, what)


def _refused(why: str) -> ProblemError:
    return ProblemError(Problem(409, "cannot_be_undone", "This cannot be undone", why))


def would_take_back(head: ChangeSet) -> TakenBack | None:
    """What an undo would take back now; None where that is too much to go through."""
    rows = Feedback.objects.filter(change_set__in=all_of(head)).order_by("pk")[: AT_ONCE + 1]
    found = list(rows)
    return preview(found) if len(found) <= AT_ONCE else None
