"""How the source report's table is drawn: its sortable head, and its cells in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.http import QueryDict

from reports.source_report import COLUMNS, NUMBERS, Block, Line


@dataclass(frozen=True, slots=True)
class Head:
    """A column's head: where a click sorts to, and how it is sorted now (``aria-sort``, or "")."""

    name: str
    label: str
    href: str
    sorted: str
    numeric: bool


@dataclass(frozen=True, slots=True)
class Cell:
    label: str
    text: str
    hint: str


@dataclass(frozen=True, slots=True)
class Rows:
    """A block as it is drawn."""

    lines: tuple[tuple[Line, tuple[Cell, ...]], ...]
    total: tuple[Line, tuple[Cell, ...]]


def head(query: QueryDict, sort: str) -> Iterator[Head]:
    """The heads, each a link that keeps the filters. Numbers sort largest first, names from A to Z."""
    name, descending = sort.removeprefix("-"), sort.startswith("-")
    for column in COLUMNS:
        numeric = column in NUMBERS
        here = column.name == name
        turned = not descending if here else numeric
        target = query.copy()
        target["sort"] = f"{'-' if turned else ''}{column.name}"
        direction = "descending" if descending else "ascending"
        yield Head(column.name, column.label, f"?{target.urlencode()}", direction if here else "", numeric)


def rows(block: Block) -> Rows:
    return Rows(tuple(_row(line) for line in block.lines), _row(block.total))


def _row(line: Line) -> tuple[Line, tuple[Cell, ...]]:
    return line, tuple(Cell(column.label, column.text(line), column.hint(line)) for column in NUMBERS)
