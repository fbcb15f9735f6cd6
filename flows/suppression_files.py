"""Values of a suppression list from a file, and back to one."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO, NamedTuple, TypeVar

from django.db import transaction
from django.utils import timezone

from flows.actions.alerts import raise_alerts
from flows.contact_events import announce_added
from flows.models import Alert, SuppressionEntry, SuppressionList
from flows.suppression import Origin, Value, put, read_each, standing_of
from portal.spreadsheets import Echo, defused

MOST_BYTES = 20 * 1024 * 1024
MOST_VALUES = 200_000
CHUNK = 5_000
LAST_YEAR = 9000  # beyond it a time cannot be shown in every zone
NAMES = ("email", "e-mail", "phone", "value")  # of columns that hold values
ENDS = ("expires_at", "expires", "until")  # of the one that says until when
Ends = dt.datetime | None  # None: never
T = TypeVar("T")


class Line(NamedTuple):
    """A value of the file: where, what stands there, and until when (as it stands there; "": not said)."""

    number: int
    text: str
    until: str = ""


@dataclass
class Imported:
    """Of a file: ``added`` were not on the list, ``standing`` were, ``repeated`` stand in the file before,
    ``over`` have expired already and are left out, ``refused`` are no values, or (``untimed`` of them) their
    time is none."""

    added: int = 0
    standing: int = 0
    repeated: int = 0
    over: int = 0
    untimed: int = 0
    refused: list[Line] = field(default_factory=list)


def import_values(
    to: SuppressionList,
    file: BinaryIO,
    *,
    reason: str,
    expires_at: Ends,
    dry: bool,
    now: dt.datetime | None = None,
) -> Imported:
    """Put the file's values on the list, all that can be read; with ``dry`` only count. Until when: as each
    line says, else until ``expires_at``.

    ValueError with a sentence for people where the file cannot be read or is too long; then nothing is added.
    """
    moment = now or timezone.now()
    found = Imported()
    # All of it is read before the list is locked: whatever adds to it meanwhile need not wait so long.
    wanted = _read(to, _limited(_lines(file)), found, expires_at, moment)
    if dry:
        found.standing = sum(len(standing_of(to, part, now=moment)) for part in _chunks(wanted))
    else:
        found.standing = len(wanted) - _add(to, wanted, reason, moment)
    found.added = len(wanted) - found.standing
    return found


def _read(
    to: SuppressionList, lines: Iterator[Line], found: Imported, expires_at: Ends, now: dt.datetime
) -> dict[Value, Ends]:
    """The file's values, each once, for the longest time that it is named with."""
    wanted: dict[Value, Ends] = {}
    for chunk in _chunks(lines):
        values = read_each([line.text for line in chunk], to)
        for line, value in zip(chunk, values, strict=True):
            try:
                until = _moment(line.until) if line.until else expires_at
            except ValueError:
                found.untimed += value is not None
                found.refused.append(line)
                continue
            if value is None:
                found.refused.append(line)
            elif until is not None and until <= now:
                found.over += 1
            else:
                found.repeated += value in wanted
                wanted[value] = _longer(until, wanted[value]) if value in wanted else until
    return wanted


def _chunks(items: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk


def _longer(one: Ends, other: Ends) -> Ends:
    return None if one is None or other is None else max(one, other)


def _moment(text: str) -> dt.datetime:
    """A time as the export writes it, or a day, which is over when it begins; without an offset in the
    person's time zone. ValueError where it is none."""
    moment = dt.datetime.fromisoformat(text)
    if not 1970 <= moment.year <= LAST_YEAR:
        raise ValueError("not a time that can be meant")
    return timezone.make_aware(moment) if timezone.is_naive(moment) else moment


@transaction.atomic
def _add(to: SuppressionList, wanted: Mapping[Value, Ends], reason: str, now: dt.datetime) -> int:
    """→ how many were not on the list. Endpoints are told of each contact; where they are too many for that,
    the team is alerted, and the endpoints with it."""
    fresh, changed = 0, dict[Value, Ends]()
    for part in _chunks(wanted.items()):
        done = put(to, dict(part), origin=Origin.FILE, reason=reason, now=now)
        fresh += done.fresh
        changed |= done.changed
    if not announce_added(to, changed, origin=Origin.FILE, now=now):
        raise_alerts([_too_many(to, len(changed), now)])
    return fresh


def _too_many(to: SuppressionList, count: int, now: dt.datetime) -> Alert:
    return Alert(
        seller_id=to.seller_id,
        level=Alert.Level.INFO,
        title=f"{count:,} values put on “{to.name}” from a file",
        body="Too many to tell your webhooks of one by one (contact.suppressed). A system that keeps a list "
        "of its own should take this one anew: Set-up → Suppression → Export as CSV.",
        created_at=now,
    )


def _lines(file: BinaryIO) -> Iterator[Line]:
    """Each value with its line: of the columns that the first line names (`NAMES`), else of the first one."""
    text = io.StringIO(_decoded(file.read(MOST_BYTES + 1)), newline="")
    head = text.readline()
    delimiter = max(",;\t", key=head.count)
    text.seek(0)
    reader, columns, ends = csv.reader(text, delimiter=delimiter, strict=True), [0], -1
    try:
        for row in reader:
            named = [index for index, cell in enumerate(row) if cell.strip().lower() in NAMES]
            if reader.line_num == 1 and named:
                columns = named
                ends = next((index for index, cell in enumerate(row) if cell.strip().lower() in ENDS), -1)
                continue
            until = row[ends].strip() if 0 <= ends < len(row) else ""
            cells = (row[index].strip() for index in columns if index < len(row))
            yield from (Line(reader.line_num, cell, until) for cell in cells if cell)
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
    """The lines that are no values, to be mended; with their times, where they say any."""
    write = csv.writer(Echo()).writerow
    refused = list(refused)
    timed = any(line.until for line in refused)
    yield write(["value", "line", *(["expires_at"] if timed else [])])
    for line in refused:
        yield write([defused(line.text), line.number, *([defused(line.until)] if timed else [])])


def list_csv(listed: SuppressionList) -> Iterator[str]:
    """What stands on the list, a few rows at a time."""
    write = csv.writer(Echo()).writerow
    yield write(["value", "kind", "reason", "where_from", "added_at", "expires_at"])
    rows = SuppressionEntry.objects.filter(list=listed).order_by("pk")
    for entry in rows.iterator(chunk_size=2_000):
        until = entry.expires_at.isoformat() if entry.expires_at else ""
        texts = (entry.value, entry.kind, entry.reason, entry.origin)
        yield write([*map(defused, texts), entry.added_at.isoformat(), until])
