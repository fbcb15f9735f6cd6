"""What a file is, read off its bytes alone. Pure.

Evidence is only ever handed out as a download, so this list is short on purpose: what people photograph,
print, record and copy as proof. Whatever is not plainly one of these is refused, whatever its name says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of evidence. ``endings``: which a name may have; the first is given to one that has another."""

    label: str
    content_type: str
    endings: tuple[str, ...]


KINDS: Mapping[str, Kind] = {
    "pdf": Kind("PDF", "application/pdf", (".pdf",)),
    "png": Kind("PNG picture", "image/png", (".png",)),
    "jpeg": Kind("JPEG picture", "image/jpeg", (".jpg", ".jpeg")),
    "mp3": Kind("MP3 recording", "audio/mpeg", (".mp3",)),
    "wav": Kind("WAV recording", "audio/wav", (".wav",)),
    # Tables and mails too: they are texts, and as such nothing opens them as anything else.
    "text": Kind("text", "text/plain; charset=utf-8", (".txt", ".csv", ".tsv", ".eml", ".log")),
}
TAKEN = "PDF, PNG, JPEG, MP3, WAV, or text (also CSV and saved e-mails)"
# What people send all the same, by its first bytes, and what to do about it.
KNOWN: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "This is an Office document or a ZIP archive. Save it as PDF, then attach that."),
    (b"\xd0\xcf\x11\xe0", "This is an older Office document or mail. Save it as PDF, then attach that."),
    (b"GIF8", "This is a GIF picture. Save it as PNG or JPEG, then attach that."),
    (b"MZ", "This is a program. It is not taken."),
    (b"\x7fELF", "This is a program. It is not taken."),
)
TAG = re.compile(r"<(!doctype|html|svg|script|\?xml|head|body)\b", re.IGNORECASE)
CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")


class UnknownKindError(ValueError):
    """Not a kind of evidence that is taken; the message says what to do."""


def kind_of(data: bytes) -> str:
    """A name in `KINDS`. UnknownKindError for anything else."""
    for name, is_one in _TESTS.items():
        if is_one(data):
            return name
    raise UnknownKindError(_refusal(data))


def name_for(name: str, kind: str) -> str:
    """The name under which it is kept: the last part of a path, printable, with an ending of its kind."""
    last = name.replace("\\", "/").rpartition("/")[2]
    signs = (sign for sign in last if sign.isprintable() and sign not in '<>:"|?*')
    plain = "".join(signs).strip(" .") or "evidence"
    endings = KINDS[kind].endings
    ending = next((each for each in endings if plain.lower().endswith(each)), "")
    stem = plain[: len(plain) - len(ending)] if ending else plain
    return f"{stem[:100] or 'evidence'}{ending or endings[0]}"


def _is_pdf(data: bytes) -> bool:
    return data.startswith(b"%PDF-") and b"%%EOF" in data[-2048:]


def _is_png(data: bytes) -> bool:
    """Signature, the header as the first chunk, and the end chunk last."""
    return data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR" and data[-8:-4] == b"IEND"


def _is_jpeg(data: bytes) -> bool:
    return data.startswith(b"\xff\xd8\xff") and b"\xff\xd9" in data[-4096:]


def _is_wav(data: bytes) -> bool:
    return data.startswith(b"RIFF") and data[8:12] == b"WAVE"


def _is_mp3(data: bytes) -> bool:
    """With a tag, or a frame's head: eleven set bits, layer III, a bit rate and a sample rate that exist."""
    if data.startswith(b"ID3"):
        return len(data) > 10 and data[3] < 0xFF and data[4] < 0xFF
    if len(data) < 4 or data[0] != 0xFF or data[1] & 0xE6 != 0xE2:
        return False
    return data[1] & 0x18 != 0x08 and data[2] & 0xF0 not in (0x00, 0xF0) and data[2] & 0x0C != 0x0C


def _is_text(data: bytes) -> bool:
    text = _decoded(data)
    return bool(text and text.strip()) and not CONTROL.search(text) and not _is_markup(text)


def _is_markup(text: str) -> bool:
    """Whether it begins as a page or a drawing does; a mail with such a part begins with its heads."""
    begin = text[:4096].lstrip()
    return begin.startswith("<") and TAG.search(begin) is not None


def _decoded(data: bytes) -> str:
    """The text as UTF-8, as UTF-16 with a mark, or in the Western code page; "" where it is none."""
    marked = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return ""


def _refusal(data: bytes) -> str:
    if not data.strip():
        return "This file is empty."
    if data[4:8] == b"ftyp":
        return "This is a picture of an iPhone or a video. Save it as JPEG, or a recording as MP3."
    if _is_markup(_decoded(data)):
        return "This is a web page or a drawing. Print it to PDF, then attach that."
    known = next((says for begins, says in KNOWN if data.startswith(begins)), "")
    return known or f"This is none of the kinds that are taken: {TAKEN}."


_TESTS = {
    "pdf": _is_pdf,
    "png": _is_png,
    "jpeg": _is_jpeg,
    "wav": _is_wav,
    "mp3": _is_mp3,
    "text": _is_text,
}
