"""What the check of a file promises is what its run does, and the check itself does nothing."""

from __future__ import annotations

import csv
import datetime as dt
import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feedback import leases, tasks, upload_check, upload_lease, upload_rows, upload_steps, uploads
from feedback.mapping import EMAIL, PHONE, Mapping
from feedback.models import ChangeSet, ExternalIdChange, Feedback, ProposedMatch, StaleMark, Upload
from feedback.proposals import NAMED_TOO, accept_all
from feedback.schema.clock import iso
from feedback.upload_rows import refused_file
from flows.models import Agreement, Delivery, Lead, OutboxMessage
from tests import factories as make

COLUMNS = ("lead_id", "external_id", "outcome", "quality_score", "revenue", "feedback_timestamp", EMAIL)
LEADS = ("evt_a", "evt_b", "evt_c")


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def leads(world):
    """Three leads of the buyer; the last can be found by its e-mail, the first has an id of the buyer's."""
    made = [
        make.DeliveryFactory(lead__source=world.source, buyer=world.buyer, public_id=evt) for evt in LEADS
    ]
    Delivery.objects.filter(pk=made[0].pk).update(external_id="crm-a")
    Lead.objects.filter(pk=made[2].lead_id).update(email_normalised="zoe@example.com")
    return made


@pytest.fixture
def begin(world):
    def one(content: str | bytes, *columns: str, name: str = "crm.csv", **values) -> Upload:
        body = content.encode() if isinstance(content, str) else content
        upload = upload_steps.begin(world.actor(world.agent), world.flow, SimpleUploadedFile(name, body))
        if columns:
            upload_steps.set_mapping(upload, Mapping(columns, values))
            upload.refresh_from_db()
        return upload

    return one


def work(upload: Upload) -> Upload:
    tasks.read_upload(upload.pk)
    upload.refresh_from_db()
    return upload


def checked(upload: Upload) -> Upload:
    upload_steps.check(upload)
    return work(upload)


def record(upload: Upload) -> Upload:
    upload_steps.confirm(upload)
    return work(upload)


def everything() -> list:
    """All rows that a run could write."""
    models = (Feedback, ChangeSet, StaleMark, ExternalIdChange, OutboxMessage)
    states = list(Delivery.objects.order_by("pk").values())
    return [states, *(list(model.objects.order_by("pk").values()) for model in models)]


# --- check = run ------------------------------------------------------------------------------------
MOMENT = timezone.now().replace(microsecond=0)
TIMES = [iso(MOMENT - dt.timedelta(hours=hours)) for hours in (2, 3)]
ROW = st.tuples(
    st.sampled_from([*LEADS, *LEADS, "evt_unknown", ""]),
    st.sampled_from(["", "", "", "crm-a", "crm-b", "crm-x"]),
    st.sampled_from(["converted", "contacted", "Closed Won", "nonsense", ""]),
    st.sampled_from(["", "5", "9"]),
    st.sampled_from(["", "", "12.50", "-1"]),
    st.sampled_from(TIMES),
    st.sampled_from(["", "zoe@example.com", "nobody@example.com"]),
)


def as_csv(rows, head=COLUMNS) -> str:
    memory = io.StringIO()
    csv.writer(memory).writerows([head, *rows])
    return memory.getvalue()


