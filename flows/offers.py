"""A lead on offer, and what is wrong with it. Pure: no database."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
import zoneinfo
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from flows.models import Flow, Lead
from flows.money import rounded
from flows.problems import Fault
from flows.suppression import normalise_email, normalise_phone

CONTACT = {"first_name": 120, "last_name": 120, "email": 254, "phone": 40}  # the columns and their lengths
EVENT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
RESERVED_IDS = frozenset({"evt_test"})  # feedback on it is never stored
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
DATA_BYTES = 8192
WHOLE_DIGITS = 9  # of a price, as its column holds them
SAFE_INTEGER = 2**53 - 1
AHEAD = dt.timedelta(minutes=5)
EARLIEST = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class LeadIn:
    """A lead as a door read it.

    ``source``: its slug; ``buyer``: a buyer's id or slug. ``lead``: the consumer's record, JSON-typed:
    first_name, last_name, email, phone and anything else. ``price``: in the flow's currency; None: as the
    source has it.
    ``delivered_at``: aware; None: now. ``faults``: what the door found wrong already.
    """

    source: str
    buyer: str
    lead: Mapping[str, Any]
    price: Decimal | None = None
    event_id: str | None = None
    external_id: str | None = None
    delivered_at: dt.datetime | None = None
    faults: tuple[Fault, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class Offer:
    """A lead looked at: its row to be, when and on which of the flow's days it is delivered, its faults."""

    given: LeadIn
    lead: Lead
    delivered_at: dt.datetime
    day: dt.date
    faults: list[Fault] = field(default_factory=list)

    @property
    def contacts(self) -> list[tuple[str, str]]:
        """By what the consumer is known: kind and normalised value, without the empty ones."""
        both = [("email", self.lead.email_normalised), ("phone", self.lead.phone_e164)]
        return [(kind, value) for kind, value in both if value]


def look_at(given: LeadIn, flow: Flow, now: dt.datetime) -> Offer:
    """Check everything that needs no database; every fault at once."""
    delivered_at = given.delivered_at or now
    faults = [
        *given.faults,
        *_contact_faults(given.lead),
        *_price_faults(given.price, flow),
        *_event_id_faults(given.event_id),
        *_external_id_faults(given.external_id),
        *_time_faults(delivered_at, now),
    ]
    lead = Lead(flow=flow)
    if not any(fault.field.startswith("lead") for fault in faults):
        lead = _lead_of(given.lead, flow)
        faults += [*_reach_faults(lead), *_data_faults(lead.data)]
    sold_at = now if faults else delivered_at  # a time at fault may have no day in the flow's zone
    return Offer(
        given, lead, delivered_at, sold_at.astimezone(zoneinfo.ZoneInfo(flow.timezone)).date(), faults
    )


def _contact_faults(lead: Mapping[str, Any]) -> Iterator[Fault]:
    for name, longest in CONTACT.items():
        value = lead.get(name)
        if name == "phone" and type(value) is int:
            value = str(value)
        if value is None:
            continue
        if not isinstance(value, str) or UNSTORABLE.search(value):
            yield Fault(f"lead.{name}", "invalid_type", "Send a text, without NUL characters.")
        elif len(value.strip()) > longest:
            yield Fault(f"lead.{name}", "too_long", f"Send at most {longest} characters.")


def _price_faults(price: Decimal | None, flow: Flow) -> Iterator[Fault]:
    if price is None:
        return
    if price < 0:
        yield Fault("price", "negative_amount", "Send a price of zero or more.")
    elif price and price.adjusted() >= WHOLE_DIGITS:
        yield Fault("price", "out_of_range", f"Send at most {WHOLE_DIGITS} digits before the point.")
    elif price != rounded(price, flow.decimals):
        decimals = f"at most {flow.decimals} decimals" if flow.decimals else "no decimals"
        yield Fault("price", "too_many_decimals", f"An amount in {flow.currency} has {decimals}.")


def _event_id_faults(event_id: str | None) -> Iterator[Fault]:
    if event_id is None:
        return
    if event_id in RESERVED_IDS:
        yield Fault("event_id", "invalid_choice", f"{event_id} is kept for trying out. Send another id.")
    elif not EVENT_ID.fullmatch(event_id):
        code = "too_long" if len(event_id) > 64 else "invalid_type"
        yield Fault("event_id", code, "Send 1 to 64 letters, digits, - and _, or leave it out.")


def _external_id_faults(external_id: str | None) -> Iterator[Fault]:
    if external_id is None:
        return
    if len(external_id) > 128:
        yield Fault("external_id", "too_long", "Send at most 128 characters.")
    elif not external_id.strip() or UNSTORABLE.search(external_id):
        yield Fault("external_id", "invalid_type", "Send the buyer's own id of the lead, or leave it out.")


def _time_faults(delivered_at: dt.datetime, now: dt.datetime) -> Iterator[Fault]:
    if delivered_at > now + AHEAD:
        message = (
            f"This is more than 5 minutes ahead of our clock, which says {now.astimezone(dt.UTC):%FT%TZ}."
        )
        yield Fault("delivered_at", "timestamp_in_future", message)
    elif delivered_at < EARLIEST:
        yield Fault("delivered_at", "out_of_range", "Send a time from the year 2000 on.")


def _lead_of(given: Mapping[str, Any], flow: Flow) -> Lead:
    columns = {name: str(given.get(name) or "").strip() for name in CONTACT}
    email, phone = columns["email"], columns["phone"]
    return Lead(
        flow=flow,
        **columns,
        email_normalised=normalise_email(email)[: CONTACT["email"]] if EMAIL.fullmatch(email) else "",
        phone_e164=normalise_phone(phone, flow.country) if phone else "",
        data={key: _plain(value) for key, value in given.items() if key not in CONTACT},
    )


def _reach_faults(lead: Lead) -> Iterator[Fault]:
    """One usable way to reach the consumer is enough; the other may be as bad as consumers' data are."""
    if lead.email_normalised or lead.phone_e164:
        return
    name = "lead.phone" if lead.phone and not lead.email else "lead.email"
    message = "Send an e-mail address or a phone number at which the consumer can be reached."
    yield Fault(name, "required", message)


def _data_faults(data: dict[str, Any]) -> Iterator[Fault]:
    if any(map(UNSTORABLE.search, _texts(data))):
        yield Fault("lead", "invalid_type", "Remove the NUL or broken surrogate character.")
    elif len(json.dumps(data, ensure_ascii=False).encode()) > DATA_BYTES:
        message = f"The fields beside {', '.join(CONTACT)} may take {DATA_BYTES:,} bytes of JSON together."
        yield Fault("lead", "too_long", message)


def _texts(value: Any) -> Iterator[str]:
    """Every text within a plain JSON value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _plain(value: Any) -> Any:
    """A JSON value that every reader reads alike; a number that a double would change becomes a text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value if abs(value) <= SAFE_INTEGER else str(value)
    number = float(value)
    exact = math.isfinite(number) and Decimal(repr(number)) == Decimal(str(value))
    return number if exact else str(value)
