"""Files of values: looked over, imported, exported."""

from __future__ import annotations

import csv
import datetime as dt
import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from flows import suppression_files
from flows.models import SuppressionList
from flows.suppression import add_all
from tests.admin_pages import url


@pytest.fixture
def returns(world) -> SuppressionList:
    return SuppressionList.objects.create(seller=world.seller, name="Returns", slug="returns")


@pytest.fixture
def send(returns, world, as_user):
    """``send(content, do="add")``: the import page's form, by the owner."""

    def one(content: str | bytes, do: str = "add", user=None, **more: str):
        body = content.encode() if isinstance(content, str) else content
        file = SimpleUploadedFile("values.csv", body)
        address = url(returns, "import")
        return as_user(user or world.owner).post(address, {"file": file, "do": do, **more}, follow=True)

    return one


def standing(listed: SuppressionList) -> set[str]:
    return set(listed.entries.values_list("value", flat=True))


@pytest.mark.parametrize(
    "content",
    [
        "a@example.com\n(512) 555-0147\nnobody\n",
        "name;email;phone\nAnn;a@example.com;512 555 0147\nBob;nobody;\n",
        "email\tphone\nA@Example.com\t5125550147\n\tnobody\n".encode("utf-8-sig"),
        "name,E-Mail,Phone\nZoë,a@example.com,512-555-0147\nx,nobody,\n".encode("cp1252"),
    ],
)
def test_what_can_be_read_is_added_and_the_rest_is_counted(send, returns, content):
    response = send(content, reason="From the CRM", expires_days="30")
    assert standing(returns) == {"a@example.com", "+15125550147"}
    assert "2 new, 0 on the list already, 1 neither" in response.text
    entry = returns.entries.first()
    assert (entry.origin, entry.reason) == ("file", "From the CRM")
    assert 29 <= (entry.expires_at - timezone.now()).days <= 30


def test_looking_first_adds_nothing_and_shows_what_would_not_be_read(send, returns):
    add_all(returns, [("email", "a@example.com")], origin="person")
    page = send("a@example.com\nb@example.com\nnobody\n", do="look").text
    assert "Nothing was added yet" in page
    assert "1 new, 1 on the list already, 1 neither" in page
    assert "Line 3: nobody" in page
    assert standing(returns) == {"a@example.com"}


def test_the_lines_that_cannot_be_read_come_back_as_a_file(send, returns):
    response = send("a@example.com\n=cmd()\n", do="refused")
    assert response["Content-Disposition"] == 'attachment; filename="refused-returns.csv"'
    rows = list(csv.reader(io.StringIO(response.getvalue().decode())))
    assert rows == [["value", "line"], ["'=cmd()", "2"]]
    assert not standing(returns)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a@example.com\0", "not a text file"),
        (b'a@example.com\n"open\n', "cannot be read as CSV"),
        (b"\n".join(b"a%d@example.com" % number for number in range(200_001)), "more than 200,000"),
    ],
)
def test_a_file_that_cannot_be_trusted_adds_nothing(send, returns, content, words):
    response = send(content)
    assert words in response.text
    assert "Nothing was added" in response.text
    assert not standing(returns)


def test_a_large_file_takes_few_queries(send, returns, django_assert_max_num_queries):
    content = "\n".join(f"a{number}@example.com" for number in range(6_000))
    with django_assert_max_num_queries(150):
        send(content)
    assert returns.entries.count() == 6_000


@pytest.mark.parametrize("do", ["look", "add"])
def test_what_the_look_says_is_what_is_added(send, returns, monkeypatch, do):
    """Also where a value stands in a later part of the file again."""
    monkeypatch.setattr(suppression_files, "CHUNK", 2)
    add_all(returns, [("email", "c@example.com")], origin="person")
    page = send("a@example.com\nb@example.com\nA@example.com\nc@example.com\nb@example.com\n", do=do).text
    assert "2 new, 1 on the list already, 0 neither" in page
    assert "2 named more than once in the file" in page
    assert standing(returns) == {"c@example.com"} | (
        {"a@example.com", "b@example.com"} if do == "add" else set()
    )


