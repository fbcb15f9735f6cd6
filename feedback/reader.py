"""Read a file of feedback: bytes in, numbered rows out, or one sentence on why the file cannot be read.

Knows no database and no schema. Reads in two passes over a seekable stream, each in constant memory:
`survey` finds the encoding, the delimiter, the head and every fault that makes the whole file unreadable;
`rows` then yields what the survey has seen. `feedback.peek` looks at the beginning only, for a person.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

DELIMITERS = (",", ";", "\t")
IDS = ("lead_id", "external_id")
OUR_OWN = ("line", "error")  # what we add to the file of refused rows: mended, it is uploaded again
MAX_CELL = 100_000  # characters
MAX_ROW = 1_000_000  # characters
MAX_COLUMNS = 1_000
CHUNK_TEXT = 2_000_000  # characters
BLOCK = 1 << 16  # bytes

# As which text can be read, and what people call it.
ENCODINGS = {"utf-8": "UTF-8", "utf-8-sig": "UTF-8", "utf-16": "UTF-16", "cp1252": "Windows-1252"}
# The byte order marks that are understood, and under which name Python reads what follows.
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_OTHER_FILES = (
    (b"PK\x03\x04", "a zip file or an Excel workbook"),
    (b"PK\x05\x06", "an empty zip file"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"\x1f\x8b", "a gzip file"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
)
_SAVE_AS = "Save it as CSV (UTF-8) and upload that."


class UnreadableError(Exception):
    """The whole file is refused. ``line`` is where (the head is line 1), or None."""

    def __init__(self, message: str, line: int | None = None) -> None:
        self.line = line
        super().__init__(f"Line {line}: {message}" if line else message)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the file was written: a Python codec's name, and the character between the cells.

    ``has_header``: whether the first row names the columns. ``comma``: whether numbers have decimal ones, as
    somebody said; None: nobody did.
    """

    encoding: str
    delimiter: str
    has_header: bool = True
    comma: bool | None = None

    @property
    def decimal_comma(self) -> bool:
        """Whether numbers may have decimal commas: ``1.234,56``.

        Where nobody has said so: if the cells are parted by semicolons, as spreadsheets do just where the
        comma is the decimal sign.
        """
        return self.delimiter == ";" if self.comma is None else self.comma


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one row, as they stand in the file, and the line on which it begins."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Survey:
    """What the first pass found: ``columns`` are the head's names, trimmed and in lower case."""

    dialect: Dialect
    columns: tuple[str, ...]
    rows: int


def survey(file: BinaryIO) -> Survey:
    """Read the file once, to its end. Raises UnreadableError for what makes it unreadable as a whole."""
    encoding = encoding_of(file)
    dialect = Dialect(encoding, delimiter_of(file, encoding))
    head, count = None, 0
    for row in records(file, dialect):
        if head is None:
            head = _head(row)
        else:
            count += 1
    if head is None:
        raise UnreadableError("The file is empty. Its first line must name the columns.")
    return Survey(dialect, head, count)


def rows(file: BinaryIO, dialect: Dialect) -> Iterator[Row]:
    """The rows below the head, or all where there is none. Rows without any content are left out."""
    found = records(file, dialect)
    if dialect.has_header:
        next(found, None)
    return found


def chunks(rows: Iterable[Row], most: int) -> Iterator[list[Row]]:
    """The rows in lists of ``most``, or of fewer where they are long: a list takes little memory anyway."""
    chunk: list[Row] = []
    length = 0
    for row in rows:
        chunk.append(row)
        length += sum(map(len, row.cells))
        if len(chunk) == most or length >= CHUNK_TEXT:
            yield chunk
            chunk, length = [], 0
    if chunk:
        yield chunk


def columns(file: BinaryIO, dialect: Dialect) -> tuple[str, ...]:
    """What the columns of a readable file are called: by its head, else by their number."""
    first = next(records(file, dialect))
    names = [cell.strip() for cell in first.cells] if dialect.has_header else [""] * len(first.cells)
    return tuple(name or column_name(index) for index, name in enumerate(names))


def column_name(index: int) -> str:
    """How a column without a name is called; ``index`` counts from 0."""
    return f"Column {index + 1}"


def named_cells(columns: Sequence[str], row: Row) -> dict[str, str]:
    """The row's trimmed cells by column; columns without a name and those missing in a short row left out.

    Raises ValueError with a sentence for people where there are cells beyond the head.
    """
    if any(cell.strip() for cell in row.cells[len(columns) :]):
        raise ValueError(f"The row has {len(row.cells)} cells, the head has {len(columns)}.")
    return {name: cell.strip() for name, cell in zip(columns, row.cells, strict=False) if name}


def check_columns(columns: Sequence[str], fields: Sequence[str]) -> tuple[str, ...]:
    """The columns to read, "" for one to pass over: what we wrote beside the rows of an earlier file.

    Raises UnreadableError for a head that names no lead, nothing to record, or what is not among ``fields``.
    """
    read = tuple("" if name in OUR_OWN and name not in fields else name for name in columns)
    unknown = [name for name in read if name and name not in (*fields, *IDS)]
    expected = f"Expected: lead_id (or external_id), and any of {', '.join(fields)}."
    if unknown:
        first = "The first line must name the columns. "
        raise UnreadableError(f"{first}Unknown: {', '.join(map(_quoted, unknown))}. {expected}", 1)
    if not set(IDS) & set(read):
        raise UnreadableError(f"No column names the lead. {expected}", 1)
    if not set(read) & set(fields):
        raise UnreadableError(f"There is no column with feedback. {expected}", 1)
    return read


