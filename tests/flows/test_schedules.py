"""When feedback is due: every schedule over every day, in the buyer's time zone."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.models import Agreement
from flows.schedules import due_at, in_words, overdue_before

NEW_YORK, BERLIN, KOLKATA = map(ZoneInfo, ("America/New_York", "Europe/Berlin", "Asia/Kolkata"))
FIRST, LAST = map(dt.datetime.fromisoformat, ("2000-01-01", "2060-01-01"))
moments = st.datetimes(FIRST, LAST, timezones=st.just(dt.UTC))
zones = st.sampled_from([NEW_YORK, BERLIN, KOLKATA, ZoneInfo("Pacific/Kiritimati"), ZoneInfo("Africa/Cairo")])
LONGEST = {"realtime": 0.05, "daily": 2, "weekly": 8.5, "monthly": 36}  # days


def local(text: str, zone: ZoneInfo) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("schedule", "zone", "delivered", "due"),
    [
        ("realtime", NEW_YORK, "2026-01-15T14:30", "2026-01-15T15:30"),
        ("daily", NEW_YORK, "2026-01-15T00:00", "2026-01-16T09:00"),
        ("daily", NEW_YORK, "2026-01-15T23:59", "2026-01-16T09:00"),
        ("daily", NEW_YORK, "2026-03-07T12:00", "2026-03-08T09:00"),  # the clocks go forward that night
        ("daily", BERLIN, "2026-10-24T12:00", "2026-10-25T09:00"),  # and back
        ("daily", KOLKATA, "2028-02-28T12:00", "2028-02-29T09:00"),
        ("weekly", NEW_YORK, "2026-01-11T23:59", "2026-01-12T12:00"),  # a Sunday
        ("weekly", NEW_YORK, "2026-01-12T08:00", "2026-01-19T12:00"),  # a Monday
        ("weekly", BERLIN, "2026-03-28T12:00", "2026-03-30T12:00"),
        ("monthly", NEW_YORK, "2026-01-31T23:59", "2026-02-03T00:00"),  # 1 February 2026 is a Sunday
        ("monthly", NEW_YORK, "2026-04-01T00:00", "2026-05-02T00:00"),
        ("monthly", BERLIN, "2026-07-15T12:00", "2026-08-04T00:00"),  # 1 August is a Saturday
        ("monthly", BERLIN, "2026-12-31T12:00", "2027-01-02T00:00"),
        ("monthly", BERLIN, "2028-01-30T12:00", "2028-02-02T00:00"),
    ],
)
def test_due(schedule, zone, delivered, due):
    assert due_at(schedule, local(delivered, zone), zone) == local(due, zone)


def test_the_day_is_the_buyers():
    """Half past midnight in Berlin is the evening before in New York."""
    moment = local("2026-01-16T00:30", BERLIN)
    assert due_at("daily", moment, BERLIN) == local("2026-01-17T09:00", BERLIN)
    assert due_at("daily", moment, NEW_YORK) == local("2026-01-16T09:00", NEW_YORK)


def test_the_night_when_the_clocks_change_is_not_a_full_day():
    due = due_at("daily", local("2026-03-07T09:00", NEW_YORK), NEW_YORK)
    assert due - local("2026-03-07T09:00", NEW_YORK).astimezone(dt.UTC) == dt.timedelta(hours=23)


@given(st.sampled_from(list(LONGEST)), moments, zones)
def test_it_is_always_ahead_and_never_far(schedule, delivered, zone):
    due = due_at(schedule, delivered, zone)
    assert dt.timedelta(0) < due - delivered <= dt.timedelta(days=LONGEST[schedule])
    assert due.utcoffset() == dt.timedelta(0)


@given(st.sampled_from(list(LONGEST)), moments, st.timedeltas(dt.timedelta(0), dt.timedelta(days=40)), zones)
def test_what_is_delivered_later_is_never_due_sooner(schedule, delivered, later, zone):
    assert due_at(schedule, delivered, zone) <= due_at(schedule, delivered + later, zone)


@given(moments, zones)
def test_the_first_business_day_has_no_earlier_one_in_its_month(delivered, zone):
    ends = due_at("monthly", delivered, zone).astimezone(zone)
    day = ends.date() - dt.timedelta(days=1)
    month = delivered.astimezone(zone).month
    assert day.month == month % 12 + 1
    weekdays = [number for number in range(1, day.day + 1) if day.replace(day=number).weekday() < 5]
    assert weekdays == [day.day]


@given(moments, zones)
def test_weekly_is_a_monday_noon(delivered, zone):
    due = due_at("weekly", delivered, zone).astimezone(zone)
    assert (due.weekday(), due.time()) == (0, dt.time(12))


def test_no_schedule_is_never_due_and_an_unknown_one_is_a_fault():
    moment = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    assert due_at("none", moment, BERLIN) is None
    with pytest.raises(KeyError):
        due_at("hourly", moment, BERLIN)


@pytest.mark.parametrize("schedule", Agreement.Schedule.values)
def test_every_schedule_is_put_in_words(schedule):
    assert in_words(schedule).endswith((".", ")."))


@given(st.sampled_from(list(LONGEST)), moments, st.timedeltas(dt.timedelta(0), dt.timedelta(days=70)), zones)
def test_what_is_past_due_was_delivered_before_one_moment(schedule, delivered, passed, zone):
    now = delivered + passed
    assert (due_at(schedule, delivered, zone) < now) == (delivered < overdue_before(schedule, now, zone))


def test_without_a_schedule_nothing_is_past_due():
    assert overdue_before("none", dt.datetime(2026, 1, 1, tzinfo=dt.UTC), BERLIN) is None