def ends(listed: SuppressionList) -> dict[str, dt.datetime | None]:
    return dict(listed.entries.values_list("value", "expires_at"))


def test_an_export_comes_back_as_it_was(send, returns, world, as_user):
    now = timezone.now()
    for name, until in (("good", None), ("soon", now + dt.timedelta(days=3)), ("gone", now)):
        add_all(returns, [("email", f"{name}@example.com")], origin="file", expires_at=until)
    before = {value: until for value, until in ends(returns).items() if value != "gone@example.com"}
    exported = as_user(world.owner).get(url(returns, "export")).getvalue()
    returns.entries.all().delete()
    for do in ("look", "add"):
        page = send(exported, do=do).text
        assert "2 new, 0 on the list already, 0 neither" in page
        assert "1 left out, as their time is over" in page
    assert ends(returns) == before


def test_each_line_says_until_when_and_the_form_speaks_for_the_others(send, returns, world):
    day = timezone.now().date() + dt.timedelta(days=9)
    content = f"email;until\na@example.com;{day}\nb@example.com;\na@example.com;{day}T12:00:00Z\n"
    send(content, expires_days="30")
    noon = dt.datetime.combine(day, dt.time(12), dt.UTC)
    found = ends(returns)
    assert found["a@example.com"] == noon  # the longer of the two
    assert (found["b@example.com"] - timezone.now()).days in (29, 30)


@pytest.mark.parametrize("until", ["tomorrow", "31/12/2030", "9999-12-31T23:59:59-12:00", "0001-01-01"])
def test_a_time_that_cannot_be_read_is_not_for_good(send, returns, until):
    content = f"value,expires_at\na@example.com,{until}\nnobody,{until}\n"
    page = send(content).text
    assert "0 new, 0 on the list already, 1 neither" in page
    assert "1 with a time that cannot be read" in page
    assert not standing(returns)
    rows = list(csv.reader(io.StringIO(send(content, do="refused").getvalue().decode())))
    assert rows[:2] == [["value", "line", "expires_at"], ["a@example.com", "2", until]]
    assert "until" in send(content, do="look").text


def test_nothing_is_shortened_by_a_file(send, returns):
    add_all(returns, [("email", "a@example.com")], origin="person")
    send("value,expires_at\na@example.com,2099-01-01\n")
    assert ends(returns) == {"a@example.com": None}


def test_a_list_is_exported_without_formulas(returns, world, as_user):
    add_all(returns, [("phone", "+15125550147")], origin="file", reason="=1+1")
    response = as_user(world.owner).get(url(returns, "export"))
    head, row = csv.reader(io.StringIO(response.getvalue().decode()))
    assert head == ["value", "kind", "reason", "where_from", "added_at", "expires_at"]
    assert row[:4] == ["+15125550147", "phone", "'=1+1", "file"]


def test_who_may(send, returns, world, other_world, as_user):
    assert send("a@example.com", user=world.analyst).status_code == 403
    assert send("a@example.com", user=other_world.owner).status_code == 404
    assert as_user(other_world.owner).get(url(returns, "export")).status_code == 404
    assert as_user(world.analyst).get(url(returns, "export")).status_code == 403
    assert not standing(returns)


def test_expired_entries_are_told_apart(returns, world, as_user):
    add_all(returns, [("email", "old@example.com")], origin="file", expires_at=timezone.now())
    add_all(returns, [("email", "new@example.com")], origin="file")
    client, address = as_user(world.owner), "/admin/flows/suppressionentry/"
    gone = client.get(f"{address}?in_force=no").text
    assert "old@example.com" in gone
    assert "Expired" in gone
    assert "new@example.com" not in gone
    holding = client.get(f"{address}?in_force=yes").text
    assert "For good" in holding
    assert "old@example.com" not in holding
