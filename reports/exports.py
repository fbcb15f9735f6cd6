"""Reports as files."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

from django.http import StreamingHttpResponse

from feedback.metrics import MEDIAN_DAYS
from portal.spreadsheets import FORMULA, Echo, csv_file
from reports.scope import Question
from reports.source_report import COLUMNS, Column, Line, Value


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


EXPECTED = (
    "expected_within_days",
    "expected_conversion_rate",
    "expected_conversion_rate_low",
    "expected_conversion_rate_high",
)


def defused(text: str) -> str:
    """A text that no spreadsheet takes for a formula; numbers do not pass through here."""
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text


def source_csv(lines: Iterable[Line], question: Question) -> StreamingHttpResponse:
    """The source report, in the order of the page, without its sums."""
    period = question.period
    name = f"sources-by-{question.clock}-date-{period.first}-to-{period.last}.csv"
    return csv_file(_rows(lines, question), name)


def _expected(line: Line, question: Question) -> list[str]:
    """The conversion rate to expect once the leads are mature: by Kaplan and Meier, with its interval."""
    if line.curve is None or line.source is None:
        return [""] * len(EXPECTED)
    days = next(
        question.scope.maturity_days(flow) for flow in question.flows if flow.pk == line.source.flow_id
    )
    if line.curve.until < days:  # no lead was watched for so long
        return [str(days), "", "", ""]
    step = line.curve.at(days)
    numbers = (step.share, step.low, step.high) if step else (0.0, None, None)
    return [str(days), *("" if each is None else f"{each:.4f}" for each in numbers)]


def _rows(lines: Iterable[Line], question: Question) -> Iterator[Any]:
    write = csv.writer(Echo()).writerow
    columns = (*COLUMNS[1:], *EXTRA)
    yield write(["source", "source_id", "flow", "currency", *(column.name for column in columns), *EXPECTED])
    for line in lines:
        slug = line.source.slug if line.source else ""
        texts = [defused(text) for text in (line.name, slug, line.flow, line.currency)]
        yield write([*texts, *(column.plain(line) for column in columns), *_expected(line, question)])
