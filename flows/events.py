"""What a seller's systems can be told: written into the outbox for each endpoint that wants it.

In the transaction of its cause, so that what was not kept is not told; and once, as it was then: each attempt
and each replay sends the same bytes under the same id.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flows import slack
from flows.models import Endpoint, OutboxMessage
from portal.ids import new_id

Data = Mapping[str, Any]
PING = "test.ping"  # only ever sent on request
TYPES: Mapping[str, str] = {
    "feedback.recorded": "Feedback was recorded, corrected or taken back",
    "source.paused": "A source was paused, for everybody or for one buyer",
    "source.resumed": "A source was resumed",
    "source.cap_changed": "The daily cap of a source changed",
    "source.price_changed": "The price of a source changed",
    "contact.suppressed": "A contact was put on a suppression list",
    "alert.raised": "Your team was alerted",
    "upload.finished": "A buyer's file was read to its end, or failed",
    "return.requested": "A buyer asks to return a lead for credit",
    "return.decided": "A return was approved, rejected or replaced, or its decision was taken back",
}


def emit(
    seller_id: int,
    type_: str,
    items: Callable[[], Sequence[Data]],
    *,
    now: dt.datetime,
    to: Endpoint.Kind | None = None,
) -> None:
    """Tell the seller's endpoints, in the caller's transaction: a query, and where one wants it an insert for
    each thousand messages.

    ``items`` makes the data of each event; it is asked only where somebody listens. ``to``: only endpoints of
    this kind.
    """
    if endpoints := listening(seller_id, type_, to):
        messages = [
            message(endpoint, type_, data, event_id, now)
            for data, event_id in ((each, new_id("msg")) for each in items())
            for endpoint in endpoints
        ]
        OutboxMessage.objects.bulk_create(messages, batch_size=1000)


def listening(seller_id: int, type_: str, kind: Endpoint.Kind | None = None) -> list[Endpoint]:
    """The seller's endpoints that want such events. One query."""
    rows = Endpoint.objects.filter(seller=seller_id, enabled=True).order_by("pk")
    return [
        endpoint
        for endpoint in (rows.filter(kind=kind) if kind else rows)
        if not endpoint.events or type_ in endpoint.events
    ]


def ping(endpoint: Endpoint, *, now: dt.datetime) -> OutboxMessage:
    """A message to try the endpoint with, also while it is switched off."""
    sent = message(endpoint, PING, {"endpoint_id": endpoint.public_id}, new_id("msg"), now)
    sent.save()
    return sent


def message(endpoint: Endpoint, type_: str, data: Data, event_id: str, now: dt.datetime) -> OutboxMessage:
    """One event for one endpoint, not saved. The body is kept as a text: jsonb would reorder it."""
    told = {"type": type_, "timestamp": iso(now), "data": data}
    said = {"text": slack.text_of(type_, data)} if endpoint.kind == Endpoint.Kind.SLACK else told
    return OutboxMessage(
        seller_id=endpoint.seller_id,
        kind=endpoint.kind,
        endpoint=endpoint,
        event=type_,
        event_id=event_id,
        payload={"body": json.dumps(said, separators=(",", ":"))},
        next_attempt_at=now,
        created_at=now,
    )


def iso(moment: dt.datetime) -> str:
    """UTC, ISO 8601 with ``Z``."""
    return moment.astimezone(dt.UTC).replace(tzinfo=None).isoformat() + "Z"
