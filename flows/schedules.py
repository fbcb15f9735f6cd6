"""By when feedback on a lead is due under an agreed schedule. Pure.

The words are the seed's: real time within an hour, daily by 9 AM the next day, weekly on Monday morning,
monthly on the first business day. Where they leave the hour open: a morning ends at noon, a day at midnight.
Business days are Monday to Friday; public holidays differ by place and are not known here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from zoneinfo import ZoneInfo

from flows.models import Agreement

Schedule = Agreement.Schedule
NINE, NOON, MIDNIGHT = dt.time(9), dt.time(12), dt.time()
DAY = dt.timedelta(days=1)
SATURDAY = 5


def due_at(schedule: str, delivered_at: dt.datetime, zone: ZoneInfo) -> dt.datetime | None:
    """The moment (UTC) by which feedback on a lead delivered at ``delivered_at`` (aware) is due.

    Days are those of ``zone``, the buyer's. A lead that comes on a Monday or on a first business day is due
    at the next one. None where no schedule is agreed. KeyError for a word that is no schedule.
    """
    if schedule == Schedule.NONE:
        return None
    if schedule == Schedule.REALTIME:
        return delivered_at.astimezone(dt.UTC) + dt.timedelta(hours=1)
    return due_of_day(schedule, delivered_at.astimezone(zone).date(), zone)


def overdue_before(schedule: str, now: dt.datetime, zone: ZoneInfo) -> dt.datetime | None:
    """The moment (UTC) such that feedback on a lead is past due exactly if it was delivered before it.

    None where no schedule is agreed. Later deliveries are never due earlier, so there is one such moment; but
    for real time it is a midnight in ``zone``, as leads of one day are due together.
    """
    if schedule == Schedule.NONE:
        return None
    if schedule == Schedule.REALTIME:
        return now.astimezone(dt.UTC) - dt.timedelta(hours=1)
    day = now.astimezone(zone).date()
    while due_of_day(schedule, day, zone) >= now:
        day -= DAY
    return dt.datetime.combine(day + DAY, MIDNIGHT, zone).astimezone(dt.UTC)


def due_of_day(schedule: str, day: dt.date, zone: ZoneInfo) -> dt.datetime:
    """By when feedback on the leads of a day in ``zone`` is due, where a day's leads are due together."""
    due, hour = RULES[schedule](day)
    return dt.datetime.combine(due, hour, zone).astimezone(dt.UTC)


def in_words(schedule: str) -> str:
    """What the buyer is expected to do."""
    return WORDS[schedule]


def _next_morning(day: dt.date) -> tuple[dt.date, dt.time]:
    return day + DAY, NINE


def _next_monday(day: dt.date) -> tuple[dt.date, dt.time]:
    return day + (7 - day.weekday()) * DAY, NOON


def _next_month(day: dt.date) -> tuple[dt.date, dt.time]:
    """The end of the next month's first business day: the midnight after it."""
    first = (day.replace(day=1) + 31 * DAY).replace(day=1)
    if first.weekday() >= SATURDAY:
        first += (7 - first.weekday()) * DAY
    return first + DAY, MIDNIGHT


RULES: Mapping[str, Callable[[dt.date], tuple[dt.date, dt.time]]] = {
    Schedule.DAILY: _next_morning,
    Schedule.WEEKLY: _next_monday,
    Schedule.MONTHLY: _next_month,
}
WORDS: Mapping[str, str] = {
    Schedule.NONE: "No schedule is agreed. Send feedback as soon as you know what became of a lead.",
    Schedule.REALTIME: "Real time: within 1 hour of the delivery, and again whenever something changes.",
    Schedule.DAILY: "Daily: by 9:00 on the day after the delivery.",
    Schedule.WEEKLY: "Weekly: on the Monday morning after the delivery, by 12:00.",
    Schedule.MONTHLY: "Monthly: by the end of the next month's first business day (Monday to Friday).",
}
