"""The file in the body of a request, streamed to disk: in memory there is never more than a block of it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from io import BufferedRandom
from typing import BinaryIO, cast

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.core.files.uploadhandler import StopUpload, TemporaryFileUploadHandler
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParser, MultiPartParserError

from feedback.intake import validation_failed
from flows import bodies
from flows.problems import Fault, Problem, ProblemError

CSV, FORM = "text/csv", "multipart/form-data"
BLOCK = 1 << 16  # bytes
ROOM = 1 << 16  # bytes of a form beside its file
NAME = "feedback.csv"  # of a file that came without one


class CappedUploadHandler(TemporaryFileUploadHandler):
    """Streams the file to disk, and stops at the limit."""

    connection_reset = False  # True: what follows is not even read

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if start + len(raw_data) > settings.UPLOAD_MAX_BYTES:
            self.request.too_large = True  # type: ignore[union-attr]  # told to the view
            raise StopUpload(connection_reset=self.connection_reset)
        super().receive_data_chunk(raw_data, start)


class _ApiUploadHandler(CappedUploadHandler):
    connection_reset = True


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file on disk, whole and synced, which is gone when it is closed unless somebody moved it."""

    file: TemporaryUploadedFile
    digest: bytes  # SHA-256


def sent_file(request: HttpRequest) -> SentFile:
    """The body's file: the body itself (text/csv), or the one ``file`` of a form.

    ProblemError 400 (broke off, no form), 413, 415 or 422 (no file, several, an empty one).
    """
    bodies.require_type(request, CSV, FORM)
    if bodies.declared_length(request) > settings.UPLOAD_MAX_BYTES + ROOM:
        raise bodies.too_large(settings.UPLOAD_MAX_BYTES)
    file = _of_form(request) if request.content_type == FORM else _of_body(request)
    if not file.size:
        file.close()
        raise _faulty("required", "The file is empty. Its first line must name the columns.")
    return SentFile(file, _synced(file))


def _synced(file: TemporaryUploadedFile) -> bytes:
    """See the file safely to the disk; → its digest."""
    on_disk = cast(BufferedRandom, file.file)
    on_disk.flush()
    os.fsync(on_disk.fileno())
    on_disk.seek(0)
    digest = hashlib.file_digest(on_disk, "sha256").digest()
    on_disk.seek(0)
    return digest


def _of_body(request: HttpRequest) -> TemporaryUploadedFile:
    file = TemporaryUploadedFile(NAME, CSV, 0, None)
    try:
        file.size = _copy(request, cast(BinaryIO, file.file))
    except BaseException:
        file.close()
        raise
    return file


def _copy(request: HttpRequest, file: BinaryIO) -> int:
    """The body into the file; → its bytes."""
    source, size = bodies.stream(request), 0
    while block := source.read(BLOCK):
        size += len(block)
        if size > settings.UPLOAD_MAX_BYTES:
            raise bodies.too_large(settings.UPLOAD_MAX_BYTES)
        file.write(block)
    declared = bodies.declared_length(request) if source is request else 0
    if size < declared:
        raise _bad(f"The body broke off after {size:,} of {declared:,} bytes.")
    return size


def _of_form(request: HttpRequest) -> TemporaryUploadedFile:
    source = bodies.stream(request)
    length = {} if source is request else {"CONTENT_LENGTH": str(settings.UPLOAD_MAX_BYTES + ROOM)}
    try:
        parser = MultiPartParser(
            {**request.META, **length}, source, [_ApiUploadHandler(request)], request.encoding
        )
        _, files = parser.parse()
    except (MultiPartParserError, SuspiciousOperation) as error:
        raise _bad(f"This is no well-formed form with one file. {error}") from None
    if getattr(request, "too_large", False):
        raise bodies.too_large(settings.UPLOAD_MAX_BYTES)
    sent = [file for name in files for file in files.getlist(name)]
    if len(sent) != 1 or "file" not in files:
        for file in sent:
            file.close()
        raise _faulty("required", "Send one file, in the field “file” of the form.")
    return cast(TemporaryUploadedFile, sent[0])


def _bad(detail: str) -> ProblemError:
    return ProblemError(Problem(400, "bad_request", "Bad request", detail))


def _faulty(code: str, message: str) -> ProblemError:
    return ProblemError(validation_failed((Fault("file", code, message),)))
