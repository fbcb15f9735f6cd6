"""An upload in the portal, step by step: kept, looked at, mapped, checked, confirmed or discarded.

Nothing is recorded before a person has confirmed. The beginning of the file is read here, while the person
waits; all of it is read by the worker.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import BinaryIO, cast

from django.core.files import File
from django.db import transaction

from feedback import mapping as meaning
from feedback import reader, upload_memory
from feedback.mapping import Mapping
from feedback.models import RefusedRow, RememberedMapping, Upload
from feedback.peek import Peek
from feedback.peek import peek as look
from feedback.schema import Schema, compile_schema
from feedback.upload_memory import key_of
from feedback.uploads import hint, new_upload
from flows.models import Flow
from flows.problems import Problem, ProblemError
from portal.access import Actor

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}
SAMPLES, ROWS, FOREIGN, VALUES = 3, 8, 3, 50
Status = Upload.Status


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the file: its name, a few of its cells, and as what it is read."""

    index: int
    name: str
    samples: tuple[str, ...]
    target: str


@dataclass(frozen=True, slots=True)
class Value:
    """A text found in a column, how often, and what it stands for; "" where nobody knows yet.

    ``guessed``: nobody has said so yet. ``left_out``: somebody has said that it is to be passed over.
    """

    text: str
    count: int
    meaning: str
    guessed: bool = False
    left_out: bool = False


@dataclass(frozen=True, slots=True)
class FieldValues:
    """The texts found for one field, and what they may stand for."""

    name: str
    meanings: tuple[str, ...]
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Preview:
    """How a file is read and understood, from its beginning."""

    upload: Upload
    peek: Peek
    mapping: Mapping
    schema: Schema

    @property
    def read_as(self) -> str:
        """``Windows-1252, cells parted by semicolons, decimal commas``."""
        return words_of(self.upload)

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The first rows, each as wide as the widest."""
        return [self._padded(row.cells) for row in self.peek.rows[:ROWS]]

    @cached_property
    def names(self) -> tuple[str, ...]:
        head = self._padded(self.peek.head or ())
        return tuple(name or reader.column_name(index) for index, name in enumerate(head))

    @cached_property
    def columns(self) -> list[Column]:
        return [
            Column(index, name, self._samples(index), self.target(index))
            for index, name in enumerate(self.names)
        ]

    @property
    def foreign(self) -> list[str]:
        """A few cells with other than plain letters: by them a person sees whether the encoding is right."""
        cells = (cell.strip() for row in self.peek.rows for cell in row.cells)
        return list(dict.fromkeys(cell for cell in cells if not cell.isascii()))[:FOREIGN]

    @cached_property
    def values(self) -> list[FieldValues]:
        """For each column whose cells can be given a meaning: what was found in it so far."""
        known = meaning.meanings(self.schema)
        found = ((self.target(index), index) for index in range(len(self.names)))
        return [self._values(name, index, known[name]) for name, index in found if name in known]

    @property
    def faults(self) -> list[str]:
        return meaning.faults(self.mapping, self.schema)

    def target(self, index: int) -> str:
        return self.mapping.columns[index] if index < len(self.mapping.columns) else meaning.LEAVE_OUT

    def _padded(self, cells: Sequence[str]) -> tuple[str, ...]:
        return (*cells, *[""] * (self.peek.width - len(cells)))

    def _cells(self, index: int) -> list[str]:
        rows = (row.cells for row in self.peek.rows if index < len(row.cells))
        return [text for cells in rows if (text := cells[index].strip())]

    def _samples(self, index: int) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._cells(index)))[:SAMPLES]

    def _values(self, name: str, index: int, meanings: tuple[str, ...]) -> FieldValues:
        counted = Counter(text[: meaning.LONGEST_MEANING] for text in self._cells(index))
        unknown = {text: 0 for text, _ in self.upload.findings.get("unknown", {}).get(name, ())}
        texts = {**unknown, **counted}
        ordered = sorted(texts.items(), key=lambda each: -each[1])[: VALUES + len(unknown)]
        values = (value_of(self.mapping, self.schema, name, text, count) for text, count in ordered)
        return FieldValues(name, meanings, tuple(each for each in values if each is not None))


def value_of(mapping: Mapping, schema: Schema, name: str, text: str, count: int) -> Value | None:
    """What a text stands for; None where it speaks for itself."""
    if meaning.is_understood(text, meaning.meanings(schema)[name]):
        return None
    said = mapping.values.get(name, {}).get(meaning.fold(text))
    if said is not None:
        return Value(text, count, said, left_out=not said)
    return Value(text, count, meaning.guess_value(name, text, schema), guessed=True)


def words_of(upload: Upload) -> str:
    """How a file was read, for people; "" while nobody has looked into it."""
    if not upload.encoding:
        return ""
    words = [reader.ENCODINGS[upload.encoding], f"cells parted by {DELIMITERS[upload.delimiter]}"]
    if upload.decimal_comma:
        words.append("decimal commas")
    if not upload.has_header:
        words.append("no line of names")
    return ", ".join(words)


def begin(actor: Actor, flow: Flow, file: File) -> Upload:  # type: ignore[type-arg]
    """Keep the file as a draft, read as it seems and understood as it was the last time.

    UnreadableError, and nothing kept, where its beginning shows that it cannot be read.
    """
    upload = new_upload(actor, flow, file, status=Status.DRAFT)
    peek = look(cast(BinaryIO, file))
    file.seek(0)
    _read_as(upload, peek)
    _recall(upload, peek)
    upload.file.save(f"{upload.public_id}.csv", file, save=False)
    try:
        upload.save()
    except BaseException:
        upload.file.delete(save=False)
        raise
    return upload


def preview(upload: Upload) -> Preview:
    """How the file is read and understood. Reads only its beginning, whatever its size."""
    schema = compile_schema(upload.flow)
    return Preview(upload, _peek(upload), Mapping.from_json(upload.mapping), schema)


def remembered(upload: Upload) -> RememberedMapping | None:
    """What is remembered of files with this one's head."""
    return upload_memory.of_same_head(upload, _peek(upload))


