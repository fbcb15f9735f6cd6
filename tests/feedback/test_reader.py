"""The reader of uploaded files: every way of writing a CSV, and every way of not writing one."""

from __future__ import annotations

import codecs
import csv
import io
import tracemalloc
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback import reader
from feedback.reader import Dialect, UnreadableError

SEED = """lead_id,outcome,revenue,contacted_date,notes
evt_123,converted,1200,2024-01-15,Great lead
evt_124,bad_info,,2024-01-15,Wrong phone
evt_125,no_contact,,2024-01-16,Never answered
"""


def read(content: bytes):
    """Columns, rows as (line, cells) and dialect of a whole file."""
    file = io.BytesIO(content)
    found = reader.survey(file)
    got = [(row.line, row.cells) for row in reader.rows(file, found.dialect)]
    assert found.rows == len(got)
    return found.columns, got, found.dialect


def fault(content: bytes) -> str:
    with pytest.raises(UnreadableError) as caught:
        read(content)
    return str(caught.value)


def test_the_seeds_file():
    columns, got, dialect = read(SEED.encode())
    assert columns == ("lead_id", "outcome", "revenue", "contacted_date", "notes")
    assert got[1] == (3, ("evt_124", "bad_info", "", "2024-01-15", "Wrong phone"))
    assert len(got) == 3
    assert dialect == Dialect("utf-8", ",")
    assert not dialect.decimal_comma


@pytest.mark.parametrize(
    ("content", "dialect"),
    [
        (SEED.encode("utf-8-sig"), Dialect("utf-8-sig", ",")),
        (codecs.BOM_UTF16_LE + SEED.encode("utf-16-le"), Dialect("utf-16", ",")),
        (codecs.BOM_UTF16_BE + SEED.encode("utf-16-be"), Dialect("utf-16", ",")),
        (SEED.replace("\n", "\r\n").encode(), Dialect("utf-8", ",")),
        (SEED.replace("\n", "\r").encode(), Dialect("utf-8", ",")),
        (SEED.replace(",", "\t").encode(), Dialect("utf-8", "\t")),
        (SEED.replace(",", ";").encode(), Dialect("utf-8", ";")),
        (SEED.rstrip("\n").encode(), Dialect("utf-8", ",")),
    ],
)
def test_the_same_file_written_otherwise(content, dialect):
    columns, got, read_as = read(content)
    assert (columns, got) == read(SEED.encode())[:2]
    assert read_as == dialect


def test_a_german_excel_file():
    text = 'lead_id;revenue;notes\nevt_1;1.234,56;"Müller; Straße – 5 €"\n'
    _, got, dialect = read(text.encode("cp1252"))
    assert got == [(2, ("evt_1", "1.234,56", "Müller; Straße – 5 €"))]
    assert dialect == Dialect("cp1252", ";")
    assert dialect.decimal_comma


def test_a_quoted_head_with_commas_inside_does_not_mislead():
    assert read(b'"lead_id";"a,b,c,d";"notes"\n"x";"1";"2"\n')[2].delimiter == ";"


def test_a_cell_over_several_lines_keeps_the_line_numbers():
    _, got, _ = read(b'lead_id,notes\nevt_1,"one\ntwo\nthree"\n\n,\nevt_2,x\n')
    assert got == [(2, ("evt_1", "one\ntwo\nthree")), (7, ("evt_2", "x"))]


def test_names_are_trimmed_and_lowered_and_trailing_empty_ones_dropped():
    assert read(b" Lead_ID ,OUTCOME,,\nevt_1,converted,,\n")[0] == ("lead_id", "outcome")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b'lead_id,notes\nevt_1,x\nevt_2,"open\nevt_3,y\n', 3),
        (b'lead_id,notes\nevt_1,"open\nevt_2,"Wrong phone"\nevt_3,y\n', 2),
        (b'lead_id,notes\nevt_1,"open\n' + b"evt_2,some text\n" * 20_000, 2),
        (b'lead_id,notes\nevt_1,"fine\n",x\nevt_2,"bad" tail\n', 4),
    ],
)
def test_an_unclosed_quote_refuses_the_file_with_its_line(content, line):
    message = fault(content)
    assert message.startswith(f"Line {line}: A quote is opened here")
    assert "Nothing was recorded" in message


