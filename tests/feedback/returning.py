"""Leads that go back: an agreement that takes returns, and short words for what is done on them."""

from __future__ import annotations

import datetime as dt
import struct
import zlib
from typing import Any

from django.utils.timezone import now

from feedback.desk import Desk, Sheet
from feedback.models import ReturnRequest
from feedback.returns.ask import ask
from feedback.returns.decide import APPROVE, REJECT, decide
from flows.models import Agreement, Delivery
from tests import factories as make

REASON = "Duplicate"
PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"


def png() -> bytes:
    """The smallest picture there is."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")


def takes_returns(world, **terms: Any) -> Agreement:
    """The world's agreement, with a window of 14 days unless told otherwise."""
    Agreement.objects.filter(flow=world.flow, buyer=world.buyer).update(**{"return_window_days": 14, **terms})
    return Agreement.objects.get(flow=world.flow, buyer=world.buyer)


def delivered(world, count: int = 1, **columns: Any) -> list[Delivery]:
    """More leads of the world's buyer, delivered an hour ago."""
    columns.setdefault("delivered_at", now() - dt.timedelta(hours=1))
    return make.DeliveryFactory.create_batch(count, lead__source=world.source, buyer=world.buyer, **columns)


def sheet_of(world, delivery: Delivery | None = None) -> Sheet:
    return Sheet.of(delivery or world.delivery, Desk(world.actor(world.agent)))


def requested(world, delivery: Delivery | None = None, **said: Any) -> ReturnRequest:
    """A return that the agent asked for."""
    said.setdefault("reason", REASON)
    return ask(sheet_of(world, delivery), world.actor(world.agent), **said)


def decided(world, *requests: ReturnRequest, verdict: str = APPROVE, **how: Any) -> None:
    """What the owner decides on them, as they stand."""
    for request in requests:
        request.refresh_from_db()
    decide({each.pk: each.version for each in requests}, verdict, world.actor(world.owner), **how)
    for request in requests:
        request.refresh_from_db()


def rejected(world, *requests: ReturnRequest, note: str = "No proof.") -> None:
    decided(world, *requests, verdict=REJECT, note=note)
