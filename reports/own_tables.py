"""How a buyer's own numbers are drawn as tables: heads, and cells in words. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse

from flows.schedules import in_words
from portal.formats import number
from reports.own_numbers import Line, OwnNumbers
from reports.words import NONE, day, interval, leads, money, percent, span, span_interval, value_of

Cell = tuple[str, str, str]  # label, text, small print


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table. ``sub`` stands small under the name, ``note`` beside it."""

    name: str
    sub: str
    cells: tuple[Cell, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Rows:
    heads: tuple[str, ...]
    rows: tuple[Row, ...]
    total: Row | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """``text`` and ``small`` of a line, in words; ``currency`` is the question's."""

    label: str
    text: Callable[[Line, str], str]
    small: Callable[[Line, str], str] = lambda line, currency: ""


def _count(label: str, of: str) -> Column:
    return Column(label, lambda line, currency: number(getattr(line.totals, of)))


def _metric(label: str, name: str) -> Column:
    return Column(
        label,
        lambda line, currency: value_of(name, line.measure(name), currency),
        lambda line, currency: interval(name, line.measure(name), currency),
    )


COLUMNS = (
    _count("Leads", "delivered"),
    _metric("Coverage", "coverage"),
    _metric("Contact", "contact_rate"),
    _metric("Conversion", "conversion_rate"),
    _metric("Returned", "return_rate"),
    Column(
        "Spend",
        lambda line, currency: value_of("cost", line.measure("cost"), currency),
        lambda line, currency: (
            f"after {money(line.credited, currency)} credited" if line.credited and line.priced else ""
        ),
    ),
    _metric("Revenue", "revenue"),
    _metric("Per acquisition", "cost_per_acquisition"),
    _metric("ROI", "roi"),
)
TIME_TO_CONTACT = Column(
    "To contact",
    lambda line, currency: span(line.contact_time),
    lambda line, currency: span_interval(line.contact_time),
)


def source_rows(numbers: OwnNumbers) -> Rows:
    """By source, and their sum where there are several."""
    columns = (*COLUMNS, TIME_TO_CONTACT)
    several = len(numbers.question.flows) > 1
    rows = tuple(_row(line, columns, numbers, line.flow if several else "") for line in numbers.lines)
    total = _row(numbers.total, columns, numbers) if len(rows) > 1 else None
    return Rows(_heads(columns, numbers), rows, total)


def week_rows(numbers: OwnNumbers) -> Rows:
    """By week of delivery, newest first."""
    rows = []
    for week, line in numbers.week_lines:
        name = f"{day(week.period.first)} – {day(week.period.last)}"
        cells = _cells(line, COLUMNS, numbers)
        rows.append(Row(name, "", cells, "maturing" if week.maturing else ""))
    return Rows(_heads(COLUMNS, numbers), tuple(rows))


def _row(line: Line, columns: Sequence[Column], numbers: OwnNumbers, sub: str = "") -> Row:
    return Row(line.name, sub, _cells(line, columns, numbers))


def _cells(line: Line, columns: Sequence[Column], numbers: OwnNumbers) -> tuple[Cell, ...]:
    currency = numbers.question.currency
    return tuple(
        (column.label, column.text(line, currency), column.small(line, currency)) for column in columns
    )


def _heads(columns: Sequence[Column], numbers: OwnNumbers) -> tuple[str, ...]:
    in_money = {"Spend", "Revenue", "Per acquisition"}
    currency = numbers.question.currency
    return tuple(f"{each.label}, {currency}" if each.label in in_money else each.label for each in columns)


@dataclass(frozen=True, slots=True)
class Compliance:
    """One agreement, in words. ``overdue_url`` leads to the leads that wait; "" where none does."""

    flow: str
    agreed: str
    scheduled: bool
    on_time: str
    interval: str
    counted: str
    overdue: str
    overdue_url: str
    delay: str
    delay_interval: str


def compliance_rows(numbers: OwnNumbers) -> list[Compliance]:
    """How each agreement asked about was kept."""
    return [
        Compliance(
            flow=kept.agreement.flow.name,
            agreed=in_words(kept.agreement.schedule),
            scheduled=kept.agreement.schedule != kept.agreement.Schedule.NONE,
            on_time=percent(kept.share.value),
            interval=interval("coverage", kept.share),
            counted=f"{number(kept.on_time)} of {leads(kept.due)} due" if kept.due else "nothing was due yet",
            overdue=number(kept.overdue) if kept.overdue else NONE,
            overdue_url=_waiting(kept.agreement.flow.public_id) if kept.overdue else "",
            delay=span(kept.median_delay),
            delay_interval=span_interval(kept.median_delay),
        )
        for kept in numbers.compliance
    ]


def _waiting(flow_id: str) -> str:
    return f"{reverse('lead-list')}?{urlencode({'show': 'due', 'flow': flow_id})}"
