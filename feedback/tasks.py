"""What the worker does when woken: ids in at most, one call each."""

from __future__ import annotations

from celery import shared_task

from feedback import quality, uploads
from feedback.stale import hint_recompute

__all__ = ["hint_recompute", "read_upload", "recompute", "sweep_uploads"]

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
    for upload_id in uploads.waiting():
        uploads.run(upload_id)
