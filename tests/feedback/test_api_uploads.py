"""POST /flows/{id}/feedback/uploads and what follows: a file through the API."""

from __future__ import annotations

import csv
import io
import itertools

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client

from feedback import tasks, upload_api, upload_bodies, uploads
from feedback.models import ChangeSet, Feedback, RefusedRow, Upload
from flows import keys
from flows.models import Delivery, IdempotentRequest
from tests import factories as make
from tests.feedback.conftest import fault_codes

pytestmark = pytest.mark.django_db
HEAD = "lead_id,outcome,revenue,contacted_date,notes"


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


class Files:
    """A client that sends files and asks after them."""

    def __init__(self, flow, key: str) -> None:
        self.base, self.key, self.client = f"/flows/{flow.public_id}/feedback/uploads", key, Client()

    def post(self, content: str | bytes, *, content_type="text/csv", **headers: str):
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(
            self.base, content, content_type=content_type, headers={"X-API-Key": self.key, **names}
        )

    def raw(self, body: bytes, content_type: str = "text/csv", **extra: str):
        """As a server hands on what came, whatever the headers claim."""
        environ = {"wsgi.input": io.BytesIO(body), "CONTENT_TYPE": content_type, **extra}
        return self.client.generic("POST", self.base, headers={"X-API-Key": self.key}, **environ)

    def form(self, **fields):
        return self.client.post(self.base, fields, headers={"X-API-Key": self.key})

    def get(self, address: str, **headers: str):
        return self.client.get(address, headers={"X-API-Key": self.key, **headers})

    def done(self, content: str | bytes) -> dict:
        """Send it, let the worker read it → what the API then says of it."""
        address = self.post(content)["Location"]
        tasks.sweep_uploads()
        return self.get(address).json()


@pytest.fixture
def files(world, live_key) -> Files:
    return Files(world.flow, live_key)


@pytest.fixture
def test_files(world, test_api) -> Files:
    return Files(world.flow, test_api.key)


@pytest.fixture
def lines(world) -> str:
    """Three rows: one for the delivery, one near miss, one unknown."""
    lead = world.delivery.public_id
    return (
        f"{HEAD}\n{lead},converted,1200,2024-01-15,Great lead\n{lead},sold,,,\nevt_unknown,bad_info,,,=1+1\n"
    )


def test_a_file_is_taken_read_and_told_of(files, world, lines):
    response = files.post(lines)
    assert response.status_code == 202
    waiting = response.json()
    assert response["Location"] == f"{files.base}/{waiting['upload_id']}"
    assert (waiting["status"], waiting["progress"], waiting["rows"]) == ("queued", 0, None)
    assert waiting["dialect"] == {"encoding": None, "delimiter": None}
    assert files.get(response["Location"])["Retry-After"] == "1"
    tasks.sweep_uploads()
    answer = files.get(response["Location"])
    assert "Retry-After" not in answer
    told = answer.json()
    assert told["status"] == "done"
    assert [told[name] for name in ("rows", "recorded", "unchanged", "rejected")] == [3, 0, 0, 3]
    assert (told["progress"], told["livemode"], told["error"]) == (1, True, None)
    assert told["dialect"] == {"encoding": "utf-8", "delimiter": ","}
    assert told["errors_url"] == f"{response['Location']}/errors"


def test_good_rows_are_recorded_by_the_upload_and_its_key(files, world):
    told = files.done(f"{HEAD}\n{world.delivery.public_id},converted,1200,,Great lead\nevt_x,converted,,,\n")
    assert [told[name] for name in ("rows", "recorded", "unchanged", "rejected")] == [2, 1, 0, 1]
    event = Feedback.objects.get()
    assert event.values == {"outcome": "converted", "revenue": "1200.00", "notes": "Great lead"}
    assert event.change_set.door == "upload"
    assert event.change_set.upload.public_id == told["upload_id"]
    assert event.change_set.api_key.name == "CRM"


