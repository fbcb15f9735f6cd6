"""Reports as files."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

from django.http import StreamingHttpResponse

from feedback.metrics import MEDIAN_DAYS
from reports.periods import Period
from reports.source_report import COLUMNS, Block, Column, Line, Value

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")


def _end(metric: str, end: str) -> Callable[[Line], Value]:
    return lambda line: cast("Value", getattr(line.measure(metric), end))


def _value(metric: str) -> Callable[[Line], Value]:
    return lambda line: line.measure(metric).value


EXTRA = (
    *(
        Column(f"{metric}_{end}", "", _end(metric, end), money=metric == "revenue_per_lead")
        for metric in ("conversion_rate", "revenue_per_lead", MEDIAN_DAYS)
        for end in ("low", "high")
    ),
    *(
        Column(metric, "", _value(metric), money=metric == "margin")
        for metric in ("contact_rate", "duplicate_rate", "margin", "roi")
    ),
    Column("quality_scores", "", lambda line: line.totals.quality_count),
    Column("with_feedback", "", lambda line: line.totals.with_feedback),
    Column("bad_info", "", lambda line: line.totals.bad_info),
    Column("returned", "", lambda line: line.totals.returned),
)


def defused(text: str) -> str:
    """A text that no spreadsheet takes for a formula; numbers do not pass through here."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


class _Echo:
    """A file that hands every line straight back."""

    def write(self, line: str) -> str:
        return line


def source_csv(blocks: Iterable[Block], period: Period, clock: str) -> StreamingHttpResponse:
    """The source report, in the order of the page, without its sums."""
    lines = (line for block in blocks for line in block.lines)
    response = StreamingHttpResponse(_rows(lines), content_type="text/csv; charset=utf-8")
    name = f"sources-by-{clock}-date-{period.first}-to-{period.last}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _rows(lines: Iterable[Line]) -> Iterator[Any]:
    write = csv.writer(_Echo()).writerow
    columns = (*COLUMNS[1:], *EXTRA)
    yield write(["source", "source_id", "flow", "currency", *(column.name for column in columns)])
    for line in lines:
        slug = line.source.slug if line.source else ""
        texts = [defused(text) for text in (line.name, slug, line.flow, line.currency)]
        yield write([*texts, *(column.plain(line) for column in columns)])
