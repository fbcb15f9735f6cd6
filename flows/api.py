"""The sellers' API: leads in, and what a router asks before it buys."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from django.utils.cache import get_conditional_response

from flows.http import ApiCall, endpoint, json_response, refusal
from flows.intake import LeadReceipt, preview_leads, take_leads
from flows.lead_forms import from_json
from flows.money import money_text
from flows.problems import ProblemError
from flows.routing import etag, routing
from portal.access import visible_to

TEST_LEAD = "evt_test"  # stands for the id that a test key's lead would have got; feedback on it can be tried


def post_lead(call: ApiCall) -> HttpResponse:
    """``POST /flows/{flow_id}/leads``: 201 sold, 200 refused by the flow's state or sold before."""
    payload = call.json()

    def work() -> tuple[int, dict[str, Any]]:
        lead = from_json(payload, call.flow)
        take = take_leads if call.livemode else preview_leads
        (receipt,) = take(call.flow, [lead])
        if receipt.problem:
            raise ProblemError(receipt.problem)
        invented = not call.livemode and lead.event_id is None and receipt.lead_id is not None
        return _status(receipt), _receipt_json(receipt, call, TEST_LEAD if invented else receipt.lead_id)

    return call.once(work)


def get_routing(call: ApiCall, source: str | None = None) -> HttpResponse:
    """``GET /flows/{flow_id}/routing`` and ``…/{source}``; 304 where nothing but the time has changed."""
    rows = visible_to(call.actor, call.flow.sources.order_by("slug"))
    named = "\0" not in (source or "")  # PostgreSQL refuses to look for a NUL
    sources = list(rows if source is None else rows.filter(slug=source) if named else ())
    if source is not None and not sources:
        raise refusal(404, "not_found", "No such source", "This flow has no source of this name.")
    entries = routing(call.flow, sources)
    as_of = f"{timezone.now().astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
    tag = etag(entries)
    data = {"as_of": as_of, "sources": entries} if source is None else {**entries[0], "as_of": as_of}
    response = json_response(200, data, {"ETag": tag, "Cache-Control": "private, no-cache"})
    conditional = get_conditional_response(call.request, etag=tag, response=response)
    assert isinstance(conditional, HttpResponse)  # noqa: S101  # it is the response or a 304
    return conditional


def _status(receipt: LeadReceipt) -> int:
    return 201 if receipt.outcome == "success" and not receipt.replayed else 200


def _receipt_json(receipt: LeadReceipt, call: ApiCall, lead_id: str | None) -> dict[str, Any]:
    price = None if receipt.price is None else money_text(receipt.price, call.flow.decimals)
    return {
        "outcome": receipt.outcome,
        "reason": receipt.reason,
        "lead_id": lead_id,
        "price": price,
        "livemode": call.livemode,
        "warnings": list(receipt.warnings),
    }


leads = endpoint("seller", POST=post_lead)
routes = endpoint("seller", GET=get_routing)
