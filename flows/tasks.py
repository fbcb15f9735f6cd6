"""What the worker does when woken: one call each."""

from __future__ import annotations

from celery import shared_task

from flows import digest, outbox, tidying


@shared_task(name="flows.deliver_outbox")  # type: ignore[untyped-decorator]  # celery ships no types
def deliver_outbox() -> None:
    """Send what is due."""
    outbox.deliver()


@shared_task(name="flows.send_digests")  # type: ignore[untyped-decorator]
def send_digests() -> None:
    """Sum up the day's alerts for whom it is time."""
    digest.send_digests()


@shared_task(name="flows.tidy")  # type: ignore[untyped-decorator]
def tidy() -> None:
    """Drop what has had its time."""
    tidying.tidy()
