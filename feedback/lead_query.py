"""What a buyer asks of the list of leads, read from the address: strictly, every fault at once."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet
from django.http import QueryDict

from feedback.schema import clock
from feedback.schema.hints import did_you_mean
from feedback.schema.spec import Reading, RefusedError
from feedback.schema.values import choice, outcome, storable
from flows.models import Agreement, ConversionStatus, Delivery
from flows.problems import Fault

NAMES = (
    "outcome",
    "conversion_status",
    "source",
    "delivered_from",
    "delivered_to",
    "updated_since",
    "cursor",
    "limit",
)
LIMIT, MOST = 100, 500
NAMED = 50  # so many strangers are named one by one
WHOLE = re.compile(r"\d{1,9}", re.ASCII)
PLUS = re.compile(r"(\d\d:\d\d\S*) (\d\d:?\d\d)", re.ASCII)  # an offset whose + the address made a space
Rows = QuerySet[Delivery]


@dataclass(slots=True)
class LeadQuery:
    """One question: conditions on a delivery, after which one to go on, how many, and words of warning."""

    where: Q = field(default_factory=Q)
    after: Delivery | None = None
    limit: int = LIMIT
    warnings: list[str] = field(default_factory=list)


def read(
    query: QueryDict, mine: Rows, agreement: Agreement, zone: ZoneInfo, now: dt.datetime
) -> LeadQuery | tuple[Fault, ...]:
    """The question, or everything that is wrong with it. One query where there is a cursor.

    ``mine``: the deliveries that may be read. ``zone``: the flow's. An empty parameter is as good as none.
    """
    given = {name: value for name in NAMES if (value := query.get(name, ""))}
    reading = Reading(given, now)
    asked = LeadQuery(warnings=reading.warnings)
    readers = _readers(asked, reading, mine, agreement, zone)
    faults = _strangers(query, agreement)
    for name, value in given.items():
        try:
            if len(query.getlist(name)) > 1:
                raise RefusedError("invalid_type", f"Send {name} once.")
            readers[name](value)
        except RefusedError as refused:
            faults.append(refused.fault(name))
    return tuple(faults) or asked


def allowed(agreement: Agreement) -> tuple[str, ...]:
    """The parameters: what the agreement hides cannot be asked for either."""
    return tuple(name for name in NAMES if name != "source" or agreement.shows_source)


def page(rows: Rows, asked: LeadQuery) -> tuple[list[Delivery], str | None]:
    """The newest deliveries first, as far as they answer, and the cursor of the next page if there is one.

    The order rests on what never changes (delivery time, primary key), so that whatever is written between
    two pages neither repeats a lead nor leaves one out.
    """
    rows = rows.filter(asked.where)
    if asked.after is not None:
        at, pk = asked.after.delivered_at, asked.after.pk
        rows = rows.filter(Q(delivered_at__lte=at) & (Q(delivered_at__lt=at) | Q(pk__lt=pk)))
    found = list(rows.order_by("-delivered_at", "-pk")[: asked.limit + 1])
    if len(found) <= asked.limit:
        return found, None
    return found[:-1], cursor_of(found[-2])


def cursor_of(delivery: Delivery) -> str:
    """The place after this delivery. It holds no secret, and is checked like any id when it comes back."""
    return base64.urlsafe_b64encode(delivery.public_id.encode()).decode().rstrip("=")


def _readers(
    asked: LeadQuery, reading: Reading, mine: Rows, agreement: Agreement, zone: ZoneInfo
) -> Mapping[str, Callable[[str], None]]:
    """Parameter → what takes its value into the question."""

    def where(**condition: Any) -> None:
        asked.where &= Q(**condition)

    def moment(name: str, value: str) -> dt.datetime:
        return _moment(name, value, zone, reading)

    def source(value: str) -> None:
        if not agreement.shows_source:
            raise RefusedError("field_not_allowed", "Leave out source: you are not shown it on this flow.")
        where(source__slug=storable(value))

    def until(value: str) -> None:
        if clock.DATE.fullmatch(value):
            where(delivered_at__lt=_end_of(value, zone, reading))
        else:
            where(delivered_at__lte=moment("delivered_to", value))

    def after(value: str) -> None:
        asked.after = _after(value, mine)

    def limit(value: str) -> None:
        asked.limit = _limit(value)

    statuses = choice(ConversionStatus.values)
    return {
        "outcome": lambda value: where(outcome=outcome(value, reading)),
        "conversion_status": lambda value: where(conversion_status=statuses(value, reading)),
        "source": source,
        "delivered_from": lambda value: where(delivered_at__gte=moment("delivered_from", value)),
        "delivered_to": until,
        "updated_since": lambda value: where(updated_at__gte=moment("updated_since", value)),
        "cursor": after,
        "limit": limit,
    }


def _strangers(query: QueryDict, agreement: Agreement) -> list[Fault]:
    names = allowed(agreement)
    return [
        Fault(
            name[:64],
            "unknown_field",
            "Leave it out: this address has no parameter of this name.",
            names,
            did_you_mean(name, names),
        )
        for name in query
        if name not in NAMES
    ][:NAMED]


def _moment(name: str, value: str, zone: ZoneInfo, reading: Reading) -> dt.datetime:
    """A time, or the beginning of a day in the flow's time zone."""
    if clock.DATE.fullmatch(value):
        return _midnight(dt.date.fromisoformat(clock.date(value, reading)), zone)
    return clock.moment(name, PLUS.sub(r"\1+\2", value), zone, reading)


def _end_of(day: str, zone: ZoneInfo, reading: Reading) -> dt.datetime:
    """The beginning of the day after."""
    date = dt.date.fromisoformat(clock.date(day, reading))
    return _midnight(min(date, dt.date.max - dt.timedelta(days=1)) + dt.timedelta(days=1), zone)


def _midnight(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    try:
        return dt.datetime.combine(day, dt.time(), zone).astimezone(dt.UTC)
    except OverflowError:
        raise RefusedError("invalid_timestamp", f"There is no day {day}.") from None


def _after(cursor: str, mine: Rows) -> Delivery:
    try:
        lead_id = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, UnicodeError):
        lead_id = ""
    found = mine.filter(public_id=lead_id).first() if lead_id.isprintable() else None
    if found is None:
        message = "Send next_cursor as the answer before had it, or leave cursor out to begin anew."
        raise RefusedError("invalid_choice", message)
    return found


def _limit(value: str) -> int:
    if not WHOLE.fullmatch(value):
        raise RefusedError("invalid_type", f"Send a whole number from 1 to {MOST}.")
    if not 1 <= int(value) <= MOST:
        raise RefusedError("out_of_range", f"Send a whole number from 1 to {MOST}.")
    return int(value)
