"""A file of feedback: uploaded, read by the worker, resumed, shown, its refused rows given back."""

from __future__ import annotations

import csv
import datetime as dt
import io
from decimal import Decimal

import pytest
from celery import current_app
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from feedback import contradictions, tasks, upload_lease, upload_views, uploads
from feedback.models import ChangeSet, Door, Feedback, RefusedRow, Upload
from flows.models import Delivery
from portal.spreadsheets import defused
from tests import factories as make

HEAD = "lead_id,outcome,revenue,contacted_date,notes"
SEED = f"""{HEAD}
evt_123,converted,1200,2024-01-15,Great lead
evt_124,bad_info,,2024-01-15,Wrong phone
evt_125,no_contact,,2024-01-16,Never answered
"""


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def client(world, as_user) -> Client:
    return as_user(world.agent)


@pytest.fixture
def deliver(world):
    def one(evt: str, **columns) -> Delivery:
        return make.DeliveryFactory(lead__source=world.source, buyer=world.buyer, public_id=evt, **columns)

    return one


@pytest.fixture
def take(world):
    """``take(content)``: receive a file and read it → the upload as it then stands."""

    def one(content: str | bytes, *, read: bool = True, name: str = "feedback.csv") -> Upload:
        body = content.encode() if isinstance(content, str) else content
        upload = uploads.receive(world.actor(world.agent), world.flow, SimpleUploadedFile(name, body))
        if read:
            tasks.read_upload(upload.pk)
        upload.refresh_from_db()
        return upload

    return one


def counts(upload: Upload) -> tuple[str, int, int, int]:
    upload.refresh_from_db()
    return upload.status, upload.recorded, upload.unchanged, upload.rejected


# --- through the door --------------------------------------------------------------------------------
def test_the_seeds_file_through_the_portal(client, world, deliver):
    for evt in ("evt_123", "evt_124"):
        deliver(evt)
    response = client.post(
        "/uploads/new/", {"flow": world.flow.public_id, "file": SimpleUploadedFile("s.csv", SEED.encode())}
    )
    upload = Upload.objects.get()
    base = f"/uploads/{upload.public_id}"
    assert response["Location"] == f"{base}/columns/"
    assert "UTF-8, cells parted by commas" in client.get(f"{base}/columns/").content.decode()
    assert client.post(f"{base}/columns/", {"do": "check"})["Location"] == f"{base}/check/"
    assert 'hx-trigger="every 1s"' in client.get(f"{base}/check/").content.decode()
    tasks.sweep_uploads()
    assert "Record 2 rows" in client.get(f"{base}/check/").content.decode()
    assert client.post(f"{base}/confirm/")["Location"] == f"{base}/"
    waiting = client.get(f"{base}/").content.decode()
    assert "Waiting" in waiting
    assert 'hx-trigger="every 1s"' in waiting
    assert "Refresh" in waiting
    tasks.sweep_uploads()
    page = client.get(f"{base}/").content.decode()
    assert counts(upload) == ("done", 2, 0, 1)
    assert 'hx-trigger="every 1s"' not in page
    assert "evt_125" in page
    assert "No lead of yours on this flow has this id" in page
    assert "UTF-8, cells parted by commas" in page
    sold = Delivery.objects.get(public_id="evt_123")
    assert (sold.outcome, sold.revenue, sold.fields["notes"]) == ("converted", Decimal(1200), "Great lead")
    event = sold.feedback.get()
    assert (event.change_set.door, event.change_set.upload, event.change_set.user) == (
        Door.UPLOAD,
        upload,
        world.agent,
    )


def test_progress_is_the_middle_of_the_page(client, take):
    upload = take(SEED, read=False)
    part = client.get(f"/uploads/{upload.public_id}/progress/", headers={"HX-Request": "true"})
    assert b"<html" not in part.content
    assert b"<progress" in part.content
    plain = client.get(f"/uploads/{upload.public_id}/progress/")
    assert plain["Location"] == f"/uploads/{upload.public_id}/"


