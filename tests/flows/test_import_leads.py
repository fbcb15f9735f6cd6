"""``manage.py import_leads``: a file of leads, chunk by chunk, with the refused rows beside it."""

from __future__ import annotations

import csv

import pytest
from django.core.management import CommandError, call_command

from flows.management.commands import import_leads
from flows.models import Delivery, IntakeRefusal

HEAD = "source,buyer,first_name,last_name,email,phone,price,event_id,external_id,delivered_at,age"


@pytest.fixture(autouse=True)
def names(world):
    """The names that the files below use."""
    Delivery.objects.all().delete()
    world.source.slug, world.buyer.slug = "facebook", "acme"
    world.source.save()
    world.buyer.save()


@pytest.fixture
def run(world, tmp_path, capsys):
    """``run(rows)`` → (exit code, what was printed, the refused rows as lists)."""

    def imported(content: str | bytes, *options: str):
        path = tmp_path / "leads.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        code = 0
        try:
            call_command("import_leads", str(path), "--flow", world.flow.public_id, *options)
        except SystemExit as stop:
            code = stop.code
        refused = tmp_path / "leads.refused.csv"
        rows = list(csv.reader(refused.read_text("utf-8").splitlines())) if refused.exists() else None
        return code, capsys.readouterr().out, rows

    return imported


def row(number: int, **changes: str) -> str:
    cells = {
        "source": "facebook",
        "buyer": "acme",
        "first_name": "Maria",
        "email": f"maria{number}@example.org",
        "price": "25.00",
        "event_id": f"lc-{number}",
        "age": "41",
        **changes,
    }
    return ",".join(cells.get(name, "") for name in HEAD.split(","))


def sheet(*rows: str) -> str:
    return "\n".join([HEAD, *rows]) + "\n"


def test_leads_come_in(world, run):
    code, out, refused = run(
        sheet(row(1), row(2, delivered_at="2026-01-15T12:00:00Z", phone="(512) 555-0100"))
    )
    assert (code, refused) == (0, None)
    assert "2 taken, 0 known already, 0 refused" in out
    delivery = Delivery.objects.get(public_id="lc-2")
    assert (str(delivery.price), delivery.lead.data, delivery.lead.phone_e164) == (
        "25.000",
        {"age": "41"},
        "+15125550100",
    )
    assert delivery.delivered_at.isoformat() == "2026-01-15T12:00:00+00:00"


def test_the_same_file_again_brings_nothing_new(run):
    run(sheet(row(1), row(2)))
    code, out, refused = run(sheet(row(2), row(1)))
    assert (code, refused) == (0, None)
    assert "0 taken, 2 known already" in out
    assert Delivery.objects.count() == 2


def test_refused_rows_are_written_with_line_and_reason(world, run):
    code, out, refused = run(
        sheet(
            row(1),
            row(2, source="nowhere", price="-1"),
            "",
            row(3, email="maria1@example.org"),
            row(4) + ",surplus",
        )
    )
    assert code == 1
    assert "1 taken, 0 known already, 3 refused" in out
    assert refused[0] == [*HEAD.split(","), "refused_line", "refused_reason"]
    assert [cells[-2] for cells in refused[1:]] == ["3", "5", "6"]
    assert "source:" in refused[1][-1]
    assert "price:" in refused[1][-1]
    assert "30 days" in refused[2][-1]
    assert "12 cells" in refused[3][-1]
    assert refused[1][:3] == ["nowhere", "acme", "Maria"]
    assert refused[3][10] == "41,surplus"
    assert IntakeRefusal.objects.get().reason == "duplicate"


def test_a_mended_file_of_refused_rows_can_be_imported(world, run, tmp_path):
    run(sheet(row(1, source="nowhere")))
    mended = (tmp_path / "leads.refused.csv").read_text().replace("nowhere", "facebook")
    code, _, refused = run(mended)
    assert (code, refused) == (0, None)
    assert Delivery.objects.get().lead.data == {"age": "41"}


def test_a_dry_run_keeps_nothing_but_tells_all(run, monkeypatch):
    monkeypatch.setattr(import_leads, "CHUNK", 2)
    rows = [row(1), row(2), row(3, email="maria1@example.org")]
    code, out, refused = run(sheet(*rows), "--dry-run")
    assert code == 1
    assert "nothing was kept: 2 taken, 0 known already, 1 refused" in out
    assert len(refused) == 2
    assert not Delivery.objects.exists()
    assert not IntakeRefusal.objects.exists()


def test_chunks_are_reported(run, monkeypatch):
    monkeypatch.setattr(import_leads, "CHUNK", 2)
    _, out, _ = run(sheet(*map(row, range(5))))
    assert [line for line in out.splitlines() if " of 5 rows" in line] == [
        "2 of 5 rows, 0 refused",
        "4 of 5 rows, 0 refused",
        "5 of 5 rows, 0 refused",
    ]
    assert Delivery.objects.count() == 5


@pytest.mark.parametrize(
    "content",
    [
        sheet(row(1, first_name="Zoë")).encode("utf-8-sig"),
        sheet(row(1, first_name="Zoë")).encode("cp1252"),
        sheet(row(1, first_name="Zoë")).replace(",", ";").encode(),
        sheet(row(1, first_name="Zoë")).replace(",", "\t").replace("\n", "\r\n").encode(),
    ],
)
def test_the_usual_ways_of_writing_a_file(run, content):
    assert run(content)[0] == 0
    assert Delivery.objects.get().lead.first_name == "Zoë"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "lacks source and buyer"),
        ("source,email\nfacebook,x\n", "lacks buyer"),
        ("source,buyer,email,email\n", "'email'"),
        (sheet(row(1)) + '"facebook,acme\n' + row(2) + "\n", "begins on line 3"),
        (sheet(row(1)) + 'facebook,"acme" x\n', "begins on line 3"),
        (b"PK\x03\x04\x00\x00", "not a CSV file"),
        ("source,buyer," + ",".join(f"c{n}" for n in range(10_000)) + "\n", "10,002 columns"),
        (sheet(row(1, first_name="x" * 140_000)), "begins on line 2"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused_whole(run, content, words):
    with pytest.raises(CommandError, match=words):
        run(content)
    assert not Delivery.objects.exists()


def test_an_unknown_flow_or_file(world, tmp_path):
    with pytest.raises(CommandError, match="no flow"):
        call_command("import_leads", "x.csv", "--flow", "flw_none")
    with pytest.raises(CommandError, match="No such file"):
        call_command("import_leads", str(tmp_path / "none.csv"), "--flow", world.flow.public_id)
