"""A CSV file of leads, read row by row in constant memory."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Self, TextIO

ENCODINGS = ("utf-8-sig", "cp1252")
DELIMITERS = ",;\t"
BLOCK = 1 << 20
MOST_COLUMNS = 500
NEEDED = ("source", "buyer")


class BadFileError(ValueError):
    """The file cannot be read as it is; says where and what to do."""


class Row(NamedTuple):
    """A row: on which line it ends (the head is line 1), its cells as they stand, and those by column."""

    line: int
    cells: list[str]
    by_name: dict[str, str]
    fault: str = ""  # why it cannot be read as a row of this file


class LeadFile:
    """Opens the file, reads its head, and gives its rows once: ``with LeadFile(path) as file: …``.

    UTF-8 (with or without a mark) or, where it is not, Windows-1252; comma, semicolon or tab. BadFileError
    for a file that is not such a one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.encoding = _encoding(path)
        self._file: TextIO = path.open(encoding=self.encoding, newline="")
        try:
            self.delimiter = self._delimiter()
            self._reader = csv.reader(self._file, delimiter=self.delimiter, strict=True)
            self.columns = self._head()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def rows(self) -> Iterator[Row]:
        """Every row that is not blank. BadFileError where the rest of the file cannot be trusted."""
        while (cells := self._next()) is not None:
            if any(cell.strip() for cell in cells):
                yield self._row(cells)

    def _row(self, cells: list[str]) -> Row:
        named = dict(zip(self.columns, cells, strict=False))
        fault = ""
        if any(cell.strip() for cell in cells[len(self.columns) :]):
            fault = f"The row has {len(cells)} cells, the head has {len(self.columns)}."
        return Row(self._reader.line_num, cells, named, fault)

    def _next(self) -> list[str] | None:
        """The next row's cells; None at the end."""
        begin = self._reader.line_num + 1
        try:
            return next(self._reader, None)
        except csv.Error as error:
            raise BadFileError(
                f"The row that begins on line {begin} cannot be read ({error}). "
                "Look for a quotation mark that is not closed."
            ) from None

    def _delimiter(self) -> str:
        head = self._file.readline(BLOCK)
        self._file.seek(0)
        return max(DELIMITERS, key=head.count)

    def _head(self) -> Sequence[str]:
        columns = [cell.strip() for cell in self._next() or []]
        missing = [name for name in NEEDED if name not in columns]
        if missing:
            raise BadFileError(f"The first line must name the columns; it lacks {' and '.join(missing)}.")
        if len(columns) > MOST_COLUMNS:
            raise BadFileError(f"The file has {len(columns):,} columns; {MOST_COLUMNS} are the most.")
        twice = sorted({name for name in columns if columns.count(name) > 1 or not name})
        if twice:
            raise BadFileError(
                f"Every column needs a name of its own; look at: {', '.join(map(repr, twice))}."
            )
        return columns


def count_rows(path: Path) -> int:
    """How many rows there are; BadFileError before any is used where one cannot be read."""
    with LeadFile(path) as file:
        return sum(1 for _ in file.rows())


def _encoding(path: Path) -> str:
    """The first of the encodings in which the whole file can be read. Reads it once, in blocks."""
    for encoding in ENCODINGS:
        try:
            with path.open(encoding=encoding, newline="") as file:
                while block := file.read(BLOCK):
                    if "\0" in block:
                        raise BadFileError("This is not a CSV file: there are NUL characters in it.")
        except UnicodeDecodeError:
            continue
        return encoding
    raise BadFileError("The file is neither in UTF-8 nor in Windows-1252. Save it as UTF-8.")
