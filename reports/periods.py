"""Spans of days and weeks. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

WEEK = dt.timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Period:
    """From the first to the last day, both included."""

    first: dt.date
    last: dt.date

    @classmethod
    def ending(cls, last: dt.date, days: int) -> Period:
        """The ``days`` days up to ``last``."""
        return cls(last - dt.timedelta(days=days - 1), last)

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def before(self) -> Period:
        """As many days, just before this one."""
        return Period.ending(self.first - dt.timedelta(days=1), self.days)

    def weeks(self) -> Iterator[Period]:
        """Its weeks, Monday to Sunday; the last one ends with the period."""
        monday = monday_of(self.first)
        while monday <= self.last:
            yield Period(monday, min(monday + dt.timedelta(days=6), self.last))
            monday += WEEK


def monday_of(day: dt.date) -> dt.date:
    """The Monday of the day's week."""
    return day - dt.timedelta(days=day.weekday())


def today_in(zones: Iterable[str], now: dt.datetime) -> dt.date:
    """The latest date that any of the zones has begun, so that nothing of today is left out."""
    return max(now.astimezone(ZoneInfo(zone)).date() for zone in zones)


def moments(period: Period, zone: str) -> tuple[dt.datetime, dt.datetime]:
    """When the period begins and ends (excluded) in a time zone."""
    clock, midnight = ZoneInfo(zone), dt.time()
    return (
        dt.datetime.combine(period.first, midnight, clock),
        dt.datetime.combine(period.last + dt.timedelta(days=1), midnight, clock),
    )
