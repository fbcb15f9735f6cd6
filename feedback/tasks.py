"""What the worker does when woken: ids in at most, one call each."""

from __future__ import annotations

from celery import shared_task

from feedback import quality
from feedback.stale import hint_recompute

__all__ = ["hint_recompute", "recompute"]

PASSES = 200  # in one run; what is left then is found by the next


@shared_task(name="feedback.recompute")  # type: ignore[untyped-decorator]  # celery ships no types
def recompute() -> None:
    """Recompute until no marks are left."""
    for _ in range(PASSES):
        if not quality.recompute():
            return
