"""What a file is, told by its bytes: what is taken, what is refused with which advice, under which name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.returns.sniff import KINDS, UnknownKindError, kind_of, name_for
from tests.feedback.returning import PDF, png

JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0" + b"\0" * 40 + b"\xff\xd9"
WAV = b"RIFF\x24\0\0\0WAVEfmt " + b"\0" * 20
MP3 = b"\xff\xfb\x90\x64" + b"\0" * 400
MAIL = b"Received: from x\r\nFrom: a@example.com\r\nSubject: Wrong number\r\n\r\n<html>Hello</html>\r\n"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PDF, "pdf"),
        (png(), "png"),
        (JPEG, "jpeg"),
        (WAV, "wav"),
        (MP3, "mp3"),
        (b"ID3\x04\0\0\0\0\0\0" + MP3, "mp3"),
        (b"called,result\n2:10 pm,not in service\n", "text"),
        (MAIL, "text"),
        ("Ungültige Nummer – €".encode(), "text"),
        ("Ungültige Nummer – €".encode("cp1252"), "text"),
        ("Ungültig".encode("utf-16"), "text"),
        ("\ufeffcalled\r\n".encode(), "text"),
        (b"a < b, and <script> in the middle", "text"),
        (b"%PDF-1.7 without an end", "text"),
    ],
)
def test_what_is_taken(data, kind):
    assert kind_of(data) == kind


@pytest.mark.parametrize(
    ("data", "advice"),
    [
        (b"", "empty"),
        (b"\r\n \t", "empty"),
        (b"<!DOCTYPE html><p>Hello", "Print it to PDF"),
        (b"\xef\xbb\xbf \n<SVG onload=alert(1)>", "Print it to PDF"),
        (b'<?xml version="1.0"?><svg/>', "Print it to PDF"),
        (b"<!-- x --><script>alert(1)</script>", "Print it to PDF"),
        ("<html>".encode("utf-16"), "Print it to PDF"),
        (b"PK\x03\x04\x14\0", "Save it as PDF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "Save it as PDF"),
        (b"GIF89a\x01\0", "PNG or JPEG"),
        (b"MZ\x90\0\x03", "program"),
        (b"\x7fELF\x02\x01", "program"),
        (b"\0\0\0\x18ftypheic", "as JPEG"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "none of the kinds"),
        (png()[:-12], "none of the kinds"),
        (b"\xff\xd8\xff\xe0 cut off \0", "none of the kinds"),
        (b"RIFF\0\0\0\0AVI LIST", "none of the kinds"),
        (b"some text\0with a NUL", "none of the kinds"),
    ],
)
def test_what_is_refused_says_what_to_do(data, advice):
    with pytest.raises(UnknownKindError, match=advice):
        kind_of(data)


@given(st.binary(max_size=600))
def test_no_bytes_break_it(data):
    try:
        assert kind_of(data) in KINDS
    except UnknownKindError as error:
        assert str(error).endswith(".")


@given(st.text(max_size=200), st.sampled_from(sorted(KINDS)))
def test_a_name_is_printable_short_and_ends_as_its_kind_does(name, kind):
    kept = name_for(name, kind)
    assert kept.endswith(KINDS[kind].endings)
    assert len(kept) <= 120
    assert kept.isprintable()
    assert not set(kept) & set('/\\<>:"|?*')


@pytest.mark.parametrize(
    ("name", "kind", "kept"),
    [
        ("C:\\Users\\mia\\call.PDF", "pdf", "call.pdf"),
        ("../../etc/passwd", "text", "passwd.txt"),
        ("page.html", "text", "page.html.txt"),
        ("mail.eml", "text", "mail.eml"),
        ("photo.jpeg", "jpeg", "photo.jpeg"),
        (".pdf", "pdf", "pdf.pdf"),
        ("", "png", "evidence.png"),
        ("a\r\nSet-Cookie: x.pdf", "pdf", "aSet-Cookie x.pdf"),
    ],
)
def test_under_which_name_it_is_kept(name, kind, kept):
    assert name_for(name, kind) == kept
