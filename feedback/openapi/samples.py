"""Examples of requests and answers, made by the code that takes and gives the real ones."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
from decimal import Decimal
from typing import Any

from feedback.api import receipt_json
from feedback.batches import answer_json
from feedback.intake import validation_failed
from feedback.match import not_found, outside_window
from feedback.metrics import Totals
from feedback.models import ChangeSet, Door, Upload
from feedback.reading import history_json, lead_json
from feedback.record import TEST_FEEDBACK_ID, Entry, weigh
from feedback.schema import compile_schema
from feedback.standing import told
from feedback.submission import Receipt
from feedback.upload_api import upload_json
from flows.examples import TEST_LEAD, example_body
from flows.http import ApiCall
from flows.models import Agreement, Delivery, Flow, Lead, Source
from flows.money import money_text
from portal.access import visible_to

Samples = dict[str, Any]
LEAD_ID, REQUEST_ID = "evt_4f0k2m9tq8zr1c7d", "req_2f7c1b9e04d6a8c35e10"
CONTACT = {
    "first_name": "Maria",
    "last_name": "Keller",
    "email": "maria@example.com",
    "phone": "+15125550147",
}
QUALITY = Totals(
    delivered=320,
    with_feedback=280,
    converted=40,
    contacted=120,
    no_contact=60,
    bad_info=25,
    duplicate=5,
    not_interested=20,
    returned=10,
    quality_count=200,
    quality_sum=760,
    quality_squares=3100,
    revenue=Decimal(60_000),
    revenue_squares=100_000_000.0,
    cost=Decimal(8_000),
)
TIMES = (0.5, 1.0, 1.5, 2.0, 3.0, 8.0)  # days to conversion
NOT_SO = {"lead_id": TEST_LEAD, "outcome": "sold", "quality_score": 7}  # wrong on any flow


def of_buyers(call: ApiCall, agreement: Agreement, now: dt.datetime) -> Samples:
    """What a buyer may send and is answered. Without answers where the flow has no field to send."""
    flow = call.flow
    body = example_body(flow, compile_schema(flow).fields, now=now)
    clean = compile_schema(flow).validate(body, now=now)
    if isinstance(clean, tuple):
        return {}
    delivery = _delivery(flow, now)
    (receipt,), (history,) = weigh([Entry(0, clean, delivery)], now=now)
    shown = _as_shown(call)
    answer = receipt_json(receipt, shown)
    lead = lead_json(delivery, flow, agreement)
    (event,) = history.news
    event.pk, event.change_set = 1, ChangeSet(door=Door.API, request_id=REQUEST_ID)
    test = {"feedback_id": TEST_FEEDBACK_ID, "lead_id": TEST_LEAD, "status": "test"}
    unknown = Receipt(1, "rejected", problem=not_found())
    return {
        "feedback": body,
        "receipt": answer,
        "test_receipt": {**answer, **test},
        "batch": {"feedback": [{**body, "lead_id": LEAD_ID}, {**body, "lead_id": "evt_unknown"}]},
        "batch_answer": answer_json([receipt, unknown], shown),
        "lead": lead,
        "leads": {"leads": [lead], "next_cursor": None},
        "history": history_json([event]),
        **_uploads(shown, now),
    }


def problems(flow: Flow, now: dt.datetime) -> dict[str, Samples]:
    """Problem documents of feedback, by code."""
    late = now + dt.timedelta(days=flow.update_window_days)
    faults = compile_schema(flow).validate(NOT_SO, now=now)
    closed = outside_window(_delivery(flow, now), late)
    found = [not_found(), closed, validation_failed(faults) if isinstance(faults, tuple) else None]
    return {problem.code: problem.as_json(REQUEST_ID) for problem in found if problem}


def of_sellers(call: ApiCall, now: dt.datetime) -> Samples:
    """What a seller may send and is answered. The lead can be sold as it is where sources are open."""
    flow = call.flow
    price = money_text(Decimal(25), flow.decimals)
    receipt = {"outcome": "success", "reason": None, "lead_id": LEAD_ID, "price": price, "livemode": True}
    refused = {**receipt, "outcome": "failure", "reason": "source_paused", "lead_id": None, "price": None}
    source = _source(call, price)
    as_of = f"{now.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
    return {
        "new_lead": {**_parties(call), "lead": CONTACT, "price": price},
        "sold": {**receipt, "warnings": []},
        "refused": {**refused, "warnings": []},
        "source": {**source, "as_of": as_of},
        "routing": {"as_of": as_of, "sources": [source]},
    }


def _uploads(call: ApiCall, now: dt.datetime) -> Samples:
    """An upload that has just come in, one that is read, and that one taken back."""
    upload = Upload(public_id="upl_8d2h6w1x5vfs3n9k", filename="feedback.csv", created_at=now)
    upload.finished_at, upload.encoding, upload.delimiter = now + dt.timedelta(seconds=2), "utf-8", ","
    upload.rows, upload.recorded, upload.unchanged, upload.rejected = 120, 115, 3, 2
    done = upload_json(_with(upload, status=Upload.Status.DONE), call)
    undone = upload_json(_with(upload, status=Upload.Status.UNDONE), call)
    fresh = Upload(public_id=upload.public_id, filename=upload.filename, created_at=now)
    return {"upload": upload_json(fresh, call), "upload_done": done, "upload_undone": undone}


def _with(upload: Upload, *, status: str) -> Upload:
    upload.status = status
    return upload


def _as_shown(call: ApiCall) -> ApiCall:
    """The call as one that records."""
    key = copy.copy(call.key)
    key.livemode = True
    return dataclasses.replace(call, key=key, request_id=REQUEST_ID)


def _delivery(flow: Flow, now: dt.datetime) -> Delivery:
    """One that was never sold: delivered the day before."""
    return Delivery(
        public_id=LEAD_ID,
        flow=flow,
        lead=Lead(**CONTACT),
        source=Source(slug="facebook"),
        price=Decimal(25),
        delivered_at=now.replace(microsecond=0) - dt.timedelta(days=1),
    )


def _parties(call: ApiCall) -> dict[str, str]:
    """A source that is open and a buyer who buys, where there are."""
    sources = visible_to(call.actor, Source.objects.filter(flow=call.flow, status=Source.Status.ACTIVE))
    agreements = visible_to(call.actor, Agreement.objects.filter(flow=call.flow, is_active=True))
    source = sources.order_by("pk").values_list("slug", flat=True).first()
    buyer = agreements.order_by("pk").values_list("buyer__slug", flat=True).first()
    return {"source": source or "facebook", "buyer": buyer or "acme"}


def _source(call: ApiCall, price: str) -> Samples:
    return {
        "source": _parties(call)["source"],
        "status": "active",
        "reason": None,
        "paused_for": [],
        "daily_cap": 100,
        "delivered_today": 42,
        "remaining": 58,
        "base_price": price,
        "price_adjustment": "1",
        "price": price,
        "quality": told(QUALITY, TIMES, call.flow.decimals),
    }
