"""Numbers as people read them: values in, short texts out, in the format that the person chose."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

from feedback.metrics import UNITS
from flows.evidence import Measure
from flows.models.config import CURRENCY_DECIMALS
from portal.formats import date, number, short_date
from reports.periods import Period

NONE = "–"
WHOLE_FROM = 100  # of money, from which amount on an interval has no decimals
MINUS = "−"
NBSP = "\N{NO-BREAK SPACE}"
SIGNS = {
    "AUD": "A$", "BRL": "R$", "CAD": "C$", "EUR": "€", "GBP": "£", "INR": "₹", "JPY": "¥",
    "MXN": "MX$", "NZD": "NZ$", "USD": "$",
}  # fmt: skip


def rounded(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def _signed(text: str) -> str:
    return text.replace("-", MINUS)


def percent(value: Decimal | None, places: int = 1) -> str:
    """0.096 → ``9.6 %``."""
    return NONE if value is None else _signed(f"{number(rounded(value * 100, places))}{NBSP}%")


def score(value: Decimal | None, places: int = 1) -> str:
    """3.71 → ``3.7``."""
    return NONE if value is None else number(rounded(value, places))


def money(value: Decimal | None, currency: str, *, whole: bool = False) -> str:
    """157660 USD → ``$157,660.00``; ``whole`` leaves the decimals of large sums out."""
    if value is None:
        return NONE
    decimals = 0 if whole and abs(value) >= 1000 else CURRENCY_DECIMALS[currency]
    amount = rounded(value, decimals)
    sign = SIGNS.get(currency, f"{currency}{NBSP}")
    return f"{MINUS if amount < 0 else ''}{sign}{number(abs(amount))}"


def value_of(name: str, measure: Measure, currency: str = "") -> str:
    """A metric's value in its unit."""
    unit = UNITS[name]
    if unit == "money":
        return money(measure.value, currency)
    if unit == "count":
        return number(measure.value) if measure.value is not None else NONE
    return percent(measure.value) if unit == "rate" else score(measure.value)


def interval(name: str, measure: Measure, currency: str = "") -> str:
    """The 95 % interval in the metric's unit (``9.0–10.2 %``); ``""`` where there is none.

    Of money without its sign, to stay as narrow as the number above it.
    """
    if measure.low is None or measure.high is None or measure.value is None:
        return ""
    unit = UNITS[name]
    if unit == "money":
        places = 0 if measure.value >= WHOLE_FROM else CURRENCY_DECIMALS[currency]
        low, high = (_signed(number(rounded(end, places))) for end in (measure.low, measure.high))
        return f"{low}–{high}"
    if unit == "rate":
        return f"{_signed(number(rounded(measure.low * 100, 1)))}–{percent(measure.high)}"
    places = 1 if unit == "days" else 2
    return f"{score(measure.low, places)}–{score(measure.high, places)}"


def span(measure: Measure) -> str:
    """A time in days, as ``35 min``, ``5.2 h`` or ``3.4 days``: in the unit that people would use."""
    return NONE if measure.value is None else _span(measure.value)


def span_interval(measure: Measure) -> str:
    """Its 95 % interval: ``4.1 h – 2.2 days``; ``""`` where there is none."""
    if measure.low is None or measure.high is None:
        return ""
    return f"{_span(measure.low)} – {_span(measure.high)}"


def _span(days: Decimal) -> str:
    minutes = days * 1440
    if minutes < 60:
        return f"{rounded(minutes, 0)}{NBSP}min"
    if days < 2:
        return f"{number(rounded(days * 24, 1))}{NBSP}h"
    return f"{number(rounded(days, 1))}{NBSP}days"


def signed(value: Decimal, places: int) -> str:
    """With its sign: ``+0.8``, ``−0.1``, ``±0.0``."""
    change = rounded(value, places)
    sign = "+" if change > 0 else MINUS if change < 0 else "±"
    return f"{sign}{number(abs(change))}"


def day(value: dt.date, *, year: bool = False) -> str:
    """``14 Oct``, with the year where it is asked for."""
    return date(value) if year else short_date(value)


def days(period: Period, today: dt.date) -> str:
    """``14 Oct – 12 Nov``; the years where the period is not all of this one."""
    year = {period.first.year, period.last.year} != {today.year}
    if period.days == 1:
        return day(period.last, year=year)
    return f"{day(period.first, year=year)} – {day(period.last, year=year)}"


def leads(count: int) -> str:
    return f"{number(count)} lead{'' if count == 1 else 's'}"


def aged(ages: Sequence[int]) -> str:
    """``14+ days old``; ``14+ or 30+ days old, by flow`` where it is not the same for all."""
    return f"{' or '.join(f'{age}+' for age in ages)} days old{', by flow' if len(ages) > 1 else ''}"
