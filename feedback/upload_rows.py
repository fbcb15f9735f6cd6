"""From a file's rows to submissions, and back to a file of the rows that were refused."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from feedback import reader
from feedback.contradictions import contradictions
from feedback.models import RefusedRow, Upload
from feedback.reader import Row, Survey
from feedback.schema import Schema
from feedback.schema.spec import ALIAS
from feedback.submission import Submission

NUMBER = re.compile(r"[-+]?[\d.,]*\d%?", re.ASCII)
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")


@dataclass(frozen=True, slots=True)
class Plan:
    """How the rows of a file are read: the columns that count, the lines that contradict each other."""

    schema: Schema
    found: Survey
    columns: tuple[str, ...]
    wrong: Mapping[int, str]

    @classmethod
    def of(cls, file: BinaryIO, schema: Schema) -> Plan:
        """Read the file once or more, to its end. UnreadableError where it is refused as a whole."""
        found = reader.survey(file)
        columns = reader.check_columns(found.columns, [*schema.by_name, ALIAS])
        wrong = contradictions(columns, lambda: reader.rows(file, found.dialect), found.rows)
        return cls(schema, found, columns, wrong)

    def sort_out(self, rows: Iterable[Row]) -> tuple[list[Submission], dict[int, str]]:
        """The submissions that the rows make, indexed by line, and line → error for those that make none."""
        submissions, refused = [], {}
        for row in rows:
            try:
                submissions.append(self._submission(row))
            except ValueError as error:
                refused[row.line] = str(error)
        return submissions, refused

    def _submission(self, row: Row) -> Submission:
        if row.line in self.wrong:
            raise ValueError(self.wrong[row.line])
        cells = reader.named_cells(self.columns, row)
        return Submission(row.line, self._payload(cells))

    def _payload(self, cells: Mapping[str, str]) -> dict[str, Any]:
        return self.schema.from_texts(cells, decimal_comma=self.found.dialect.decimal_comma)


def refused_file(upload: Upload) -> Iterator[bytes]:
    """A CSV of the refused rows as they stood, with ``line`` and ``error``, a few rows at a time.

    Written with the file's own delimiter, so that it can be mended and uploaded as it is.
    """
    rows = RefusedRow.objects.filter(upload=upload).values_list("cells", "line", "error")
    columns = _columns(upload)
    yield _line([*columns, "line", "error"], upload).encode("utf-8-sig")
    for cells, line, error in rows.iterator(chunk_size=1_000):
        padded = [*cells[: len(columns)], *[""] * (len(columns) - len(cells))]
        yield _line([*padded, line, error], upload).encode()


def _columns(upload: Upload) -> Sequence[str]:
    dialect = reader.Dialect(upload.encoding, upload.delimiter)
    with upload.file.open("rb") as file:
        return reader.columns(cast(BinaryIO, file), dialect)


def _line(cells: Sequence[Any], upload: Upload) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=upload.delimiter).writerow([defused(str(cell)) for cell in cells])
    return text.getvalue()


def defused(cell: str) -> str:
    """The cell, with ``'`` before it where a spreadsheet would take it for a formula. Numbers stay."""
    return f"'{cell}" if cell.startswith(FORMULA) and not NUMBER.fullmatch(cell) else cell
