"""One lead named in two ways within a file: what is said of it is compared, in whatever order and chunk."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from feedback import tasks, upload_check, upload_steps, uploads
from feedback.mapping import Mapping
from feedback.models import Feedback, RefusedRow, Upload
from flows.models import Delivery
from flows.problems import ProblemError
from tests import factories as make

HEAD = "lead_id,external_id,outcome,feedback_timestamp,revenue,notes\n"


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def lead(world) -> Delivery:
    return make.DeliveryFactory(lead__source=world.source, buyer=world.buyer, public_id="evt_a")


@pytest.fixture
def other(world) -> Delivery:
    return make.DeliveryFactory(lead__source=world.source, buyer=world.buyer, public_id="evt_b")


@pytest.fixture
def send(world):
    """``send(rows)``: through the API's door, read at once → (recorded, unchanged, rejected)."""

    def one(rows: str, head: str = HEAD) -> tuple[int, int, int]:
        file = SimpleUploadedFile("f.csv", (head + rows).encode())
        upload = uploads.receive(world.actor(world.agent), world.flow, file)
        tasks.read_upload(upload.pk)
        upload.refresh_from_db()
        assert upload.status == "done", upload.error
        return upload.recorded, upload.unchanged, upload.rejected

    return one


@pytest.fixture
def checked(world):
    """``checked(rows)``: a draft whose rows have been checked."""

    def one(rows: str, head: str = HEAD) -> Upload:
        file = SimpleUploadedFile("f.csv", (head + rows).encode())
        upload = upload_steps.begin(world.actor(world.agent), world.flow, file)
        upload_steps.check(upload)
        tasks.read_upload(upload.pk)
        upload.refresh_from_db()
        return upload

    return one


def errors() -> dict[int, str]:
    return dict(RefusedRow.objects.values_list("line", "error"))


def test_a_lead_named_by_either_id_contradicts_itself(lead, send):
    Delivery.objects.filter(pk=lead.pk).update(external_id="K-1")
    rows = "evt_a,,converted,,,\n,K-1,returned,,,\n"
    assert send(rows) == send(rows) == (0, 0, 2)
    assert "Lines 2, 3" in errors()[2]
    assert not Feedback.objects.exists()


@pytest.mark.parametrize("order", [1, -1])
def test_an_own_id_that_the_file_teaches_counts_wherever_it_stands(lead, send, order):
    rows = ["evt_a,K-1,converted,2026-01-05T10:00:00Z,,\n", ",K-1,,2026-01-06T10:00:00Z,,Paid\n"]
    Delivery.objects.update(delivered_at="2026-01-01T00:00:00Z")
    lead.flow.update_window_days = 3650
    lead.flow.save()
    content = "".join(rows[::order])
    assert send(content) == (2, 0, 0)
    assert send(content) == (0, 2, 0)
    lead.refresh_from_db()
    assert (lead.external_id, lead.outcome, lead.fields["notes"]) == ("K-1", "converted", "Paid")


def test_what_it_teaches_holds_in_every_chunk_of_check_and_run(lead, checked, monkeypatch):
    monkeypatch.setattr(upload_check, "CHUNK", 1)
    monkeypatch.setattr(uploads, "CHUNK", 1)
    upload = checked(",K-1,contacted,,,\nevt_no,,converted,,,\nevt_a,K-1,contacted,,,\n")
    found = upload.findings
    assert (found["new"], found["unchanged"], found["refused"]) == (1, 1, 1)
    upload_steps.confirm(upload)
    tasks.read_upload(upload.pk)
    upload.refresh_from_db()
    assert (upload.recorded, upload.unchanged, upload.rejected) == (1, 1, 1)


def test_one_time_in_two_spellings_is_one_time(lead, send):
    at = ("2026-01-05T10:00:00Z", "2026-01-05T11:00:00+01:00")
    rows = f"evt_a,,converted,{at[0]},,\nevt_a,,returned,{at[1]},,\n"
    assert send(rows)[0] == 0
    assert "different values for outcome" in errors()[3]


def test_equal_values_in_two_spellings_do_not_contradict(lead, send):
    assert send("evt_a,,converted,,1500,\nevt_a,,converted,,1500.00,\n") == (1, 1, 0)


# --- Amounts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("delimiter", "amount", "revenue"),
    [
        (";", "1.234,50", "1234.500"),
        (";", "12,5", "12.500"),
        (";", "1500", "1500.000"),
        (";", "1.234.567", "1234567.000"),
        (";", "1.234", None),
        (";", "1,234", None),
        ("\t", "1,500", None),
        ("\t", "1500.00", "1500.000"),
        ("\t", "1,5", None),
    ],
)
def test_an_amount_is_read_as_it_must_be_or_not_at_all(lead, send, delimiter, amount, revenue):
    head = f"lead_id{delimiter}revenue\n"
    recorded, _, rejected = send(f"evt_a{delimiter}{amount}\n", head)
    lead.refresh_from_db()
    assert (recorded, rejected) == ((1, 0) if revenue else (0, 1))
    assert (str(lead.revenue) if lead.revenue is not None else None) == revenue


def test_a_person_who_confirms_decimal_commas_may_write_thousands_with_points(lead, checked):
    upload = checked("evt_a;1.234\n", "lead_id;revenue\n")
    assert upload.findings["samples"][0]["changes"] == [
        {"name": "revenue", "before": None, "after": "1234.00"}
    ]


# --- What was found, and by whom it was seen ----------------------------------------------------------------


def test_rows_refused_for_one_reason_are_told_together(checked, world):
    rows = "".join(f"evt_old{number},,converted,2031-01-{number:02}T00:00:00Z,,\n" for number in range(1, 29))
    for number in range(1, 29):
        make.DeliveryFactory(lead__source=world.source, buyer=world.buyer, public_id=f"evt_old{number}")
    found = checked(rows + "evt_no,,converted,,,\n").findings
    assert [reason["count"] for reason in found["reasons"]] == [28, 1]


def test_who_confirms_has_seen_what_was_found(lead, checked):
    upload = checked("evt_a,,Won,,,\n")
    seen = upload.findings["checked_at"]
    columns = tuple(HEAD.strip().split(","))
    for word in ("converted", "returned"):
        upload_steps.set_mapping(upload, Mapping(columns, {"outcome": {"won": word}}))
        upload_steps.check(upload)
        tasks.read_upload(upload.pk)
    with pytest.raises(ProblemError, match="checked again"):
        upload_steps.confirm(upload, seen)
    upload.refresh_from_db()
    assert upload.status == "checked"
    assert upload_steps.confirm(upload, upload.findings["checked_at"]).status == "queued"


def test_a_mended_file_of_refused_rows_says_what_was_meant(lead, send):
    head = "lead_id,outcome,notes,line,error\n"
    assert send("evt_a,converted,'+49 call back,2,x\n", head) == (1, 0, 0)
    lead.refresh_from_db()
    assert lead.fields["notes"] == "+49 call back"
