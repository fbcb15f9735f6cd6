"""What the seller's endpoints are told of what came back: no more than who, what and how much."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from feedback.history import History
from feedback.models import ChangeSet, Upload
from feedback.present import amount, moment
from flows.events import emit
from flows.models import Delivery, Flow, Source
from portal.models import Buyer


def announce(histories: Sequence[History], sets: Mapping[int, ChangeSet], *, now: dt.datetime) -> None:
    """Tell of the news of these histories, all of one flow, in the transaction that recorded them."""
    flow = next(iter(sets.values())).flow
    emit(flow.seller_id, "feedback.recorded", lambda: _recorded(histories, flow), now=now)


def announce_upload(upload: Upload) -> None:
    """Tell that a file was read to its end or failed; of one that only tested nothing is told."""
    if upload.livemode and upload.finished_at:
        emit(upload.flow.seller_id, "upload.finished", lambda: [_finished(upload)], now=upload.finished_at)


def _recorded(histories: Sequence[History], flow: Flow) -> list[dict[str, Any]]:
    """One for each event, with the state of its lead after all of them."""
    deliveries = [history.delivery for history in histories]
    sources = dict(
        Source.objects.filter(pk__in={each.source_id for each in deliveries}).values_list("pk", "slug")
    )
    buyers = dict(
        Buyer.objects.filter(pk__in={each.buyer_id for each in deliveries}).values_list("pk", "public_id")
    )
    told = []
    for history in histories:
        delivery = history.delivery
        names = {event.order: event.public_id for event in history.events}
        told += [
            {
                "feedback_id": row.public_id,
                "retracts": names.get(row.retracts_id) if row.retracts_id else None,
                "lead_id": delivery.public_id,
                "external_id": delivery.external_id or None,
                "flow_id": flow.public_id,
                "source": sources[delivery.source_id],
                "buyer_id": buyers[delivery.buyer_id],
                "occurred_at": moment(row.occurred_at),
                "received_at": moment(row.received_at),
                "lead": _state(delivery, flow),
            }
            for row in history.news
        ]
    return told


def _state(delivery: Delivery, flow: Flow) -> dict[str, Any]:
    """Without notes and fields of the flow's own: they may say anything about a person."""
    return {
        "outcome": delivery.outcome,
        "conversion_status": delivery.conversion_status,
        "quality_score": delivery.quality_score,
        "revenue": amount(delivery.revenue, flow),
        "commission": amount(delivery.commission, flow),
        "currency": flow.currency,
        "feedback_count": delivery.feedback_count,
    }


def _finished(upload: Upload) -> dict[str, Any]:
    return {
        "upload_id": upload.public_id,
        "flow_id": upload.flow.public_id,
        "buyer_id": upload.buyer.public_id,
        "filename": upload.filename,
        "status": str(upload.status),
        "rows": upload.rows,
        "recorded": upload.recorded,
        "unchanged": upload.unchanged,
        "rejected": upload.rejected,
        "error": upload.error or None,
        "finished_at": moment(upload.finished_at) if upload.finished_at else None,
    }