def test_the_task_is_hinted_once_the_upload_is_committed(
    client, world, monkeypatch, django_capture_on_commit_callbacks
):
    sent = []
    monkeypatch.setattr(current_app, "send_task", lambda name, args: sent.append((name, args)))
    file = SimpleUploadedFile("s.csv", SEED.encode())
    with django_capture_on_commit_callbacks(execute=True):
        client.post("/uploads/new/", {"flow": world.flow.public_id, "file": file})
        client.post(f"/uploads/{Upload.objects.get().public_id}/columns/", {"do": "check"})
        assert sent == []
    assert sent == [("feedback.read_upload", [Upload.objects.get().pk])]


def test_a_broker_that_is_away_loses_nothing(take, monkeypatch, django_capture_on_commit_callbacks):
    def away(*args, **kwargs):
        raise OSError("no broker")

    monkeypatch.setattr(current_app, "send_task", away)
    with django_capture_on_commit_callbacks(execute=True):
        upload = take(SEED, read=False)
    assert upload_lease.waiting() == [upload.pk]


def test_a_file_over_the_limit_is_refused_with_the_limit(client, world, settings, tmp_path):
    settings.UPLOAD_MAX_BYTES = 100_000
    file = SimpleUploadedFile("big.csv", SEED.encode() + b"x" * 100_000)
    response = client.post("/uploads/new/", {"flow": world.flow.public_id, "file": file})
    assert response.status_code == 413
    assert "larger than 97.7" in response.content.decode()
    assert not Upload.objects.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_form_without_a_file_says_so(client, world):
    response = client.post("/uploads/new/", {"flow": world.flow.public_id})
    assert response.status_code == 422
    assert "Choose a file, or drop one here" in response.content.decode()


def test_no_upload_without_the_token(world):
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.agent)
    file = SimpleUploadedFile("s.csv", SEED.encode())
    assert client.post("/uploads/new/", {"flow": world.flow.public_id, "file": file}).status_code == 403
    assert not Upload.objects.exists()


def test_another_buyers_flow_is_no_choice(client, other_world):
    file = SimpleUploadedFile("s.csv", SEED.encode())
    response = client.post("/uploads/new/", {"flow": other_world.flow.public_id, "file": file})
    assert response.status_code == 422
    assert not Upload.objects.exists()


def test_a_flow_without_feedback_takes_no_file(client, world, take):
    upload = take(SEED, read=False)
    world.flow.feedback_enabled = False
    world.flow.save()
    page = client.get("/uploads/new/").content.decode()
    assert "No flow of yours takes feedback" in page
    tasks.sweep_uploads()
    assert counts(upload) == ("failed", 0, 0, 0)
    assert "does not take feedback" in upload.error


def test_others_see_nothing_of_it(take, world, other_world, as_user):
    upload = take(SEED)
    neighbour = make.MembershipFactory(buyer=make.BuyerFactory(seller=world.seller), role="buyer_agent").user
    for user in (neighbour, other_world.agent, world.owner):
        for suffix in ("", "progress/", "errors.csv"):
            url = f"/uploads/{upload.public_id}/{suffix}"
            assert as_user(user).get(url, headers={"HX-Request": "true"}).status_code == 404
        assert upload.public_id not in as_user(user).get("/uploads/").content.decode()


def test_the_example_file_has_the_flows_head(client, world):
    response = client.get(f"/uploads/new/{world.flow.public_id}.csv")
    assert response.content.decode("utf-8-sig").startswith("lead_id,outcome,converted,quality_score,revenue,")
    assert "attachment" in response["Content-Disposition"]


