"""Files that prove something: taken in small, told by their bytes, kept where no web server looks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import SkipFile, TemporaryFileUploadHandler
from django.template.defaultfilters import filesizeformat

from feedback.models import ReturnEvidence, ReturnMessage
from feedback.returns.sniff import KINDS, UnknownKindError, kind_of, name_for

MOST_BYTES = 5 * 1024 * 1024
MOST_FILES = 5  # with one message


@dataclass(frozen=True, slots=True)
class Piece:
    """A file that may be kept."""

    name: str
    kind: str
    data: bytes


class EvidenceHandler(TemporaryFileUploadHandler):
    """Keeps no byte beyond the limits; what else the form says is read all the same.

    ``request.refused_files``: names of files that were left out, each with why.
    """

    def handle_raw_input(self, *args: Any, **kwargs: Any) -> None:
        self.taken = 0
        self.request.refused_files = []  # type: ignore[union-attr]  # told to the view

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self.taken += 1
        if self.taken > MOST_FILES:
            self.refuse(f"At most {MOST_FILES} files at a time.")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if start + len(raw_data) > MOST_BYTES:
            self.refuse(f"{self.file_name}: larger than {filesizeformat(MOST_BYTES)}. Attach a smaller one.")
        super().receive_data_chunk(raw_data, start)

    def refuse(self, why: str) -> None:
        refused: list[str] = self.request.refused_files  # type: ignore[union-attr]
        if why not in refused:
            refused.append(why)
        raise SkipFile


def examine(files: Sequence[UploadedFile[Any]]) -> tuple[list[Piece], list[str]]:
    """Those that may be kept, and of the others what is wrong with each."""
    pieces, faults = [], []
    for file in files:
        data = file.read(MOST_BYTES + 1)
        try:
            kind = kind_of(data)
        except UnknownKindError as error:
            faults.append(f"{file.name}: {error}")
        else:
            pieces.append(Piece(name_for(file.name or "", kind), kind, data))
    return pieces, faults


@contextmanager
def kept(pieces: Sequence[Piece]) -> Iterator[list[ReturnEvidence]]:
    """The files on disk under names of ours, rows not saved yet; where the block fails they go again."""
    rows: list[ReturnEvidence] = []
    try:
        for piece in pieces:
            row = ReturnEvidence(name=piece.name, kind=piece.kind, size=len(piece.data))
            row.file.save(row.public_id, ContentFile(piece.data), save=False)
            rows.append(row)
        yield rows
    except BaseException:
        for row in rows:
            row.file.delete(save=False)
        raise


def attach(rows: Sequence[ReturnEvidence], message: ReturnMessage) -> None:
    """Put the files on record with the message, in the caller's transaction."""
    for row in rows:
        row.message = message
    ReturnEvidence.objects.bulk_create(rows)


def content_type(row: ReturnEvidence) -> str:
    """Of the kind that its bytes said; nothing a browser would run."""
    known = KINDS.get(row.kind)
    return known.content_type if known else "application/octet-stream"