def test_the_refused_rows_come_back_with_line_and_error_and_defused(files, lines):
    told = files.done(lines)
    response = files.get(told["errors_url"], Accept="text/csv")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in response["Content-Disposition"]
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    head, *rows = csv.reader(io.StringIO(text))
    assert head == [*HEAD.split(","), "line", "error"]
    assert [row[5] for row in rows] == ["2", "3", "4"]
    assert "different values for outcome" in rows[0][6]
    assert (rows[2][4], "No lead of yours" in rows[2][6]) == ("'=1+1", True)
    head_only = files.client.head(told["errors_url"], headers={"X-API-Key": files.key})
    assert (head_only.status_code, head_only.content) == (200, b"")


def test_without_refused_rows_there_is_no_errors_file(files, world):
    told = files.done(f"lead_id,outcome\n{world.delivery.public_id},converted\n")
    assert told["errors_url"] is None
    response = files.get(f"{files.base}/{told['upload_id']}/errors")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_the_same_file_again_records_nothing(files, world):
    content = f"lead_id,outcome\n{world.delivery.public_id},converted\n"
    assert files.done(content)["recorded"] == 1
    again = files.done(content)
    assert (again["recorded"], again["unchanged"]) == (0, 1)


def test_a_form_with_one_file_is_the_same(files, world):
    content = f"lead_id;revenue\n{world.delivery.public_id};12,50\n".encode("utf-16")
    response = files.form(file=SimpleUploadedFile("März.csv", content))
    assert response.status_code == 202
    assert response.json()["filename"] == "März.csv"
    tasks.sweep_uploads()
    told = files.get(response["Location"]).json()
    assert (told["recorded"], told["dialect"]) == (1, {"encoding": "utf-16", "delimiter": ";"})
    assert files.get(response["Location"])["Content-Type"] == "application/json"
    assert Delivery.objects.get(pk=world.delivery.pk).revenue == 12.5


def test_a_byte_order_mark_is_no_other_encoding(files, world):
    told = files.done(f"lead_id,outcome\n{world.delivery.public_id},converted\n".encode("utf-8-sig"))
    assert (told["recorded"], told["dialect"]["encoding"]) == (1, "utf-8")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"file": "a,b"},
        {"other": SimpleUploadedFile("a.csv", b"a,b")},
        {"file": [SimpleUploadedFile("a.csv", b"a,b"), SimpleUploadedFile("b.csv", b"a,b")]},
        {"file": SimpleUploadedFile("a.csv", b"")},
    ],
)
def test_a_form_needs_one_file(files, fields, folder):
    response = files.form(**fields)
    assert (response.status_code, fault_codes(response)) == (422, {("file", "required")})
    nothing_kept(folder)


def nothing_kept(folder) -> None:
    assert not Upload.objects.exists()
    assert list(folder.rglob("*.csv")) == []


def test_an_empty_body_is_refused(files, folder):
    assert fault_codes(files.raw(b"", CONTENT_LENGTH="0")) == {("file", "required")}
    nothing_kept(folder)


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/zip", ""])
def test_other_types_are_not_taken(files, content_type):
    response = files.post(b"lead_id,outcome\n", content_type=content_type)
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")
    assert response["Accept-Post"] == "text/csv, multipart/form-data"


def test_a_compressed_body_is_not_taken(files):
    assert files.post(b"x", Content_Encoding="gzip").status_code == 415


@pytest.mark.parametrize("excess", [1, upload_bodies.ROOM + 1])
def test_a_file_over_the_limit_is_refused_with_the_limit(files, settings, folder, excess):
    settings.UPLOAD_MAX_BYTES = 1000
    content = b"x" * (1000 + excess)
    for response in (files.post(content), files.form(file=SimpleUploadedFile("big.csv", content))):
        assert (response.status_code, response.json()["code"]) == (413, "body_too_large")
        assert response.json()["max_bytes"] == 1000
    assert files.post(content[:1000]).status_code == 202
    assert Upload.objects.count() == 1