def test_the_list(client, take, world, django_assert_max_num_queries):
    assert "No uploads yet" in client.get("/uploads/").content.decode()
    for number in range(5):
        take(SEED, name=f"file{number}.csv")
    with django_assert_max_num_queries(12):
        page = client.get("/uploads/").content.decode()
    assert page.count('class="cell-main"') == 5
    assert "file4.csv" in page


# --- what becomes of the rows ------------------------------------------------------------------------
def test_the_same_file_twice_changes_nothing(take, deliver):
    for evt in ("evt_123", "evt_124", "evt_125"):
        deliver(evt)
    assert counts(take(SEED)) == ("done", 3, 0, 0)
    assert counts(take(SEED)) == ("done", 0, 3, 0)
    shuffled = "\n".join([HEAD, *reversed(SEED.splitlines()[1:])])
    assert counts(take(shuffled)) == ("done", 0, 3, 0)
    assert Feedback.objects.count() == 3


def test_a_file_from_a_german_spreadsheet(take, deliver):
    deliver("evt_1")
    deliver("evt_2")
    text = "lead_id;revenue;notes\r\nevt_1;1.234,56;Müller\r\nevt_2;12,5;Straße\r\n"
    upload = take(text.encode("cp1252"))
    assert counts(upload) == ("done", 2, 0, 0)
    assert (upload.encoding, upload.delimiter) == ("cp1252", ";")
    assert [
        d.revenue for d in Delivery.objects.filter(public_id__in=["evt_1", "evt_2"]).order_by("public_id")
    ] == [
        Decimal("1234.56"),
        Decimal("12.5"),
    ]
    assert Delivery.objects.get(public_id="evt_1").fields["notes"] == "Müller"


def test_each_refused_row_has_its_line_its_cells_and_why(take, deliver, other_world):
    deliver("evt_1")
    deliver("evt_2")
    theirs = other_world.delivery.public_id
    upload = take(
        "lead_id,outcome,revenue\n"
        "evt_1,sold,1\n"
        '"evt_2",converted,-5\n'
        f"{theirs},converted,\n"
        "evt_2,contacted,,,extra\n"
        ",converted,\n"
        "evt_1,,\n"
    )
    assert counts(upload) == ("done", 0, 0, 6)
    rows = {row.line: (row.cells, row.error) for row in upload.refused_rows.all()}
    assert rows[2][0] == ["evt_1", "sold", "1"]
    assert 'Send "converted"' in rows[2][1]
    assert "zero or more" in rows[3][1]
    assert "No lead of yours" in rows[4][1]
    assert "5 cells, the head has 3" in rows[5][1]
    assert "lead_id" in rows[6][1]
    assert len(rows[7][1]) > 0


def test_by_the_buyers_own_id(take, deliver):
    deliver("evt_1", external_id="CRM_1")
    assert counts(take("external_id,outcome\nCRM_1,converted\nCRM_2,converted\n")) == ("done", 1, 0, 1)


def test_rows_that_contradict_each_other_are_both_refused(take, deliver):
    deliver("evt_1")
    deliver("evt_2")
    upload = take(
        "lead_id,outcome,notes\nevt_1,converted,\nevt_2,contacted,\nevt_1,returned,\nevt_2,contacted,Agrees\n"
    )
    assert counts(upload) == ("done", 2, 0, 2)
    errors = set(upload.refused_rows.values_list("line", "error"))
    message = "Lines 2, 4 give this lead different values for outcome. Keep one of them."
    assert errors == {(2, message), (4, message)}
    assert Delivery.objects.get(public_id="evt_1").outcome is None


def test_rows_at_different_times_tell_a_story(take, deliver):
    deliver("evt_1", delivered_at=timezone.now() - dt.timedelta(days=20))
    day = [(timezone.now() - dt.timedelta(days=ago)).strftime("%Y-%m-%dT%H:%M:%SZ") for ago in (5, 9)]
    content = f"lead_id,outcome,feedback_timestamp\nevt_1,converted,{day[0]}\nevt_1,contacted,{day[1]}\n"
    assert counts(take(content)) == ("done", 2, 0, 0)
    assert Delivery.objects.get(public_id="evt_1").outcome == "converted"
    assert counts(take(content)) == ("done", 0, 2, 0)


