"""Look at the beginning of a file, for a person to see how it is read. Knows no database and no schema."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

from feedback import reader
from feedback.reader import Dialect, Row, UnreadableError

PEEKED = 2_000  # rows, or fewer where they are long: see `reader.chunks`
# An id of ours, an e-mail address, a number or a date: no column is called so.
_DATA = re.compile(r"^evt_|\S@\S+\.|^[-+$€£]?\d[\d.,:/ -]*(T[\d:.Z+]*)?[%€]?$")


_WITH_COMMA = re.compile(r"-?(?:\d+|\d{1,3}(?:\.\d{3})+),\d{1,2}", re.ASCII)
_WITH_POINT = re.compile(r"-?(?:\d+|\d{1,3}(?:,\d{3})+)\.\d{1,2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Peek:
    """The beginning of a file. ``head``: the columns' names as they stand there, None without a header."""

    dialect: Dialect
    head: tuple[str, ...] | None
    rows: tuple[Row, ...]

    @property
    def width(self) -> int:
        """How many columns there are."""
        return max(len(self.head or ()), max((len(row.cells) for row in self.rows), default=0))


def peek(
    file: BinaryIO,
    *,
    encoding: str = "",
    delimiter: str = "",
    has_header: bool | None = None,
    comma: bool | None = None,
) -> Peek:
    """The first rows of the file, read as was said, or as it seems where nothing was.

    UnreadableError where the beginning shows that the file cannot be read. Only to guess the encoding is
    the file read to its end.
    """
    reader.refuse_other_files(file)
    encoding = encoding or reader.encoding_of(file)
    dialect = Dialect(encoding, delimiter or reader.delimiter_of(file, encoding), comma=comma)
    first = next(reader.chunks(reader.records(file, dialect), PEEKED + 1), [])
    if not first:
        raise UnreadableError("The file is empty.")
    if comma is None:
        dialect = replace(dialect, comma=_decimal_comma(first, dialect))
    if has_header if has_header is not None else _names_columns(first):
        head = tuple(cell.strip() for cell in first[0].cells)
        return Peek(dialect, head, tuple(first[1:]))
    return Peek(replace(dialect, has_header=False), None, tuple(first[:PEEKED]))


def _decimal_comma(rows: Sequence[Row], dialect: Dialect) -> bool:
    """What the numbers themselves prove (12,5 or 12.5); where they prove nothing or both, as is usual."""
    cells = [cell.strip() for row in rows for cell in row.cells]
    comma, point = (any(map(proof.fullmatch, cells)) for proof in (_WITH_COMMA, _WITH_POINT))
    return comma if comma != point else dialect.decimal_comma


def _names_columns(first: Sequence[Row]) -> bool:
    """Whether the first row is a head: none of its cells looks like data, or stands below itself again."""
    head = first[0].cells
    if any(_DATA.search(cell.strip()) for cell in head):
        return False
    below = [{row.cells[index] for row in first[1:] if index < len(row.cells)} for index in range(len(head))]
    return not any(cell.strip() and cell in cells for cell, cells in zip(head, below, strict=True))
