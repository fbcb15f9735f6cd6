"""What is seen of a file from its beginning, and how it can be read otherwise."""

from __future__ import annotations

import codecs
import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback import reader
from feedback.peek import PEEKED, peek
from feedback.reader import UnreadableError

CRM = "Ref;Stand;Betrag\nK-1;Gewonnen;1.234,50\nK-2;Verloren;Zoë\n"


def look(content: str | bytes, **said):
    body = content.encode() if isinstance(content, str) else content
    return peek(io.BytesIO(body), **said)


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (CRM.encode(), "utf-8"),
        (CRM.encode("utf-8-sig"), "utf-8-sig"),
        (codecs.BOM_UTF16_LE + CRM.encode("utf-16-le"), "utf-16"),
        (codecs.BOM_UTF16_BE + CRM.encode("utf-16-be"), "utf-16"),
        (CRM.encode("cp1252"), "cp1252"),
        (b"\xef\xbb\xbf" + CRM.encode("cp1252"), "cp1252"),
        (CRM.replace("\n", "\r\n").encode("cp1252"), "cp1252"),
    ],
)
def test_however_it_was_written_the_same_is_seen(content, encoding):
    seen = look(content)
    assert seen.dialect.encoding == encoding
    assert seen.head == ("Ref", "Stand", "Betrag")
    assert [row.cells for row in seen.rows] == [("K-1", "Gewonnen", "1.234,50"), ("K-2", "Verloren", "Zoë")]
    assert seen.dialect.decimal_comma


@pytest.mark.parametrize(("delimiter", "comma"), [(",", False), (";", True), ("\t", False)])
def test_the_delimiter_suggests_the_decimal_sign(delimiter, comma):
    dialect = look(f"id{delimiter}revenue\nK-1{delimiter}5\n").dialect
    assert (dialect.delimiter, dialect.decimal_comma) == (delimiter, comma)


def test_what_a_person_says_goes_before_what_it_seems():
    content = 'id,revenue\nK-1,"1,50"\n'
    assert look(content, comma=True).dialect.decimal_comma
    assert look(content, delimiter=";").head == ("id,revenue",)
    assert look(content, has_header=False).rows[0].cells == ("id", "revenue")
    assert look("Zoë;1\n", encoding="cp1252").rows[0].cells[0] == "ZoÃ«"


@pytest.mark.parametrize(
    ("content", "has_header"),
    [
        ("lead_id,outcome\nevt_1,converted\n", True),
        ("Ref,Stand\n", True),
        ("lead_id,2024\nevt_1,converted\n", False),  # a number names nothing
        ("evt_1,converted\nevt_2,lost\n", False),
        ("K-1,zoe@example.com\nK-2,max@example.com\n", False),
        ("K-1,2026-01-15T10:00:00Z\nK-2,2026-01-16T10:00:00Z\n", False),
        ("K-1,$12.50\nK-2,$3\n", False),
        ("K-1,converted\nK-2,lost\nK-3,converted\n", False),  # the same word again below
        (",outcome\nK-1,converted\n", True),
        ("lead_id,,outcome,outcome\nevt_1,,converted,\n", True),  # empty and doubled names are no fault here
    ],
)
def test_whether_the_first_line_names_the_columns(content, has_header):
    seen = look(content)
    assert (seen.head is not None, seen.dialect.has_header) == (has_header, has_header)
    everything = [*([seen.head] if seen.head else []), *(row.cells for row in seen.rows)]
    assert len(everything) == len(content.splitlines())


def test_rows_and_lines_of_a_file_without_a_head():
    content = b"evt_1,converted\nevt_2,lost\n"
    seen = look(content)
    assert [row.line for row in seen.rows] == [1, 2]
    assert list(reader.rows(io.BytesIO(content), seen.dialect)) == list(seen.rows)
    assert reader.columns(io.BytesIO(content), seen.dialect) == ("Column 1", "Column 2")