def test_too_many_repeated_leads_are_refused_as_a_whole(take, monkeypatch):
    monkeypatch.setattr(contradictions, "MAX_REPEATED", 10)
    upload = take("lead_id,outcome\n" + "evt_1,converted\n" * 11)
    assert counts(upload) == ("failed", 0, 0, 0)
    assert "More than 10 rows" in upload.error


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "The file is empty"),
        (b"PK\x03\x04rest", "an Excel workbook"),
        (b"lead,outcome\nx,y\n", "The first line must name the columns"),
        (b"evt_1,converted\nevt_2,converted\n", "The first line must name the columns"),
        (b'lead_id,notes\nevt_1,fine\nevt_2,"open\nevt_3,z\n', "Line 3"),
        (b"lead_id,notes\nevt_1,a\x00\n", "NUL"),
    ],
)
def test_a_file_that_cannot_be_read_records_nothing_and_says_why(take, client, deliver, content, words):
    deliver("evt_1")
    upload = take(content)
    assert counts(upload) == ("failed", 0, 0, 0)
    assert words in upload.error
    assert upload.finished_at is not None
    page = client.get(f"/uploads/{upload.public_id}/").content.decode()
    assert "could not be read" in page
    assert not Feedback.objects.exists()


def test_a_file_that_has_gone_is_said_to_be_gone(take):
    upload = take(SEED, read=False)
    upload.file.storage.delete(upload.file.name)
    tasks.read_upload(upload.pk)
    assert counts(upload) == ("failed", 0, 0, 0)
    assert "no longer on the server" in upload.error


# --- killed and resumed ------------------------------------------------------------------------------
class KilledError(BaseException):
    """Stands for ``kill -9``: nothing of ours catches it."""


@pytest.fixture
def many(deliver) -> str:
    """A file of twelve rows: ten leads, two unknown."""
    for number in range(10):
        deliver(f"evt_{number}")
    rows = [f"evt_{number},converted" for number in range(12)]
    return "\n".join(["lead_id,outcome", *rows])


def expire(upload: Upload) -> None:
    Upload.objects.filter(pk=upload.pk).update(claimed_until=timezone.now() - dt.timedelta(seconds=1))


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_a_worker_killed_between_chunks_loses_and_doubles_nothing(take, many, monkeypatch, after):
    monkeypatch.setattr(uploads, "CHUNK", 4)
    upload = take(many, read=False)
    real, calls = uploads.intake, []

    def dies(*args, **kwargs):
        receipts = real(*args, **kwargs)
        calls.append(1)
        if len(calls) > after:
            raise KilledError
        return receipts

    monkeypatch.setattr(uploads, "intake", dies)
    if after < 3:
        with pytest.raises(KilledError):
            tasks.read_upload(upload.pk)
        upload.refresh_from_db()
        assert (upload.status, upload.rows_done) == ("running", 4 * after)
        assert Feedback.objects.count() == 4 * after
        monkeypatch.setattr(uploads, "intake", real)
        tasks.sweep_uploads()
        assert counts(upload)[0] == "running"  # the lease has not run out
        expire(upload)
    tasks.sweep_uploads()
    assert counts(upload) == ("done", 10, 0, 2)
    assert Feedback.objects.count() == 10
    assert RefusedRow.objects.count() == 2


def test_a_slow_worker_that_was_taken_for_dead_is_rolled_back(take, many, monkeypatch):
    monkeypatch.setattr(uploads, "CHUNK", 4)
    upload = take(many, read=False)
    real = uploads.intake
    overtaken = []

    def slow(*args, **kwargs):
        receipts = real(*args, **kwargs)
        if not overtaken:
            overtaken.append(1)
            Upload.objects.filter(pk=upload.pk).update(claimed_until=timezone.now() + dt.timedelta(hours=1))
        return receipts

    monkeypatch.setattr(uploads, "intake", slow)
    tasks.read_upload(upload.pk)
    assert Feedback.objects.count() == 0
    assert counts(upload)[0] == "running"  # of the other worker


