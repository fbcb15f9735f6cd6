"""What a buyer reads: the leads delivered to them, and what became of each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone

from feedback import lead_query
from feedback.chains import Chains
from feedback.desk import HIDDEN
from feedback.fold import Event, in_force, standing
from feedback.match import not_found
from feedback.models import Feedback
from feedback.present import amount, state_json
from feedback.schema.clock import iso
from feedback.schema.values import UNSTORABLE
from flows import api
from flows.http import ApiCall, endpoint, json_response
from flows.models import Agreement, Delivery, Flow, Lead
from flows.problems import Fault, Problem, ProblemError
from portal.access import visible_to

Places = dict[str, tuple[dt.datetime, int]]  # field → place of the newest word on it


def get_leads(call: ApiCall) -> HttpResponse:
    """``GET /flows/{flow_id}/leads``: a page of leads, the newest first."""
    agreement, rows = agreement_of(call), _deliveries(call)
    asked = lead_query.read(call.request.GET, rows, agreement, ZoneInfo(call.flow.timezone), timezone.now())
    if isinstance(asked, tuple):
        raise ProblemError(_not_valid(asked))
    found, cursor = lead_query.page(rows.select_related("lead", "source"), asked)
    leads = [lead_json(each, call.flow, agreement) for each in found]
    warnings = {"warnings": asked.warnings} if asked.warnings else {}
    return json_response(200, {"leads": leads, "next_cursor": cursor, **warnings})


def get_lead(call: ApiCall, lead_id: str) -> HttpResponse:
    """``GET …/leads/{lead_id}``."""
    delivery = _delivery(call, lead_id)
    return json_response(200, lead_json(delivery, call.flow, agreement_of(call)))


def get_history(call: ApiCall, lead_id: str) -> HttpResponse:
    """``GET …/leads/{lead_id}/feedback``: every event, the oldest first."""
    rows = Feedback.objects.filter(delivery=_delivery(call, lead_id)).select_related("change_set", "retracts")
    return json_response(200, history_json(list(rows.order_by("occurred_at", "pk"))))


def lead_json(delivery: Delivery, flow: Flow, agreement: Agreement) -> dict[str, Any]:
    """A delivery as its buyer reads it; what the agreement hides is null."""
    delivery.flow = flow  # spares a query each
    return {
        "lead_id": delivery.public_id,
        "external_id": delivery.external_id,
        "source": delivery.source.slug if agreement.shows_source else None,
        "delivered_at": iso(delivery.delivered_at),
        "price": amount(delivery.price, flow) if agreement.shows_price else None,
        "contact": _contact_json(delivery.lead) if agreement.shows_contact else None,
        "update_window_closes_at": iso(delivery.window_closes_at()),
        "lead": state_json(delivery, flow),
    }


def history_json(events: Sequence[Feedback]) -> dict[str, Any]:
    """The events, in the order given."""
    folded = [event_of(each) for each in events]
    applied, held = applied_ids(events), {each.order for each in in_force(folded)}
    corrects = Chains.of(folded, {each.pk: each.change_set_id for each in events}).corrects
    ids = {each.pk: each.public_id for each in events}
    return {
        "feedback": [
            {**_event_json(each, applied, held), "corrects": ids.get(corrects.get(each.pk, 0))}
            for each in events
        ]
    }


def agreement_of(call: ApiCall) -> Agreement:
    """What the buyer is shown on the flow; nothing where no agreement stands."""
    return visible_to(call.actor, Agreement.objects.filter(flow=call.flow)).first() or HIDDEN


def applied_ids(events: Iterable[Feedback]) -> set[int]:
    """Primary keys of the events that took effect when they arrived.

    The others told only what newer feedback had settled by then: `feedback.fold.takes_effect`, for all at
    once.
    """
    applied: set[int] = set()
    settled: Places = {}
    arrived: list[Event] = []
    for event in sorted(map(event_of, events), key=lambda each: each.order):
        arrived.append(event)
        if event.retracts is not None:
            applied.add(event.order)
            settled = _settled(standing(arrived))
        elif any(event.place >= settled.get(name, event.place) for name in event.values):
            applied.add(event.order)
        settled |= {name: max(event.place, settled.get(name, event.place)) for name in event.values}
    return applied


def event_of(row: Feedback) -> Event:
    """The row as the fold takes it."""
    return Event(row.values, row.occurred_at, row.pk, row.public_id, row.retracts_id)


def _settled(events: Iterable[Event]) -> Places:
    """``events``: in the order in which they count."""
    return {name: event.place for event in events for name in event.values}


def _not_valid(faults: tuple[Fault, ...]) -> Problem:
    detail = "The parameters of the address cannot be read. See errors."
    return Problem(422, "validation_failed", "The question is not valid", detail, faults)


def _deliveries(call: ApiCall) -> QuerySet[Delivery]:
    return visible_to(call.actor, Delivery.objects.filter(flow=call.flow))


def _delivery(call: ApiCall, lead_id: str) -> Delivery:
    """ProblemError 404, the same where there is none and where it is another's."""
    rows = _deliveries(call).select_related("lead", "source")
    found = None if UNSTORABLE.search(lead_id) else rows.filter(public_id=lead_id).first()
    if found is None:
        raise ProblemError(not_found())
    return found


def _contact_json(lead: Lead) -> dict[str, Any]:
    known = {name: getattr(lead, name) for name in ("first_name", "last_name", "email", "phone")}
    return {**lead.data, **known}


def _event_json(event: Feedback, applied: set[int], held: set[int]) -> dict[str, Any]:
    """``held``: primary keys of what is not taken back."""
    return {
        "feedback_id": event.public_id,
        "occurred_at": iso(event.occurred_at),
        "received_at": iso(event.received_at),
        "values": event.values,
        "applied": event.pk in applied,
        "retracts": event.retracts.public_id if event.retracts else None,
        "retracted": event.pk not in held,
        "door": event.change_set.door,
        "request_id": event.change_set.request_id or None,
    }


api.leads.add("GET", "buyer", get_leads)  # the sellers' POST has the same address
lead = endpoint("buyer", GET=get_lead)
lead_feedback = endpoint("buyer", GET=get_history)