def set_reading(
    upload: Upload, *, encoding: str, delimiter: str, has_header: bool, decimal_comma: bool
) -> None:
    """Read the file in this way, and guess its columns anew where that changes them.

    UnreadableError, and nothing changed, where it cannot be read so. ProblemError 409 once confirmed.
    """
    with _preparing(upload) as row:
        old = key_of(_peek(row)), row.has_header
        peek = _peeked(row, encoding, delimiter, has_header=has_header, comma=decimal_comma)
        _read_as(row, peek)
        if (key_of(peek), row.has_header) != old:
            row.mapping = upload_memory.understood(row, peek).as_json()
        _save(row)


def start_afresh(upload: Upload) -> None:
    """Guess columns and values without what is remembered. ProblemError 409 once confirmed."""
    with _preparing(upload) as row:
        row.mapping = Mapping(upload_memory.guessed(row, _peek(row))).as_json()
        _save(row)


def set_mapping(upload: Upload, mapping: Mapping) -> None:
    """Understand columns and values in this way. ProblemError 409 once confirmed."""
    with _preparing(upload) as row:
        row.mapping = mapping.as_json()
        _save(row)


def keep_draft(upload: Upload, mapping: Mapping) -> None:
    """Keep what a person is choosing, unless the check was asked for meanwhile: that must not be undone.

    ProblemError 409 once confirmed.
    """
    with _preparing(upload) as row:
        if row.status == Status.DRAFT:
            row.mapping = mapping.as_json()
            row.save(update_fields=["mapping"])


