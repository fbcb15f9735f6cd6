"""A buyer's own numbers as files: no units, no separators, rates as fractions, times in days.

Costs are what was paid less what was credited for returned leads.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django.http import StreamingHttpResponse

from feedback.metrics import UNITS
from flows.evidence import Measure
from flows.models.config import CURRENCY_DECIMALS
from portal.spreadsheets import Echo, csv_file
from reports.exports import defused
from reports.own_numbers import Line, OwnNumbers
from reports.words import rounded

COUNTS = ("delivered", "with_feedback", "converted", "returned")
METRICS = (
    "coverage",
    "contact_rate",
    "conversion_rate",
    "return_rate",
    "average_quality",
    "cost",
    "revenue",
    "revenue_per_lead",
    "cost_per_acquisition",
    "margin",
    "roi",
)
ENDS = ("contact_rate", "conversion_rate", "return_rate", "cost_per_acquisition", "roi")
TIME = "median_days_to_contact"


def own_csv(numbers: OwnNumbers, *, by_week: bool) -> StreamingHttpResponse:
    """The lines of the page's table, by source or by week of delivery, without their sum."""
    period, what = numbers.question.period, "weeks" if by_week else "sources"
    rows = _by_week(numbers) if by_week else _by_source(numbers)
    return csv_file(rows, f"my-numbers-by-{what}-{period.first}-to-{period.last}.csv")


def _by_source(numbers: OwnNumbers) -> Iterator[Any]:
    write = csv.writer(Echo()).writerow
    yield write(["source", "flow", "currency", *_heads(), TIME, f"{TIME}_low", f"{TIME}_high"])
    for line in numbers.lines:
        taken = line.contact_time
        times = [_plain(each, 2) for each in (taken.value, taken.low, taken.high)]
        currency = numbers.question.currency
        yield write([defused(line.name), defused(line.flow), currency, *_cells(line, currency), *times])


def _by_week(numbers: OwnNumbers) -> Iterator[Any]:
    write = csv.writer(Echo()).writerow
    currency = numbers.question.currency
    yield write(["week_from", "week_to", "maturing", "currency", *_heads()])
    for week, line in numbers.week_lines:
        span = [str(week.period.first), str(week.period.last), "yes" if week.maturing else "no"]
        yield write([*span, currency, *_cells(line, currency)])


def _heads() -> list[str]:
    return [*COUNTS, "credited", *METRICS, *(f"{name}_{end}" for name in ENDS for end in ("low", "high"))]


def _cells(line: Line, currency: str) -> list[str]:
    counts = [str(getattr(line.totals, name)) for name in COUNTS]
    measures = {name: line.measure(name) for name in METRICS}
    values = [_plain(measures[name].value, _places(name, currency)) for name in METRICS]
    ends = [_plain(each, _places(name, currency)) for name in ENDS for each in _ends(measures[name])]
    credited = _plain(line.credited if line.priced else None, _places("cost", currency))
    return [*counts, credited, *values, *ends]


def _ends(measure: Measure) -> tuple[Decimal | None, Decimal | None]:
    return measure.low, measure.high


def _places(name: str, currency: str) -> int:
    return CURRENCY_DECIMALS[currency] if UNITS[name] == "money" and currency else 4


def _plain(value: Decimal | None, places: int) -> str:
    return "" if value is None else str(rounded(value, places))