# Across chunks the check knows only rows that are the same word for word: there each lead has one name.
IN_CHUNKS = st.lists(ROW.map(lambda row: (row[0], "", *row[2:])), min_size=1, max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(st.tuples(st.lists(ROW, min_size=1, max_size=12), st.just(500)) | st.tuples(IN_CHUNKS, st.just(2)))
def test_what_the_check_promised_is_what_the_run_does(begin, leads, monkeypatch, drawn):
    rows, chunk = drawn
    monkeypatch.setattr(upload_check, "CHUNK", chunk)
    monkeypatch.setattr(uploads, "CHUNK", chunk)
    fresh = transaction.savepoint()
    try:
        compare_check_and_run(begin, rows)
    finally:
        transaction.savepoint_rollback(fresh)


def compare_check_and_run(begin, rows):
    before = everything()
    upload = checked(begin(as_csv(rows), *COLUMNS, outcome={"closed won": "converted"}))
    assert upload.status == "checked", upload.error
    assert everything() == before
    found = upload.findings
    refused = {row.line: row.error for row in upload.refused_rows.all()}
    assert found["refused"] == len(refused)
    parts = ("new", "changed", "unchanged", "refused", "proposed")
    assert sum(found[part] for part in parts) == found["rows"] == len(rows)

    ids = ExternalIdChange.objects.count()
    upload = record(upload)
    assert upload.status == "done", upload.error
    assert upload.recorded == found["new"] + found["changed"] == Feedback.objects.count()
    assert upload.unchanged == found["unchanged"]
    assert upload.rejected == found["refused"] + found["proposed"]
    assert ExternalIdChange.objects.count() - ids == found["learned"]
    done = {row.line: row.error for row in upload.refused_rows.all()}
    # The check has looked for the lead by its contact as well, and does not ask for an id then.
    assert all(done[line].endswith(error) or error == NAMED_TOO for line, error in refused.items())
    proposed = set(ProposedMatch.objects.filter(upload=upload).values_list("line", flat=True))
    assert done.keys() - refused.keys() == proposed

    again = checked(begin(as_csv(rows), *COLUMNS, outcome={"closed won": "converted"}))
    if not found["learned"]:  # else rows that stood above the one that taught an id may be found by it now
        assert (again.findings["new"], again.findings["changed"], again.findings["learned"]) == (0, 0, 0)
        assert record(again).recorded == 0


def test_several_rows_on_one_lead_are_new_once(begin, leads):
    rows = [("evt_a", "", "contacted", "", "", time, "") for time in TIMES]
    upload = checked(begin(as_csv(rows), *COLUMNS))
    assert (upload.findings["new"], upload.findings["changed"]) == (1, 1)
    assert [sample["line"] for sample in upload.findings["samples"]] == [2]
    record(upload)
    assert checked(begin(as_csv(rows), *COLUMNS)).findings["unchanged"] == 2


def test_an_own_id_said_twice_is_learned_once(begin, leads):
    rows = [("evt_b", "crm-b", "contacted", "", "", time, "") for time in TIMES]
    upload = checked(begin(as_csv(rows), *COLUMNS))
    assert upload.findings["learned"] == 1
    record(upload)
    assert ExternalIdChange.objects.count() == 1


def test_anothers_lead_is_refused_in_the_words_of_an_unknown_one(begin, leads, other_world):
    rows = f"{other_world.delivery.public_id},converted\nevt_unknown,converted\n"
    upload = checked(begin(f"lead_id,outcome\n{rows}", "lead_id", "outcome"))
    errors = upload.refused_rows.values_list("error", flat=True)
    assert (len(errors), len(set(errors))) == (2, 1)
    assert [(each["count"], each["line"]) for each in upload.findings["reasons"]] == [(2, 2)]


def test_contacts_hidden_since_the_mapping_was_made_are_not_looked_up(begin, leads, world):
    record(checked(begin("Mail,Result\nnobody@example.com,converted\n", EMAIL, "outcome")))
    Agreement.objects.filter(buyer=world.buyer).update(shows_contact=False)
    upload = begin("Mail,Result\nzoe@example.com,converted\n")
    assert upload.mapping["columns"] == [EMAIL, "outcome"]
    assert checked(upload).findings["refused"] == 1
    assert not ProposedMatch.objects.exists()


def test_a_row_whose_own_id_is_another_leads_is_not_matched_by_its_contact(begin, leads):
    rows = [("evt_unknown", "crm-a", "converted", "", "", TIMES[0], "zoe@example.com")]
    upload = checked(begin(as_csv(rows), *COLUMNS))
    assert not upload.proposals.exists()
    assert "No lead of yours" in upload.refused_rows.get().error


# --- killed and resumed -------------------------------------------------------------------------------
class KilledError(BaseException):
    """Stands for ``kill -9``: nothing of ours catches it."""


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_a_killed_run_goes_on_with_the_mapping_and_the_accepted_matches(begin, leads, monkeypatch, after):
    monkeypatch.setattr(uploads, "CHUNK", 1)
    content = "evt_a,,Yes!\nevt_a,,Yes!\n,zoe@example.com,Yes!\nevt_no,,Yes!\n"
    upload = begin(content, "lead_id", EMAIL, "outcome", outcome={"yes!": "converted"})
    assert not upload.has_header
    assert accept_all(checked(upload), "email") == 1
    real, calls = uploads.intake, []

    def dies(*args, **kwargs):
        receipts = real(*args, **kwargs)
        calls.append(1)
        if len(calls) > after:
            raise KilledError
        return receipts

    monkeypatch.setattr(uploads, "intake", dies)
    with pytest.raises(KilledError):
        record(upload)
    upload.refresh_from_db()
    assert (upload.status, upload.rows_done) == ("running", after)
    monkeypatch.setattr(uploads, "intake", real)
    Upload.objects.update(claimed_until=timezone.now() - dt.timedelta(seconds=1))
    upload = work(upload)
    assert (upload.status, upload.recorded, upload.unchanged, upload.rejected) == ("done", 2, 1, 1)
    assert set(Feedback.objects.values_list("delivery__public_id", flat=True)) == {"evt_a", "evt_c"}
    assert [row.line for row in upload.refused_rows.all()] == [4]


def test_the_lease_is_renewed_while_a_long_file_is_gone_through(begin, leads, monkeypatch):
    """Else another worker would take it over before the first chunk, and lose it in its turn."""
    monkeypatch.setattr(upload_lease, "GLANCE", 1)
    upload = begin("lead_id,outcome\nevt_a,converted\nevt_b,converted\n", "lead_id", "outcome")
    upload_steps.check(upload)
    real, seen = upload_rows.contradictions, []

    def slow(rows, count, meant):
        Upload.objects.update(claimed_until=timezone.now() + dt.timedelta(seconds=5))
        mine.claimed_until = Upload.objects.get().claimed_until
        found = real(rows, count, meant)
        seen.append(Upload.objects.get().claimed_until - timezone.now())
        return found

    mine = upload_lease.claim(upload.pk)
    monkeypatch.setattr(upload_rows, "contradictions", slow)
    upload_check.check_rows(mine)
    assert seen[0] > leases.LEASE / 2
    assert Upload.objects.get().status == "checked"


def test_a_worker_that_lost_the_lease_in_the_first_pass_stops(begin, leads, monkeypatch):
    monkeypatch.setattr(upload_lease, "GLANCE", 1)
    upload = begin("lead_id,outcome\nevt_a,converted\n", "lead_id", "outcome")
    upload_steps.check(upload)
    mine = upload_lease.claim(upload.pk)
    mine.claimed_until = timezone.now()  # it has run out, and the other one has it until later
    with pytest.raises(leases.LostLeaseError):
        upload_check.check_rows(mine)
    assert Upload.objects.get().status == "checking"


# --- long files ---------------------------------------------------------------------------------------
def test_long_rows_are_taken_a_few_at_a_time(begin, leads, monkeypatch):
    monkeypatch.setattr(upload_check.reader, "CHUNK_TEXT", 100)
    sizes = []
    real = upload_check.intake

    def measured(flow, submissions, *args, **kwargs):
        sizes.append(len(submissions))
        return real(flow, submissions, *args, **kwargs)

    for module in (upload_check, uploads):
        monkeypatch.setattr(module, "intake", measured)
    rows = [(evt, "", "converted", "", "", TIMES[0], "") for evt in LEADS] + [("evt_no", *["x" * 100] * 6)]
    upload = record(checked(begin(as_csv(rows), *COLUMNS)))
    assert (upload.recorded, upload.rejected) == (3, 1)
    assert max(sizes) < 4


@pytest.mark.parametrize("count", [2, 60])
def test_a_chunk_costs_as_many_queries_as_any_other(
    begin, leads, world, count, django_assert_max_num_queries
):
    many = [
        make.DeliveryFactory(lead__source=world.source, buyer=world.buyer, public_id=f"evt_{n}")
        for n in range(2 * count)
    ]
    Lead.objects.filter(pk__in=[each.lead_id for each in many]).update(phone_e164="")
    rows = [f"evt_{n},,,converted,{n}\n,{many[count + n].lead.email},,contacted,\n" for n in range(count)]
    columns = ("lead_id", EMAIL, PHONE, "outcome", "external_id")
    upload = begin("".join(["Lead,Mail,Tel,Result,Ref\n", *rows]), *columns)
    with django_assert_max_num_queries(60):
        upload = checked(upload)
    assert (upload.findings["new"], upload.findings["proposed"]) == (count, count)
    accept_all(upload, "email")
    with django_assert_max_num_queries(60):
        upload = record(upload)
    assert upload.recorded + upload.rejected == 2 * count


# --- the refused rows, mended ---------------------------------------------------------------------------
def mended(upload: Upload, **texts: str) -> bytes:
    content = b"".join(refused_file(upload)).decode("utf-8-sig")
    for old, new in texts.items():
        content = content.replace(old, new)
    return content.encode("utf-8-sig")


@pytest.mark.parametrize("head", ["Ref,Amount,Verdict\n", ""])
def test_a_mended_file_is_understood_as_the_one_it_came_from(begin, leads, head):
    content = f'{head}evt_a,"1,50",Gut\nevt_b,"2,50",Oops\n'
    first = begin(content)
    reading = {"encoding": first.encoding, "delimiter": ",", "has_header": bool(head), "decimal_comma": True}
    upload_steps.set_reading(first, **reading)
    upload_steps.set_mapping(
        first, Mapping(("lead_id", "revenue", "outcome"), {"outcome": {"gut": "converted"}})
    )
    first = record(checked(first))
    assert (first.recorded, first.rejected) == (1, 1)
    again = begin(mended(first, Oops="Gut"))
    assert again.has_header
    assert again.mapping["columns"] == ["lead_id", "revenue", "outcome", "", ""]
    assert again.decimal_comma
    again = record(checked(again))
    assert (again.recorded, again.rejected) == (1, 0)
    assert str(Delivery.objects.get(public_id="evt_b").revenue) == "2.500"
    third = begin(content)  # the whole file again, after the mended one
    assert third.mapping["columns"] == ["lead_id", "revenue", "outcome"]


def test_a_file_checked_again_and_then_refused_can_be_discarded(begin, leads, world):
    upload = checked(begin("lead_id,outcome\nevt_a,converted\n", "lead_id", "outcome"))
    world.flow.feedback_enabled = False
    world.flow.save()
    upload = checked(upload)
    assert upload.status == "failed"
    assert "does not take feedback" in upload.error
    upload_steps.discard(upload)
    assert not Upload.objects.exists()
