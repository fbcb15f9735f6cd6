"""Dates and times as feedback carries them."""

from __future__ import annotations

import datetime as dt
import re
from zoneinfo import ZoneInfo

from feedback.schema.spec import Reader, Reading, RefusedError, Terms

DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:?\d\d)?", re.ASCII)
AHEAD = dt.timedelta(minutes=5)  # how far a sender's clock may be ahead of ours
FIRST_ZONE = dt.timezone(dt.timedelta(hours=14))  # where a day begins first
EXAMPLE = "2026-01-15T14:30:00Z"


def iso(moment: dt.datetime) -> str:
    """The canonical text of an aware moment: UTC, ``Z``, fractions only where there are any."""
    return moment.astimezone(dt.UTC).replace(tzinfo=None).isoformat() + "Z"


def date(value: object, reading: Reading) -> str:
    """``YYYY-MM-DD`` of a day that exists."""
    return _date(value).isoformat()


def _date(value: object) -> dt.date:
    if not isinstance(value, str):
        raise RefusedError("invalid_type", 'Send a date as text, such as "2026-01-15".')
    if not DATE.fullmatch(value):
        raise RefusedError("invalid_timestamp", "Send a date as year-month-day, such as 2026-01-15.")
    try:
        return dt.date.fromisoformat(value)
    except ValueError:
        raise RefusedError("invalid_timestamp", f"There is no day {value}.") from None


def moment(name: str, value: object, zone: ZoneInfo, reading: Reading) -> dt.datetime:
    """An ISO 8601 date and time as an aware moment in UTC.

    Without an offset it is read in ``zone``, with a warning: a time that the clocks skip moves on by an hour,
    one that they run through twice is taken as the first.
    """
    if not isinstance(value, str):
        raise RefusedError("invalid_type", f'Send the time as text in ISO 8601, such as "{EXAMPLE}".')
    if not TIME.fullmatch(value):
        raise RefusedError(
            "invalid_timestamp", f"Send an ISO 8601 date and time with an offset, such as {EXAMPLE}."
        )
    try:
        parsed = dt.datetime.fromisoformat(value.upper())
        if parsed.tzinfo is not None:
            return parsed.astimezone(dt.UTC)
        utc = parsed.replace(tzinfo=zone).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise RefusedError("invalid_timestamp", f"There is no time {value}.") from None
    reading.warnings.append(
        f"{name} has no offset: {value} was read in {zone.key} as {iso(utc)}. Send an offset, such as Z."
    )
    return utc


def time(name: str, terms: Terms) -> Reader:
    """Any moment."""
    return lambda value, reading: iso(moment(name, value, terms.zone, reading))


def timestamp(name: str, terms: Terms) -> Reader:
    """When the feedback happened: neither in the future nor before the delivery, to the second."""

    def read(value: object, reading: Reading) -> str:
        at = moment(name, value, terms.zone, reading)
        _refuse_future(at, reading)
        if reading.delivered_at is not None and at < reading.delivered_at.replace(microsecond=0):
            raise RefusedError(
                "timestamp_before_delivery",
                f"The lead was delivered at {iso(reading.delivered_at)}; send a time after that.",
            )
        return iso(at)

    return read


def date_or_time(name: str, terms: Terms) -> Reader:
    """A moment that has passed, or a day: its beginning in the flow's time zone.

    It may lie before the delivery: a buyer may have known the consumer already.
    """

    def read(value: object, reading: Reading) -> str:
        if isinstance(value, str) and DATE.fullmatch(value):
            return iso(_start_of(_date(value), terms.zone, reading))
        at = moment(name, value, terms.zone, reading)
        _refuse_future(at, reading)
        return iso(at)

    return read


def _start_of(day: dt.date, zone: ZoneInfo, reading: Reading) -> dt.datetime:
    """The beginning of a day; refused when that day has begun nowhere on earth."""
    if day > reading.now.astimezone(FIRST_ZONE).date():
        raise RefusedError(
            "timestamp_in_future", f"{day} is in the future; send the day on which it happened."
        )
    try:
        return dt.datetime.combine(day, dt.time(), zone).astimezone(dt.UTC)
    except OverflowError:
        raise RefusedError("invalid_timestamp", f"There is no day {day}.") from None


def _refuse_future(at: dt.datetime, reading: Reading) -> None:
    if at > reading.now + AHEAD:
        raise RefusedError(
            "timestamp_in_future",
            f"{iso(at)} is more than 5 minutes ahead of our clock, which says {iso(reading.now)}. "
            "Send the time at which it happened.",
        )