def test_a_column_without_a_name_is_called_by_its_number():
    content = b"lead_id,,outcome\nevt_1,x,converted\n"
    assert reader.columns(io.BytesIO(content), look(content).dialect) == ("lead_id", "Column 2", "outcome")


def test_as_wide_as_the_widest_row():
    assert look("id,notes\nK-1,a,b,c\n").width == 4
    assert look("id,notes\n").width == 2


def test_only_the_beginning_is_read_where_the_encoding_is_known():
    long = io.BytesIO(b"lead_id,outcome\n" + b"evt_1,converted\n" * 200_000)
    seen = peek(long, encoding="utf-8")
    assert len(seen.rows) == PEEKED
    assert long.tell() < 200_000
    assert long.seek(0) == 0  # left open


def test_long_rows_are_fewer():
    seen = look("lead_id,notes\n" + ("evt_1," + ",".join(["x" * 90_000] * 5) + "\n") * 50)
    assert 0 < len(seen.rows) < 10


def test_a_fault_beyond_the_beginning_is_not_seen():
    assert look("lead_id,notes\n" + "evt_1,x\n" * 3_000 + 'evt_2,"open\n', encoding="utf-8").rows


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "The file is empty"),
        (b" \n\n,,\n", "The file is empty"),
        (b"PK\x03\x04rest", "a zip file or an Excel workbook"),
        (b'a,b\nx,"open\n', "Line 2: A quote is opened here"),
        (b"a,b\nx," + b"y" * 100_001 + b"\n", "Line 2: A cell is longer than 100,000 characters"),
        (b"a" + b",b" * 10_000 + b"\n", "Line 1: There are more than 1,000 columns"),
        (b"a,b\nx,\0\n", "Line 2: There is a NUL"),
    ],
)
@pytest.mark.parametrize("said", [{}, {"encoding": "utf-8", "delimiter": ",", "has_header": False}])
def test_what_cannot_be_read_is_said_at_once(content, words, said):
    with pytest.raises(UnreadableError) as caught:
        look(content, **said)
    assert words in str(caught.value)


@pytest.mark.parametrize("encoding", sorted(reader.ENCODINGS))
@given(
    content=st.binary(max_size=300), delimiter=st.sampled_from(reader.DELIMITERS), has_header=st.booleans()
)
def test_no_way_of_reading_is_an_unhandled_error(encoding, content, delimiter, has_header):
    try:
        seen = look(content, encoding=encoding, delimiter=delimiter, has_header=has_header)
    except UnreadableError as error:
        assert str(error)
    else:
        assert list(reader.rows(io.BytesIO(content), seen.dialect)) == list(seen.rows)


text = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0\r\n"), max_size=8)


@given(
    st.lists(st.tuples(text.filter(str.strip), text), min_size=1, max_size=8),
    st.sampled_from(reader.DELIMITERS),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_a_file_without_a_head_loses_no_row(written, delimiter, encoding):
    memory = io.StringIO()
    csv.writer(memory, delimiter=delimiter).writerows(written)
    seen = look(memory.getvalue().encode(encoding), encoding=encoding, delimiter=delimiter, has_header=False)
    assert [row.cells for row in seen.rows] == written


# --- in lists, for the worker -----------------------------------------------------------------------
@given(st.lists(st.integers(0, 40)), st.integers(1, 5))
def test_chunks_lose_nothing_and_stay_small(lengths, most):
    rows = [reader.Row(line, ("x" * length,)) for line, length in enumerate(lengths)]
    limit, reader.CHUNK_TEXT = reader.CHUNK_TEXT, 50
    try:
        chunks = list(reader.chunks(rows, most))
    finally:
        reader.CHUNK_TEXT = limit
    assert [row for chunk in chunks for row in chunk] == rows
    for chunk in chunks:
        assert 0 < len(chunk) <= most
        assert sum(len(row.cells[0]) for row in chunk[:-1]) < 50