def check(upload: Upload) -> None:
    """Have every row looked over by the worker. ValueError with what is missing in the mapping."""
    with _preparing(upload) as row:
        wrong = meaning.faults(Mapping.from_json(row.mapping), compile_schema(row.flow))
        if wrong:
            raise ValueError(" ".join(wrong))
        row.status, row.claimed_until, row.rows_done = Status.CHECKING, None, 0
        row.findings, row.error, row.finished_at = {}, "", None
        row.save()
        hint(row.pk)


def confirm(upload: Upload, seen: str | None = None) -> Upload:
    """Record the file, once: a second time changes nothing.

    ``seen``: ``checked_at`` of the findings that the person had before their eyes. ProblemError 409 before it
    was checked, and where it has been checked anew since.
    """
    with transaction.atomic():
        row = Upload.objects.select_for_update(of=("self",)).select_related("flow").get(pk=upload.pk)
        if row.status == Status.CHECKED and seen not in (None, row.findings["checked_at"]):
            raise _not_now("This file was checked again since you opened the page. Look at what was found.")
        if row.status == Status.CHECKED:
            row.status, row.rows_done, row.rejected = Status.QUEUED, 0, 0
            row.save()
            upload_memory.remember(row, _peek(row))
            hint(row.pk)
        elif row.status in Upload.PREPARING:
            raise _not_now("This file has changed since it was checked. Check all rows again first.")
    return row


def discard(upload: Upload) -> None:
    """Forget the file: nothing of it was recorded. ProblemError 409 once it was confirmed."""
    with transaction.atomic():
        row = Upload.objects.select_for_update().get(pk=upload.pk)
        if not can_discard(row):
            raise _not_now("This file has been recorded. Undo the upload instead.")
        RefusedRow.objects.filter(upload=row).delete()
        row.delete()
        transaction.on_commit(lambda: row.file.delete(save=False), robust=True)


def can_discard(upload: Upload) -> bool:
    """Whether nobody has confirmed the file yet, or its check has failed."""
    failed_check = upload.status == Status.FAILED and upload.mapping and not upload.findings
    return upload.status in Upload.PREPARING or bool(failed_check)


def _recall(upload: Upload, peek: Peek) -> None:
    """Understand the file as the last one with its head was, decimal commas among commas included."""
    upload.mapping = upload_memory.understood(upload, peek).as_json()
    memory = upload_memory.of_same_head(upload, peek)
    if memory and memory.upload and memory.upload.delimiter == upload.delimiter:
        upload.decimal_comma = memory.upload.decimal_comma


def _peek(upload: Upload) -> Peek:
    return _peeked(
        upload, upload.encoding, upload.delimiter, has_header=upload.has_header, comma=upload.decimal_comma
    )


def _peeked(upload: Upload, encoding: str, delimiter: str, *, has_header: bool, comma: bool | None) -> Peek:
    with upload.file.open("rb") as file:
        return look(
            cast(BinaryIO, file), encoding=encoding, delimiter=delimiter, has_header=has_header, comma=comma
        )


def _read_as(upload: Upload, peek: Peek) -> None:
    upload.encoding, upload.delimiter = peek.dialect.encoding, peek.dialect.delimiter
    upload.has_header, upload.decimal_comma = peek.dialect.has_header, peek.dialect.decimal_comma


@contextmanager
def _preparing(upload: Upload) -> Iterator[Upload]:
    """The upload's row, locked, as long as nobody has confirmed it. ProblemError 409 from then on."""
    with transaction.atomic():
        rows = Upload.objects.select_for_update(of=("self",)).select_related("flow", "buyer")
        row = rows.get(pk=upload.pk)
        if not can_discard(row):
            raise _not_now("This file has been confirmed already. Look at the upload again.")
        yield row


def _save(row: Upload) -> None:
    """As a draft again: what an earlier check found is no longer true."""
    row.status, row.claimed_until, row.rows_done = Status.DRAFT, None, 0
    row.findings, row.error, row.finished_at = {}, "", None
    row.save()


def _not_now(detail: str) -> ProblemError:
    return ProblemError(Problem(409, "upload_changed", "The upload has changed", detail))
