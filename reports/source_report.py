"""The source performance report: one line a source, and a sum for each currency."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from feedback.metrics import MEDIAN_DAYS, Totals, measure, measure_days
from flows.evidence import Measure
from flows.models import Source
from flows.models.config import CURRENCY_DECIMALS
from flows.survival import Curve
from portal.formats import number
from reports import queries
from reports.scope import FEEDBACK_CLOCK, Question
from reports.words import NONE, interval, money, rounded, value_of

Value = str | int | Decimal | None
DEFAULT_SORT = "-total_revenue"


@dataclass(frozen=True, slots=True)
class Line:
    """A source's line, or a currency's sum (then ``source`` is None).

    ``days``: how long conversions took. ``curve``, in files only: which share converts within how many days.
    """

    source: Source | None
    name: str
    flow: str
    currency: str
    totals: Totals
    days: tuple[float, ...] = ()
    curve: Curve | None = None

    def measure(self, metric: str) -> Measure:
        return measure_days(self.days) if metric == MEDIAN_DAYS else measure(metric, self.totals)


@dataclass(frozen=True, slots=True)
class Block:
    """The lines of one currency and their sum."""

    currency: str
    lines: tuple[Line, ...]
    total: Line


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name in the address and in a file, its label, and how to read it off a line.

    ``metric`` names the metric whose value it shows, with its interval under it.
    """

    name: str
    label: str
    value: Callable[[Line], Value]
    metric: str = ""
    money: bool = False

    def text(self, line: Line) -> str:
        value = self.value(line)
        if self.money:
            return money(Decimal(value), line.currency) if value is not None else NONE
        if self.metric:
            return value_of(self.metric, line.measure(self.metric))
        return number(value) if isinstance(value, int) else str(value)

    def hint(self, line: Line) -> str:
        """The interval, for the small print under the number."""
        return interval(self.metric, line.measure(self.metric), line.currency) if self.metric else ""

    def plain(self, line: Line) -> str:
        """For a file: no units, no separators, rates as fractions."""
        value = self.value(line)
        if not isinstance(value, Decimal):
            return "" if value is None else str(value)
        return str(rounded(value, CURRENCY_DECIMALS[line.currency] if self.money else 4))


def _count(name: str, label: str, of: str) -> Column:
    return Column(name, label, lambda line: int(getattr(line.totals, of)))


def _metric(name: str, label: str, metric: str, *, money: bool = False) -> Column:
    return Column(name, label, lambda line: line.measure(metric).value, metric, money)


# Under the names of the seed's report, then what helps to judge them.
SOURCE = Column("source", "Source", lambda line: line.name)
NUMBERS = (
    _count("total_leads", "Leads", "delivered"),
    _count("conversions", "Sold", "converted"),
    _metric("conversion_rate", "Conversion rate", "conversion_rate"),
    _metric("avg_quality", "Quality", "average_quality"),
    _metric("total_revenue", "Revenue", "revenue", money=True),
    _metric("revenue_per_lead", "Per lead", "revenue_per_lead", money=True),
    _metric("cost", "Cost", "cost", money=True),
    _metric("coverage", "Coverage", "coverage"),
    _metric("bad_info_rate", "Bad info", "bad_info_rate"),
    _metric("return_rate", "Returned", "return_rate"),
    _metric(MEDIAN_DAYS, "Days to sale", MEDIAN_DAYS),
)
COLUMNS = (SOURCE, *NUMBERS)


def report(question: Question, sort: str = DEFAULT_SORT) -> list[Block]:
    """Every source with a delivery in the period; one block a currency, the usual currency first."""
    totals, days = queries.by_source(question), _days(question)
    flows = {flow.pk: flow for flow in question.flows}
    lines = [
        Line(
            each,
            each.name,
            flows[each.flow_id].name,
            flows[each.flow_id].currency,
            totals[each.pk],
            days.get(each.pk, ()),
        )
        for each in question.sources
        if each.pk in totals
    ]
    return [
        _block(currency, found, sort)
        for currency in question.currencies
        if (found := [line for line in lines if line.currency == currency])
    ]


def _days(question: Question) -> dict[int, tuple[float, ...]]:
    days: defaultdict[int, tuple[float, ...]] = defaultdict(tuple)
    for (source, _), taken in queries.times(question).items():
        days[source] += tuple(taken)
    return days


def with_curves(blocks: Iterable[Block], question: Question) -> Iterator[Line]:
    """The lines of the sources, each with its curve; by feedback date there is none."""
    curves = {} if question.clock == FEEDBACK_CLOCK else queries.curves(question)
    for block in blocks:
        for line in block.lines:
            yield replace(line, curve=curves.get(line.source.pk)) if line.source else line


def sorted_lines(lines: Iterable[Line], sort: str) -> list[Line]:
    """By the column that ``sort`` names, descending with a ``-``; what has no value comes last either way.

    A name that is no column sorts as if none was given.
    """
    columns = {column.name: column for column in COLUMNS}
    name = sort.removeprefix("-")
    if name not in columns:
        sort, name = DEFAULT_SORT, DEFAULT_SORT.removeprefix("-")
    read = columns[name].value
    ordered = sorted(lines, key=lambda line: (line.name.casefold(), line.flow))
    with_value = [line for line in ordered if read(line) is not None]
    with_value.sort(key=lambda line: _comparable(read(line)), reverse=sort.startswith("-"))
    return with_value + [line for line in ordered if read(line) is None]


def _comparable(value: Value) -> tuple[str, Decimal]:
    return (value.casefold(), Decimal(0)) if isinstance(value, str) else ("", Decimal(value or 0))


def _block(currency: str, lines: Sequence[Line], sort: str) -> Block:
    total = sum((line.totals for line in lines), Totals())
    name = f"{len(lines)} source{'' if len(lines) == 1 else 's'}, {currency}"
    days = tuple(each for line in lines for each in line.days)
    return Block(currency, tuple(sorted_lines(lines, sort)), Line(None, name, "", currency, total, days))