def test_a_body_that_breaks_off_is_refused(files, folder):
    response = files.raw(b"lead_id", CONTENT_LENGTH="500")
    assert (response.status_code, response.json()["code"]) == (400, "bad_request")
    assert "broke off after 7 of 500" in response.json()["detail"]
    nothing_kept(folder)


def test_a_chunked_body_needs_no_length(files, world):
    """As servers hand it on: no Content-Length, the end of the input is the end of the body."""
    content = f"lead_id,outcome\n{world.delivery.public_id},converted\n".encode()
    boundary = b"--b\r\nContent-Disposition: form-data; name=file; filename=a.csv\r\n\r\n"
    form = boundary + content + b"\r\n--b--\r\n"
    for body, kind in ((content, "text/csv"), (form, "multipart/form-data; boundary=b")):
        response = files.raw(body, kind, CONTENT_LENGTH="", HTTP_TRANSFER_ENCODING="chunked")
        assert response.status_code == 202, response.content
        with Upload.objects.latest("pk").file.open() as kept:
            assert kept.read() == content


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=zzz"])
def test_what_is_no_form_is_refused(files, content_type):
    response = files.post(b"lead_id,outcome\n", content_type=content_type)
    assert response.status_code in (400, 422)
    assert not Upload.objects.exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04rest", "an Excel workbook"),
        (b'lead_id,notes\nevt_1,fine\nevt_2,"open\nevt_3,z\n', "Line 3"),
        (b"lead_id,colour\nevt_1,red\n", "Unknown: “colour”"),
    ],
)
def test_a_file_that_cannot_be_read_fails_as_a_whole_and_says_why(files, content, words):
    told = files.done(content)
    assert (told["status"], told["recorded"], told["errors_url"]) == ("failed", 0, None)
    assert words in told["error"]


def test_the_key_makes_it_one_upload(files, lines, folder):
    first = files.post(lines, Idempotency_Key="monday")
    again = files.post(lines, Idempotency_Key="monday")
    assert again["Idempotent-Replayed"] == "true"
    assert (again.content, again["Location"]) == (first.content, first["Location"])
    other = files.post(lines + "evt_9,converted,,,\n", Idempotency_Key="monday")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert Upload.objects.count() == 1
    assert len(list(folder.rglob("*.csv"))) == 1


def test_what_could_not_be_recorded_leaves_no_file(files, lines, folder, monkeypatch):
    monkeypatch.setattr(upload_api, "upload_json", broken_json)
    assert files.post(lines, Idempotency_Key="x").status_code == 500
    nothing_kept(folder)
    assert not IdempotentRequest.objects.exists()


def broken_json(*args):
    raise RuntimeError("a bug")


def test_progress_is_how_far_the_worker_is(files, world, monkeypatch):
    monkeypatch.setattr(uploads, "CHUNK", 2)
    location = files.post("lead_id,outcome\n" + "evt_x,converted\n" * 6)["Location"]
    seen, real = [], uploads.intake

    def look(*args, **kwargs):
        seen.append(files.get(location).json())
        return real(*args, **kwargs)

    monkeypatch.setattr(uploads, "intake", look)
    tasks.sweep_uploads()
    assert [each["progress"] for each in seen] == [0, 0.3333, 0.6667]
    assert {(each["status"], each["rows"]) for each in seen} == {("running", 6)}


