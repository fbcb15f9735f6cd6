"""Values of a suppression list from a file, and back to one."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO

from django.db import transaction

from flows.models import SuppressionEntry, SuppressionList
from flows.suppression import Origin, Value, add_all, in_force, read_values
from portal.spreadsheets import Echo, defused

MOST_BYTES = 20 * 1024 * 1024
MOST_VALUES = 200_000
CHUNK = 5_000
NAMES = ("email", "e-mail", "phone", "value")  # of columns that hold values
Line = tuple[int, str]  # where, and what stands there


@dataclass
class Imported:
    """Of a file: ``added`` were not on the list, ``standing`` were, ``refused`` are none."""

    added: int = 0
    standing: int = 0
    refused: list[Line] = field(default_factory=list)


def import_values(
    to: SuppressionList, file: BinaryIO, *, reason: str, expires_at: dt.datetime | None, dry: bool
) -> Imported:
    """Put the file's values on the list, all that can be read; with ``dry`` only count.

    ValueError with a sentence for people where the file cannot be read or is too long; then nothing is added.
    """
    found = Imported()
    with transaction.atomic():
        lines = _limited(_lines(file))
        while chunk := list(islice(lines, CHUNK)):
            _take(to, chunk, found, reason=reason, expires_at=expires_at, dry=dry)
    return found


def _take(
    to: SuppressionList,
    chunk: list[Line],
    found: Imported,
    *,
    reason: str,
    expires_at: dt.datetime | None,
    dry: bool,
) -> None:
    read, wrong = read_values((text for _, text in chunk), to)
    refused = set(wrong)
    found.refused += [line for line in chunk if line[1] in refused]
    if dry:
        added = len(set(read) - _standing(to, read))
    else:
        added = add_all(to, read, origin=Origin.FILE, reason=reason, expires_at=expires_at)
    found.added += added
    found.standing += len(read) - added


def _standing(to: SuppressionList, values: Iterable[Value]) -> set[Value]:
    texts = {value for _, value in values}
    return set(in_force(to.entries.filter(value__in=texts)).values_list("kind", "value"))


def _lines(file: BinaryIO) -> Iterator[Line]:
    """Each value with its line: of the columns that the first line names (`NAMES`), else of the first one."""
    text = io.StringIO(_decoded(file.read(MOST_BYTES + 1)), newline="")
    head = text.readline()
    delimiter = max(",;\t", key=head.count)
    text.seek(0)
    reader, columns = csv.reader(text, delimiter=delimiter, strict=True), [0]
    try:
        for row in reader:
            named = [index for index, cell in enumerate(row) if cell.strip().lower() in NAMES]
            if reader.line_num == 1 and named:
                columns = named
                continue
            cells = (row[index].strip() for index in columns if index < len(row))
            yield from ((reader.line_num, cell) for cell in cells if cell)
    except csv.Error as error:
        raise ValueError(f"Line {reader.line_num}: this cannot be read as CSV ({error}).") from None


def _decoded(content: bytes) -> str:
    if len(content) > MOST_BYTES:
        raise ValueError(f"The file is larger than {MOST_BYTES // 1024 // 1024} MB. Split it.")
    if b"\0" in content:
        raise ValueError("This is not a text file. Save it as CSV (UTF-8).")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise ValueError("The file is neither in UTF-8 nor in Windows-1252. Save it as UTF-8.")


def _limited(lines: Iterator[Line]) -> Iterator[Line]:
    for count, line in enumerate(lines, 1):
        if count > MOST_VALUES:
            raise ValueError(f"There are more than {MOST_VALUES:,} values. Split the file.")
        yield line


def refused_csv(refused: Iterable[Line]) -> Iterator[str]:
    """The lines that are no values, to be mended."""
    write = csv.writer(Echo()).writerow
    yield write(["value", "line"])
    for line, text in refused:
        yield write([defused(text), line])


def list_csv(listed: SuppressionList) -> Iterator[str]:
    """What stands on the list, a few rows at a time."""
    write = csv.writer(Echo()).writerow
    yield write(["value", "kind", "reason", "where_from", "added_at", "expires_at"])
    rows = SuppressionEntry.objects.filter(list=listed).order_by("pk")
    for entry in rows.iterator(chunk_size=2_000):
        until = entry.expires_at.isoformat() if entry.expires_at else ""
        texts = (entry.value, entry.kind, entry.reason, entry.origin)
        yield write([*map(defused, texts), entry.added_at.isoformat(), until])