def test_a_finished_upload_is_not_read_again(take, many):
    upload = take(many)
    tasks.read_upload(upload.pk)
    assert counts(upload) == ("done", 10, 0, 2)


def test_a_fault_of_ours_ends_the_upload_and_keeps_what_was_recorded(take, many, monkeypatch, caplog):
    monkeypatch.setattr(uploads, "CHUNK", 4)
    real, calls = uploads.intake, []

    def breaks(*args, **kwargs):
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("a bug")
        return real(*args, **kwargs)

    monkeypatch.setattr(uploads, "intake", breaks)
    upload = take(many)
    assert counts(upload) == ("failed", 4, 0, 0)
    assert "What was recorded stays" in upload.error
    assert "a bug" in caplog.text


# --- the file of refused rows ------------------------------------------------------------------------
def refused_file(client, upload) -> list[list[str]]:
    response = client.get(f"/uploads/{upload.public_id}/errors.csv")
    assert "attachment" in response["Content-Disposition"]
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text), delimiter=upload.delimiter))


def test_refused_rows_come_back_with_line_and_error(client, take, deliver):
    deliver("evt_123")
    upload = take(SEED)
    head, first, second = refused_file(client, upload)
    assert head == [*HEAD.split(","), "line", "error"]
    assert first[:6] == ["evt_124", "bad_info", "", "2024-01-15", "Wrong phone", "3"]
    assert second[5] == "4"
    assert "No lead of yours" in first[6]


def test_the_mended_file_can_be_uploaded_as_it_came(client, take, deliver):
    upload = take("lead_id;revenue\nevt_1;12,50\n")
    deliver("evt_1")
    content = b"".join(client.get(f"/uploads/{upload.public_id}/errors.csv").streaming_content)
    assert counts(take(content)) == ("done", 1, 0, 0)
    assert Delivery.objects.get(public_id="evt_1").revenue == Decimal("12.50")


def test_formulas_are_defused_in_the_file(client, take):
    upload = take('lead_id,revenue,notes\nevt_1,-12.50,"=HYPERLINK(""http://x"")"\n')
    assert refused_file(client, upload)[1][:3] == ["evt_1", "-12.50", '\'=HYPERLINK("http://x")']


@pytest.mark.parametrize(
    "cell", ["=1+1", "+cmd", "-cmd", "@SUM(A1)", "\tx", "\rx", "\nx", "\0x", "＝1", "-1-1", "+-1"]
)
def test_defused(cell):
    assert defused(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["-12.50", "+3", "-12,50", "1=1", "", "a@b.c", "-5%", "-1.234,56"])
def test_left_alone(cell):
    assert defused(cell) == cell


def test_without_refused_rows_there_is_no_such_file(client, take, deliver):
    deliver("evt_1")
    upload = take("lead_id,outcome\nevt_1,converted\n")
    assert client.get(f"/uploads/{upload.public_id}/errors.csv").status_code == 404


def test_the_page_shows_the_first_refused_rows(client, take, monkeypatch):
    monkeypatch.setattr(upload_views, "SHOWN", 2)
    upload = take(SEED)
    page = client.get(f"/uploads/{upload.public_id}/").content.decode()
    assert "The first 2 of 3" in page
    assert "evt_125" not in page


def test_one_upload_of_many_chunks_is_still_one_upload(take, many, monkeypatch):
    monkeypatch.setattr(uploads, "CHUNK", 4)
    upload = take(many)
    assert set(ChangeSet.objects.values_list("upload", flat=True)) == {upload.pk}
