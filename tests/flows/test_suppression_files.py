"""Files of values: looked over, imported, exported."""

from __future__ import annotations

import csv
import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

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
