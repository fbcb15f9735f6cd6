"""What the worker does when woken: ids in at most, one call each."""

from __future__ import annotations

from celery import shared_task

from feedback import bulk_lease, bulk_work, daily, quality, tidying, upload_lease, uploads
from feedback import watch as watching
from feedback.stale import hint_recompute

__all__ = [
    "hint_recompute",
    "read_upload",
    "recompute",
    "rule_daily",
    "run_bulk",
    "sweep_bulk",
    "sweep_uploads",
    "tidy",
    "watch",
]

PASSES = 200  # in one run; what is left then is found by the next


@shared_task(name="feedback.recompute")  # type: ignore[untyped-decorator]  # celery ships no types
def recompute() -> None:
    """Recompute until no marks are left."""
    for _ in range(PASSES):
        if not quality.recompute():
            return


@shared_task(name="feedback.read_upload")  # type: ignore[untyped-decorator]
def read_upload(upload_id: int) -> None:
    """Read a file that has just come in."""
    uploads.run(upload_id)


@shared_task(name="feedback.sweep_uploads")  # type: ignore[untyped-decorator]
def sweep_uploads() -> None:
    """Read what no hint came for, and what a killed worker left."""
    for upload_id in upload_lease.waiting():
        uploads.run(upload_id)


@shared_task(name="feedback.run_bulk")  # type: ignore[untyped-decorator]
def run_bulk(bulk_id: int) -> None:
    """Record a bulk change that has just been confirmed, or take one back."""
    bulk_work.run(bulk_id)


@shared_task(name="feedback.sweep_bulk")  # type: ignore[untyped-decorator]
def sweep_bulk() -> None:
    """Go on with what no hint came for, and with what a killed worker left."""
    for bulk_id in bulk_lease.waiting():
        bulk_work.run(bulk_id)


@shared_task(name="feedback.rule_daily")  # type: ignore[untyped-decorator]
def rule_daily() -> None:
    """Look at every source, also where no feedback came."""
    daily.rule_daily()


@shared_task(name="feedback.watch")  # type: ignore[untyped-decorator]
def watch() -> None:
    """Look for what needs the sellers' attention."""
    watching.watch()


@shared_task(name="feedback.tidy")  # type: ignore[untyped-decorator]
def tidy() -> None:
    """Drop what has had its time."""
    tidying.drop_drafts()
    bulk_lease.drop_drafts()
