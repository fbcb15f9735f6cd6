"""Spans of days and weeks, and the axis of the bars: pure."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.evidence import Measure, wilson
from reports.charts import BAR_WIDTH, WEEKS, axis_end, bar, span
from reports.periods import Period, moments, today_in
from reports.words import money, percent, signed

DAYS = st.dates(dt.date(2000, 1, 1), dt.date(2099, 12, 31))
LENGTHS = st.integers(1, 731)


@given(DAYS, LENGTHS)
def test_the_period_before_is_as_long_and_ends_where_this_one_begins(last, days):
    period = Period.ending(last, days)
    before = period.before()
    assert (period.days, before.days) == (days, days)
    assert before.last + dt.timedelta(days=1) == period.first


@given(DAYS, LENGTHS)
def test_weeks_hold_every_day_once_and_begin_on_mondays(last, days):
    over = span(Period.ending(last, days))
    weeks = list(over.weeks())
    assert len(weeks) >= WEEKS
    assert all(week.first.weekday() == 0 for week in weeks)
    assert sum(week.days for week in weeks) == over.days
    assert over.first <= Period.ending(last, days).first


@pytest.mark.parametrize(
    ("day", "hours"),
    [(dt.date(2026, 3, 7), 24), (dt.date(2026, 3, 8), 23), (dt.date(2026, 11, 1), 25)],
)
def test_a_day_lasts_as_long_as_its_clocks_say(day, hours):
    begin, end = moments(Period(day, day), "America/New_York")
    assert end.astimezone(dt.UTC) - begin.astimezone(dt.UTC) == dt.timedelta(hours=hours)


def test_today_is_the_latest_day_that_has_begun_anywhere():
    now = dt.datetime(2026, 3, 15, 20, tzinfo=dt.UTC)
    assert today_in(["America/New_York"], now) == dt.date(2026, 3, 15)
    assert today_in(["America/New_York", "Asia/Tokyo"], now) == dt.date(2026, 3, 16)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_bar_holds_its_value_and_stays_on_its_axis(counts):
    sold, count = counts
    low, high = (Decimal(f"{end:.6f}") for end in wilson(sold, count))
    end = axis_end([high])
    drawn = bar(Measure(Decimal(sold) / count, count, low, high), end, [(Decimal("0.05"), "low")])
    assert drawn is not None
    assert not drawn.cut
    assert drawn.start >= 0
    assert drawn.start - 0.1 <= drawn.value <= drawn.start + drawn.width + 0.1
    assert drawn.start + drawn.width <= BAR_WIDTH + 1


def test_numbers_are_said_as_people_read_them():
    assert percent(Decimal("0.0955")) == "9.6\N{NO-BREAK SPACE}%"
    assert percent(None) == "–"
    assert money(Decimal("157660.4"), "USD", whole=True) == "$157,660"
    assert money(Decimal("12.5"), "USD", whole=True) == "$12.50"
    assert money(Decimal("-12.5"), "KWD") == "−KWD\N{NO-BREAK SPACE}12.500"
    assert money(Decimal(1500), "JPY") == "¥1,500"
    assert [signed(Decimal(text), 1) for text in ("0.84", "-0.06", "0.04")] == ["+0.8", "−0.1", "±0.0"]
