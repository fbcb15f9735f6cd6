"""Numbers, dates and times as a person chose to read them, and as they type them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.template import Context, Template
from hypothesis import given
from hypothesis import strategies as st

from portal import formats
from portal.formats import DATES, HOUSE, NUMBERS, Formats, using
from portal.models import CLOCK_FORMATS, DATE_FORMATS, NUMBER_FORMATS

DAY = dt.datetime(2026, 11, 24, 14, 30, 5, tzinfo=dt.UTC)


@pytest.mark.parametrize(("key", "sample"), NUMBER_FORMATS)
def test_a_number_is_written_as_its_choice_shows(key, sample):
    with using(Formats(numbers=key)):
        assert formats.number(Decimal("1234.56")).replace("\N{NO-BREAK SPACE}", " ") == sample


@pytest.mark.parametrize(("key", "sample"), DATE_FORMATS)
def test_a_date_is_written_as_its_choice_shows(key, sample):
    with using(Formats(dates=key)):
        assert formats.date(DAY) == formats.date(DAY.date()) == sample


@pytest.mark.parametrize(("key", "sample"), CLOCK_FORMATS)
def test_a_time_is_written_as_its_choice_shows(key, sample):
    with using(Formats(clock=key)):
        assert formats.time(DAY).replace("\N{NO-BREAK SPACE}", " ") == sample


@pytest.mark.parametrize(
    ("hour", "said"), [(0, "12:30 am"), (1, "1:30 am"), (12, "12:30 pm"), (23, "11:30 pm")]
)
def test_noon_and_midnight_of_twelve_hours(hour, said):
    with using(Formats(clock="12")):
        assert formats.time(DAY.replace(hour=hour)).replace("\N{NO-BREAK SPACE}", " ") == said


def test_nobodys_choice_holds_outside():
    assert formats.current() == HOUSE
    with using(Formats("point", "day", "12")):
        assert formats.current() != HOUSE
    assert formats.number(1234567) == "1,234,567"
    assert formats.date_time(DAY) == "24 Nov 2026, 14:30"


@pytest.mark.parametrize(
    ("key", "text", "machine"),
    [
        ("comma", "1,500.00", "1500.00"),
        ("comma", "1500", "1500"),
        ("comma", "1500,00", "1500,00"),  # no number here: refused, never taken for 150,000
        ("comma", "1.500,00", "1.500,00"),
        ("point", "1.500,00", "1500.00"),
        ("point", "1500,5", "1500.5"),
        ("point", "1.500", "1500"),
        ("point", "1500.00", "1500.00"),
        ("point", "-2.000.000,25", "-2000000.25"),
        ("point", "1,500.00", "1,500.00"),
        ("space", "1 500,00", "1500.00"),
        ("space", "1\N{NARROW NO-BREAK SPACE}500,00", "1500.00"),
        ("space", "1500.00", "1500.00"),
        ("quote", "1'500.00", "1500.00"),
        ("quote", "1’500.00", "1500.00"),
        ("point", "about 1.500", "about 1.500"),
        ("point", "", ""),
        ("space", "15 00", "15 00"),
    ],
)
def test_what_is_typed_is_read_in_the_persons_own_format(key, text, machine):
    with using(Formats(numbers=key)):
        assert formats.machine_number(text) == machine


@given(st.sampled_from(list(NUMBERS)), st.decimals(-(10**9), 10**9, places=2, allow_nan=False))
def test_what_is_shown_can_be_typed(key, value):
    with using(Formats(numbers=key)):
        assert Decimal(formats.machine_number(formats.number(value))) == value
        assert Decimal(formats.machine_number(formats.typed(f"{value:.2f}"))) == value


FORMS = {"j M Y, H:i": "24.11.2026, 2:30 pm", "j M Y": "24.11.2026", "j M": "24.11.", "H:i": "2:30 pm"}


@pytest.mark.parametrize(("pattern", "said"), FORMS.items())
def test_templates_name_the_houses_form_and_get_the_persons(pattern, said):
    drawn = Template(f'{{{{ at|date:"{pattern}" }}}}')
    with using(Formats("point", "day", "12")):
        assert drawn.render(Context({"at": DAY})).replace("\N{NO-BREAK SPACE}", " ") == said


def test_any_other_pattern_is_djangos_and_nothing_is_nothing():
    with using(Formats("point", "day", "12")):
        assert Template('{{ at|date:"Y" }}').render(Context({"at": DAY})) == "2026"
        assert Template('{{ at|date:"j M Y" }}').render(Context({"at": None})) == ""


def test_counts_in_templates():
    drawn = Template("{% load humanize %}{{ count|intcomma }} {{ none|intcomma }} {{ word|intcomma }}")
    with using(Formats(numbers="quote")):
        assert drawn.render(Context({"count": 1234567, "word": "–"})) == "1’234’567  –"


def test_every_choice_is_offered():
    assert tuple(NUMBERS) == tuple(key for key, _ in NUMBER_FORMATS)
    assert tuple(key for key, _ in DATE_FORMATS) == DATES