def _quoted(name: str) -> str:
    return f"“{name[:40]}…”" if len(name) > 40 else f"“{name}”"


def refuse_other_files(file: BinaryIO) -> bytes:
    """The first bytes. UnreadableError where they are those of a zip, a picture or the like."""
    file.seek(0)
    start = file.read(8)
    for magic, kind in _OTHER_FILES:
        if start.startswith(magic):
            raise UnreadableError(f"This is {kind}, not a CSV file. {_SAVE_AS}")
    return start


def encoding_of(file: BinaryIO) -> str:
    """By the byte order mark, else by whether all of the file is UTF-8: reads it to its end."""
    start = refuse_other_files(file)
    for mark, encoding in _MARKS:
        if start.startswith(mark) and (encoding != "utf-8-sig" or _is_utf8(file)):
            return encoding
    return "utf-8" if _is_utf8(file) else "cp1252"


def _is_utf8(file: BinaryIO) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    file.seek(0)
    try:
        while block := file.read(BLOCK):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def delimiter_of(file: BinaryIO, encoding: str) -> str:
    """The one that parts the head into the most cells; the comma where none does."""
    with _text(file, encoding) as text:
        head = next(filter(str.strip, iter(lambda: text.readline(MAX_ROW), "")), "")
    return max(DELIMITERS, key=lambda delimiter: _width(head, delimiter))


def _width(head: str, delimiter: str) -> int:
    try:
        return len(next(csv.reader([head], delimiter=delimiter, strict=True), []))
    except csv.Error:  # the survey will say what is wrong with it
        return 0


def _head(row: Row) -> tuple[str, ...]:
    names = [cell.strip().lower() for cell in row.cells]
    while names and not names[-1]:
        names.pop()
    if "" in names:
        raise UnreadableError(f"Column {names.index('') + 1} has no name.", row.line)
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise UnreadableError(f"Named twice: {', '.join(map(_quoted, sorted(twice)))}.", row.line)
    return tuple(names)


class _Lines:
    """Hands a text's physical lines to the csv module, and knows where in the record it is."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self.text = text
        self.line = 0  # the last one handed out
        self.begin()

    def begin(self) -> None:
        """A new record begins with the next line."""
        self.first = self.line + 1
        self.length = 0
        self.in_quotes = False
        self.quote_line = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self.text.readline(MAX_ROW)
        if not line:
            raise StopIteration
        self.line += 1
        self.length += len(line)
        self._check(line)
        if line.count('"') % 2:
            self.in_quotes = not self.in_quotes
            self.quote_line = self.line if self.in_quotes else self.quote_line
        return line

    def _check(self, line: str) -> None:
        if "\0" in line:
            raise UnreadableError(f"There is a NUL character: this is not a text file. {_SAVE_AS}", self.line)
        if self.length >= MAX_ROW:
            raise self.too_long(f"The row is longer than {MAX_ROW:,} characters.")

    def too_long(self, message: str) -> UnreadableError:
        """A quote that is never closed swallows what follows: then that is the fault to name."""
        return self.unclosed() if self.in_quotes else UnreadableError(message, self.first)

    def unclosed(self) -> UnreadableError:
        return UnreadableError(
            "A quote is opened here and not closed properly. Nothing was recorded: mend the quote and "
            "upload the file again.",
            self.quote_line or self.first,
        )


def records(file: BinaryIO, dialect: Dialect) -> Iterator[Row]:
    """All rows with content, the head among them. UnreadableError where the file cannot be read on."""
    with _text(file, dialect.encoding) as text:
        lines = _Lines(text)
        reader = csv.reader(lines, delimiter=dialect.delimiter, strict=True)
        while (cells := _next_record(reader, lines)) is not None:
            row = Row(lines.first, tuple(cells))
            lines.begin()
            if any(not cell.isspace() for cell in row.cells if cell):
                _check_size(row)
                yield row


def _next_record(reader: Iterator[list[str]], lines: _Lines) -> list[str] | None:
    try:
        return next(reader, None)
    except csv.Error as error:
        if "field limit" in str(error):
            raise lines.too_long(f"A cell is longer than {MAX_CELL:,} characters.") from None
        raise lines.unclosed() from None


def _check_size(row: Row) -> None:
    if len(row.cells) > MAX_COLUMNS:
        raise UnreadableError(f"There are more than {MAX_COLUMNS:,} columns.", row.line)
    if any(len(cell) > MAX_CELL for cell in row.cells):
        raise UnreadableError(f"A cell is longer than {MAX_CELL:,} characters.", row.line)


@contextmanager
def _text(file: BinaryIO, encoding: str) -> Iterator[io.TextIOWrapper]:
    """The file as text from its beginning, its line ends untouched; the file stays open."""
    file.seek(0)
    if encoding == "cp1252" and file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:  # a mark is no text
        file.seek(0)
    text = io.TextIOWrapper(file, encoding=encoding, newline="")
    try:
        yield text
    except UnicodeError:
        raise UnreadableError(f"The text is neither UTF-8 nor UTF-16 nor Windows-1252. {_SAVE_AS}") from None
    finally:
        if not file.closed:  # whoever gave up half-way may have closed it already
            text.detach()
