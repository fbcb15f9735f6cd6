"""That a buyer's file could not be read is told the seller, until a later one of theirs is read."""

from __future__ import annotations

import datetime as dt

from django.utils import timezone

from feedback.models import Upload
from flows.conditions import clear, hold
from flows.models import Alert


def alert_of_upload(upload: Upload) -> None:
    """In the transaction that ends the reading of a confirmed file; of a mere test nothing is told."""
    if not upload.livemode:
        return
    condition = f"upload:{upload.flow_id}:{upload.buyer_id}"
    if upload.status == Upload.Status.FAILED:
        hold(upload.flow.seller_id, condition, lambda: _alert(upload))
    else:
        read = f"A later file, “{upload.filename}”, was read."
        clear(upload.flow.seller_id, condition, now=_end(upload), why=read)


def _alert(upload: Upload) -> Alert:
    return Alert(
        flow=upload.flow,
        level=Alert.Level.WARN,
        title=f"A file of {upload.buyer} could not be read"[:160],
        body=f"“{upload.filename}”, {upload.recorded:,} rows recorded before: {upload.error}"[:500],
        created_at=_end(upload),
    )


def _end(upload: Upload) -> dt.datetime:
    return upload.finished_at or timezone.now()