def zipped() -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return memory.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "The file is empty"),
        (b"\n\n \n", "The file is empty"),
        (zipped(), "a zip file or an Excel workbook"),
        (b"\x1f\x8b\x08\x00rest", "a gzip file"),
        (b"lead_id,notes\nevt_1,a\x00b\n", "Line 2: There is a NUL"),
        ("lead_id,notes\n".encode("utf-16-le"), "NUL"),
        (b"lead_id,notes\nevt_1," + b"x" * 100_001, "Line 2: A cell is longer than 100,000"),
        (b"lead_id,notes\nevt_1," + b"x" * 140_000 + b"\n", "Line 2: A cell is longer than 100,000"),
        (b"lead_id,notes\n" + b"x" * 1_000_001, "Line 2: The row is longer"),
        (b"lead_id" + b",a" * 1_000 + b"\n", "Line 1: There are more than 1,000 columns"),
        (b"lead_id,notes\nx" + b",a" * 1_000 + b"\n", "Line 2: There are more than 1,000 columns"),
        (b"lead_id,notes\nevt_1,\x81\x8d\n", "neither UTF-8"),
        (b"\xef\xbb\xbflead_id,notes\nevt_1,\x81\n", "neither UTF-8"),
        (b"\xff\xfel\x00e", "neither UTF-8"),
        (b"lead_id,,notes\n", "Column 2 has no name"),
        (b"lead_id,notes,Notes\n", "Named twice: “notes”"),
    ],
)
def test_what_is_no_file_of_feedback_is_said_plainly(content, words):
    assert words in fault(content)


def test_a_row_of_exactly_the_limit_is_read():
    assert len(read(b"lead_id,notes\nevt_1," + b"x" * 100_000 + b"\n")[1][0][1][1]) == 100_000


def test_named_cells():
    row = reader.Row(2, (" evt_1 ", "converted"))
    assert reader.named_cells(("lead_id", "outcome", "notes"), row) == {
        "lead_id": "evt_1",
        "outcome": "converted",
    }
    with pytest.raises(ValueError, match="3 cells, the head has 2"):
        reader.named_cells(("lead_id", "outcome"), reader.Row(2, ("a", "b", "c")))
    assert reader.named_cells(("lead_id",), reader.Row(2, ("a", " "))) == {"lead_id": "a"}


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (("lead_id", "sale", "outcome"), "must name the columns. Unknown: “sale”. Expected: lead_id"),
        (("outcome",), "No column names the lead"),
        (("lead_id",), "no column with feedback"),
    ],
)
def test_the_head_is_held_against_the_schema(columns, words):
    with pytest.raises(UnreadableError, match="Line 1") as caught:
        reader.check_columns(columns, ("outcome", "revenue"))
    assert words in str(caught.value)


def test_a_good_head_passes():
    columns = ("external_id", "outcome")
    assert reader.check_columns(columns, ("outcome", "revenue")) == columns


def test_the_mended_file_of_refused_rows_may_keep_our_columns():
    columns = reader.check_columns(("lead_id", "outcome", "line", "error"), ("outcome",))
    row = reader.Row(2, ("evt_1", "converted", "9", "No such outcome"))
    assert reader.named_cells(columns, row) == {"lead_id": "evt_1", "outcome": "converted"}
    assert reader.check_columns(("lead_id", "error"), ("error",)) == ("lead_id", "error")


def test_memory_does_not_grow_with_the_file(tmp_path):
    def peak(count: int) -> int:
        path = tmp_path / f"{count}.csv"
        path.write_text("lead_id,outcome,notes\n" + "evt_123456,converted,Some words of notes\n" * count)
        with path.open("rb") as file:
            tracemalloc.start()
            found = reader.survey(file)
            assert sum(1 for _ in reader.rows(file, found.dialect)) == count
            top = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return top

    assert peak(40_000) < peak(2_000) * 1.2 < 2_000_000


# --- properties -----------------------------------------------------------------------------------
text = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0\r\n"), max_size=12)
table = st.lists(st.tuples(text.filter(str.strip), text, text), max_size=8)


@given(table, st.sampled_from(",;\t"), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]), st.booleans())
def test_what_was_written_is_read(written, delimiter, encoding, windows):
    memory = io.StringIO()
    writer = csv.writer(memory, delimiter=delimiter, lineterminator="\r\n" if windows else "\n")
    writer.writerow(["lead_id", "outcome", "notes"])
    writer.writerows(written)
    columns, got, dialect = read(memory.getvalue().encode(encoding))
    assert columns == ("lead_id", "outcome", "notes")
    assert [cells for _, cells in got] == written
    assert dialect.delimiter == delimiter


@given(st.binary(max_size=400))
def test_no_bytes_are_an_unhandled_error(content):
    file = io.BytesIO(content)
    try:
        found = reader.survey(file)
    except UnreadableError as error:
        assert str(error)
    else:
        assert len(list(reader.rows(file, found.dialect))) == found.rows


@given(st.text(st.sampled_from('ab",;\t\r\n\0\x85 '), max_size=60))
def test_no_arrangement_of_quotes_is_an_unhandled_error(content):
    test_no_bytes_are_an_unhandled_error.hypothesis.inner_test(content.encode("cp1252", "replace"))
