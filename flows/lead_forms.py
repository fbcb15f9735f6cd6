"""From what a door was given to a `LeadIn`: a JSON object or a row of a file, read by one reader."""

from __future__ import annotations

import datetime as dt
import difflib
import re
import zoneinfo
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from flows.models import Flow
from flows.offers import CONTACT, LeadIn
from flows.problems import Fault

FIELDS = ("source", "buyer", "lead", "price", "event_id", "external_id", "delivered_at")
NUMBER = re.compile(r"-?\d{1,40}(\.\d{1,40})?", re.ASCII)
TIME = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:?\d\d)?|\d{4}-\d\d-\d\d", re.ASCII
)


def from_json(payload: Mapping[str, Any], flow: Flow) -> LeadIn:
    """The lead that the payload describes, with every fault of its form."""
    reader = _Reader(payload, flow)
    return LeadIn(
        source=reader.text("source", required=True) or "",
        buyer=reader.text("buyer", required=True) or "",
        lead=reader.lead(),
        price=reader.price(),
        event_id=reader.text("event_id"),
        external_id=reader.text("external_id"),
        delivered_at=reader.time(),
        faults=(*reader.strangers(), *reader.faults),
        warnings=tuple(reader.warnings),
    )


def from_row(row: Mapping[str, str], flow: Flow) -> LeadIn:
    """The same from a row of texts; an empty cell is left out, an unknown column belongs to the lead."""
    cells = {name: cell.strip() for name, cell in row.items() if cell.strip()}
    payload: dict[str, Any] = {name: cells.pop(name) for name in FIELDS if name != "lead" and name in cells}
    return from_json({**payload, "lead": cells}, flow)


def nearest(word: str, names: Iterable[str]) -> str:
    """Which of the names was most likely meant, or ""."""
    return next(iter(difflib.get_close_matches(word.lower()[:128], list(names), n=1)), "")


class _Reader:
    """Reads one payload, keeping what is wrong and what is to be said about it."""

    def __init__(self, payload: Mapping[str, Any], flow: Flow) -> None:
        self.payload = payload
        self.zone = zoneinfo.ZoneInfo(flow.timezone)
        self.faults: list[Fault] = []
        self.warnings: list[str] = []

    def fault(self, name: str, code: str, message: str) -> None:
        self.faults.append(Fault(name, code, message))

    def strangers(self) -> list[Fault]:
        return [_stranger(name) for name in self.payload if name not in FIELDS]

    def text(self, name: str, *, required: bool = False) -> str | None:
        value = self.payload.get(name)
        if value is None or (required and value == ""):
            if required:
                self.fault(name, "required", f"Send {name}.")
            return None
        if not isinstance(value, str):
            self.fault(name, "invalid_type", f"Send {name} as text, in quotes.")
            return None
        return value

    def lead(self) -> Mapping[str, Any]:
        value = self.payload.get("lead")
        if isinstance(value, Mapping):
            return value
        if value is None:
            self.fault("lead", "required", "Send lead: an object with the consumer's record.")
        else:
            self.fault(
                "lead", "invalid_type", 'Send lead as an object, such as {"email": "maria@example.com"}.'
            )
        return {}

    def price(self) -> Decimal | None:
        value = self.payload.get("price")
        if value is None:
            return None
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            return Decimal(value)
        if isinstance(value, str) and NUMBER.fullmatch(value):
            return Decimal(value)
        self.fault("price", "invalid_type", 'Send a number, or plain digits in quotes, such as "25.00".')
        return None

    def time(self) -> dt.datetime | None:
        """An ISO 8601 time; without an offset it is read in the flow's time zone, with a warning."""
        value = self.payload.get("delivered_at")
        if value is None:
            return None
        try:
            moment = _moment(value)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=self.zone)
                self.warnings.append(f"delivered_at has no offset: it was read in {self.zone.key}.")
            return moment.astimezone(dt.UTC)
        except (ValueError, OverflowError):
            message = "Send an ISO 8601 time with an offset, such as 2026-01-15T14:30:00Z."
            self.fault("delivered_at", "invalid_timestamp", message)
            return None


def _moment(value: Any) -> dt.datetime:
    if not isinstance(value, str) or not TIME.fullmatch(value):
        raise ValueError(value)
    return dt.datetime.fromisoformat(value.upper())


def _stranger(name: str) -> Fault:
    inner = f"lead.{name}" if name in CONTACT else ""
    meant = inner or nearest(name, FIELDS)
    message = f"Send it inside lead: {inner}." if inner else "Leave it out, or send it inside lead."
    return Fault(name[:100], "unknown_field", message, FIELDS, meant)