# --- Whose it is ------------------------------------------------------------------------------------
def test_others_uploads_are_not_there(files, world, other_world, lines):
    told = files.done(lines)
    rival = keys.issue(name="rival", buyer=make.BuyerFactory(seller=world.seller))[1]
    make.AgreementFactory(flow=world.flow, buyer=keys.authenticate(rival)[0].buyer)
    sibling = make.FlowFactory(seller=world.seller)
    make.AgreementFactory(flow=sibling, buyer=world.buyer)
    strangers = (
        Files(world.flow, rival),
        Files(other_world.flow, keys.issue(name="x", buyer=other_world.buyer)[1]),
        Files(sibling, files.key),
    )
    for stranger, suffix in itertools.product(strangers, ("", "/errors")):
        theirs, nowhere = (
            stranger.get(f"{stranger.base}/{each}{suffix}") for each in (told["upload_id"], "upl_nowhere")
        )
        assert theirs.status_code == nowhere.status_code == 404
        assert without_id(theirs) == without_id(nowhere)
    for stranger in strangers:
        address = f"{stranger.base}/{told['upload_id']}/undo"
        assert stranger.client.post(address, headers={"X-API-Key": stranger.key}).status_code == 404


def without_id(response) -> dict:
    return {name: value for name, value in response.json().items() if name != "request_id"}


def test_a_seller_has_no_use_for_it(world, lines):
    response = Files(world.flow, keys.issue(name="s", seller=world.seller)[1]).post(lines)
    assert (response.status_code, response.json()["code"]) == (403, "key_not_allowed")


def test_a_flow_without_feedback_takes_no_file(files, world, lines):
    world.flow.feedback_enabled = False
    world.flow.save()
    response = files.post(lines)
    assert (response.status_code, response.json()["code"]) == (403, "feedback_disabled")


# --- Test keys --------------------------------------------------------------------------------------
def test_a_test_key_counts_as_it_would_be_and_records_nothing(files, test_files, world, lines):
    second = make.DeliveryFactory(lead__source=world.source, buyer=world.buyer).public_id
    files.done(f"lead_id,outcome\n{second},contacted\n")
    before = Feedback.objects.count(), ChangeSet.objects.count(), version(world)
    content = (
        f"lead_id,outcome\n{world.delivery.public_id},converted\n{second},contacted\nevt_x,converted\n"
        f"evt_test,converted\n"
    )
    told = test_files.done(content)
    assert (told["status"], told["livemode"]) == ("done", False)
    assert [told[name] for name in ("rows", "recorded", "unchanged", "rejected")] == [4, 2, 1, 1]
    assert (Feedback.objects.count(), ChangeSet.objects.count(), version(world)) == before
    assert RefusedRow.objects.filter(upload__public_id=told["upload_id"]).count() == 1
    assert test_files.get(told["errors_url"]).status_code == 200


def version(world) -> tuple:
    world.delivery.refresh_from_db()
    return world.delivery.version, world.delivery.outcome


def test_live_and_test_keys_do_not_see_each_others_uploads(files, test_files, lines):
    live, test = files.done(lines)["upload_id"], test_files.done(lines)["upload_id"]
    assert files.get(f"{files.base}/{test}").status_code == 404
    assert test_files.get(f"{files.base}/{live}").status_code == 404
    response = test_files.client.post(f"{files.base}/{live}/undo", headers={"X-API-Key": test_files.key})
    assert response.status_code == 404


def test_the_lead_for_trying_out_adds_nothing_in_a_live_file(files):
    told = files.done("lead_id,outcome\nevt_test,converted\n")
    assert [told[name] for name in ("rows", "recorded", "unchanged", "rejected")] == [1, 0, 1, 0]


def test_a_test_is_shown_as_one_in_the_portal(test_files, world, as_user):
    told = test_files.done(f"lead_id,outcome\n{world.delivery.public_id},converted\n")
    client = as_user(world.agent)
    assert "test, nothing recorded" in client.get("/uploads/").content.decode()
    page = client.get(f"/uploads/{told['upload_id']}/").content.decode()
    assert "Sent with a test key" in page
    assert 'id="upload-undo"' not in page


@pytest.mark.django_db(transaction=True)
def test_the_answer_is_given_once_the_upload_is_committed(files, lines):
    assert files.post(lines).status_code == 202
    assert not transaction.get_connection().in_atomic_block
    assert Upload.objects.count() == 1
