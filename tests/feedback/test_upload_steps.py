"""A file prepared in the portal: read, mapped, checked in the worker, confirmed once, or discarded."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from feedback import leases, tasks, tidying, upload_check, upload_lease, upload_steps, uploads
from feedback import mapping as meaning
from feedback.mapping import EMAIL, PHONE, Mapping
from feedback.models import (
    ChangeSet,
    ExternalIdChange,
    Feedback,
    ProposedMatch,
    RefusedRow,
    RememberedMapping,
    StaleMark,
    Upload,
)
from feedback.proposals import accept, accept_all, confidence, waiting, withdraw
from feedback.reader import UnreadableError
from feedback.schema import FieldSpec, Schema, Terms
from feedback.submission import Origin
from feedback.undo import undo
from flows.models import Agreement, Delivery, Lead
from flows.problems import ProblemError
from tests import factories as make

CRM = "Lead;Status;Betrag;Kommentar\nevt_a;Closed Won;1.234,50;Zoë kauft\nevt_b;Lost;;Müller sagt nein\n"


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def deliver(world):
    def one(evt: str, **columns) -> Delivery:
        return make.DeliveryFactory(lead__source=world.source, buyer=world.buyer, public_id=evt, **columns)

    return one


@pytest.fixture
def begin(world):
    """``begin(content)``: a draft, as a person of the buyer drops it."""

    def one(content: str | bytes, *, name: str = "crm.csv") -> Upload:
        body = content.encode() if isinstance(content, str) else content
        return upload_steps.begin(world.actor(world.agent), world.flow, SimpleUploadedFile(name, body))

    return one


@pytest.fixture
def checked():
    """``checked(upload)``: have the worker look over it → as it stands then."""

    def one(upload: Upload) -> Upload:
        upload_steps.check(upload)
        return work(upload)

    return one


def work(upload: Upload) -> Upload:
    tasks.read_upload(upload.pk)
    upload.refresh_from_db()
    return upload


def record(upload: Upload) -> Upload:
    upload_steps.confirm(upload)
    return work(upload)


def columns(upload: Upload, *targets: str, **values) -> Upload:
    upload_steps.set_mapping(upload, Mapping(targets, values))
    upload.refresh_from_db()
    return upload


def nothing_recorded() -> bool:
    return not any(model.objects.exists() for model in (Feedback, ChangeSet, StaleMark, ExternalIdChange))


def test_a_cp1252_file_with_semicolons_and_decimal_commas_is_read_shown_and_recorded(begin, deliver, checked):
    deliver("evt_a"), deliver("evt_b")
    upload = begin(CRM.encode("cp1252"))
    shown = upload_steps.preview(upload)
    assert shown.read_as == "Windows-1252, cells parted by semicolons, decimal commas"
    assert shown.foreign == ["Zoë kauft", "Müller sagt nein"]
    assert [column.target for column in shown.columns] == ["lead_id", "outcome", "revenue", "notes"]
    (outcomes,) = shown.values
    assert [(each.text, each.meaning, each.guessed) for each in outcomes.values] == [
        ("Closed Won", "converted", True),
        ("Lost", "not_interested", True),
    ]
    columns(
        upload,
        "lead_id",
        "outcome",
        "revenue",
        "notes",
        outcome={"closed won": "converted", "lost": "not_interested"},
    )
    findings = checked(upload).findings
    assert (findings["new"], findings["refused"], upload.status) == (2, 0, "checked")
    assert {"name": "revenue", "before": None, "after": "1234.50"} in findings["samples"][0]["changes"]
    assert nothing_recorded()
    assert record(upload).status == "done"
    won = Delivery.objects.get(public_id="evt_a")
    assert (won.outcome, won.revenue, won.fields["notes"]) == ("converted", Decimal("1234.5"), "Zoë kauft")


def test_a_byte_order_mark_before_cp1252_is_no_text(begin, deliver, checked):
    deliver("evt_a"), deliver("evt_b")
    upload = begin(b"\xef\xbb\xbf" + CRM.encode("cp1252"))
    shown = upload_steps.preview(upload)
    assert upload.encoding == "cp1252"
    assert shown.names[0] == "Lead"


def test_a_file_without_a_line_of_names_is_read_by_its_columns(begin, deliver, checked):
    deliver("evt_a"), deliver("evt_b")
    upload = begin("evt_a,converted,5\nevt_b,no_contact,2\n")
    shown = upload_steps.preview(upload)
    assert not upload.has_header
    assert [(column.name, column.target) for column in shown.columns] == [
        ("Column 1", "lead_id"),
        ("Column 2", "outcome"),
        ("Column 3", ""),
    ]
    columns(upload, "lead_id", "outcome", "quality_score")
    assert checked(upload).findings["new"] == 2
    assert record(upload).recorded == 2


def test_how_it_is_read_can_be_said_otherwise(begin):
    upload = begin('lead_id,revenue\nevt_a,"1,50"\n')
    upload_steps.set_reading(upload, encoding="utf-8", delimiter=",", has_header=True, decimal_comma=True)
    upload.refresh_from_db()
    assert upload_steps.preview(upload).read_as == "UTF-8, cells parted by commas, decimal commas"
    upload_steps.set_reading(upload, encoding="utf-8", delimiter=",", has_header=False, decimal_comma=False)
    upload.refresh_from_db()
    assert upload_steps.preview(upload).names == ("Column 1", "Column 2")
    with pytest.raises(UnreadableError):
        upload_steps.set_reading(
            upload, encoding="utf-16", delimiter=",", has_header=True, decimal_comma=False
        )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04rest", "a zip file"),
        (b"", "The file is empty"),
        (b'lead_id,notes\nevt_1,"never closed\n', "Line 2: A quote"),
        (b"lead_id,notes\nevt_1," + b"x" * 100_001, "Line 2: A cell is longer"),
        (b"lead_id" + b",a" * 10_000 + b"\n", "Line 1: There are more than 1,000 columns"),
    ],
)
def test_what_cannot_be_read_is_refused_and_not_kept(begin, content, words, tmp_path):
    with pytest.raises(UnreadableError, match=words):
        begin(content)
    assert not Upload.objects.exists()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_fault_far_below_is_found_by_the_check_with_its_line(begin, deliver, checked):
    rows = "".join(f"evt_{number},converted\n" for number in range(3_000))
    upload = checked(begin(f'lead_id,outcome\n{rows}evt_x,"open\n'))
    assert (upload.status, upload.rejected) == ("failed", 0)
    assert upload.error.startswith("Line 3002: A quote is opened here")
    assert nothing_recorded()
    upload_steps.discard(upload)
    assert not Upload.objects.exists()


def test_the_check_counts_what_the_run_then_does(begin, deliver, checked, world):
    for name in ("evt_a", "evt_b", "evt_c", "evt_d"):
        deliver(name)
    record(checked(begin("lead_id,outcome\nevt_a,contacted\nevt_b,contacted\n")))
    content = (
        "lead_id,outcome,quality_score\n"
        "evt_a,contacted,\n"  # on record
        "evt_b,converted,5\n"  # changes
        "evt_c,no_contact,\n"  # new
        "evt_c,no_contact,\n"  # said twice
        "evt_nobody,converted,\n"
        "evt_d,converted,9\n"
    )
    upload = checked(begin(content))
    found = upload.findings
    assert [found[name] for name in ("new", "changed", "unchanged", "refused")] == [1, 1, 2, 2]
    assert [each["line"] for each in found["reasons"]] == [6, 7]
    assert RefusedRow.objects.filter(upload=upload).count() == 2
    upload = record(upload)
    assert (upload.recorded, upload.unchanged, upload.rejected) == (2, 2, 2)
    assert RefusedRow.objects.filter(upload=upload).count() == 2


def test_a_row_said_twice_far_apart_counts_once(begin, deliver, checked, monkeypatch):
    monkeypatch.setattr(upload_check, "CHUNK", 1)
    monkeypatch.setattr(uploads, "CHUNK", 1)
    deliver("evt_a")
    upload = checked(begin("lead_id,outcome\nevt_a,converted\nevt_a,converted\n"))
    assert (upload.findings["new"], upload.findings["unchanged"]) == (1, 1)
    upload = record(upload)
    assert (upload.recorded, upload.unchanged) == (1, 1)


def test_the_same_file_again_records_nothing(begin, deliver, checked):
    deliver("evt_a"), deliver("evt_b")
    content = "lead_id,outcome\nevt_a,Won\nevt_b,Lost\n"
    known = {"outcome": {"won": "converted", "lost": "not_interested"}}
    record(checked(columns(begin(content), "lead_id", "outcome", **known)))
    upload = checked(begin(content))
    assert (upload.findings["unchanged"], upload.findings["new"]) == (2, 0)
    assert record(upload).recorded == 0
    assert Feedback.objects.count() == 2


def test_a_mapping_is_remembered_for_files_with_the_same_head_and_its_values_for_others(
    begin, deliver, checked
):
    deliver("evt_a")
    first = columns(begin("Ref,What\nevt_a,Kaputt\n"), "lead_id", "outcome", outcome={"kaputt": "bad_info"})
    record(checked(first))
    again = begin("Ref,What\nevt_a,Kaputt\n")
    assert upload_steps.remembered(again).upload == first
    assert again.mapping == first.mapping
    other = begin("lead_id,outcome\nevt_a,kaputt\n")
    assert upload_steps.remembered(other) is None
    (outcomes,) = upload_steps.preview(other).values
    assert [(each.meaning, each.guessed) for each in outcomes.values] == [("bad_info", False)]
    upload_steps.start_afresh(again)
    again.refresh_from_db()
    assert again.mapping["values"] == {}


def test_a_draft_does_not_remember_anything(begin):
    columns(begin("Ref,What\nevt_a,Kaputt\n"), "lead_id", "outcome", outcome={"kaputt": "bad_info"})
    assert not RememberedMapping.objects.exists()


def test_values_nobody_knows_are_counted_over_the_whole_file(begin, deliver, checked, monkeypatch):
    deliver("evt_a")
    upload = begin("lead_id,outcome\nevt_a,Hm\nevt_b,Hm\nevt_c,Tja\n")
    upload = checked(columns(upload, "lead_id", "outcome"))
    assert upload.findings["unknown"] == {"outcome": [["Hm", 2], ["Tja", 1]]}
    assert upload.findings["refused"] == 3


def test_confirming_twice_records_once(begin, deliver, checked):
    deliver("evt_a")
    upload = record(checked(begin("lead_id,outcome\nevt_a,converted\n")))
    assert upload_steps.confirm(upload).status == "done"
    assert work(upload).recorded == 1
    assert Feedback.objects.count() == 1


def test_nothing_is_confirmed_before_it_was_checked(begin, deliver, checked):
    upload = begin("lead_id,outcome\nevt_a,converted\n")
    with pytest.raises(ProblemError, match="Check all rows again"):
        upload_steps.confirm(upload)
    checked(upload)
    columns(upload, "lead_id", "outcome")
    with pytest.raises(ProblemError):
        upload_steps.confirm(upload)


def test_what_was_confirmed_is_neither_changed_nor_discarded(begin, deliver, checked):
    deliver("evt_a")
    upload = checked(begin("lead_id,outcome\nevt_a,converted\n"))
    upload_steps.confirm(upload)
    for change in (
        lambda: upload_steps.set_mapping(upload, Mapping(("lead_id", "notes"))),
        lambda: upload_steps.check(upload),
        lambda: upload_steps.discard(upload),
    ):
        with pytest.raises(ProblemError):
            change()
    assert work(upload).recorded == 1


def test_a_mapping_that_cannot_be_read_is_not_checked(begin):
    upload = columns(begin("a,b\n1,2\n"), "", "notes")
    with pytest.raises(ValueError, match="No column names the lead"):
        upload_steps.check(upload)
    columns(upload, "lead_id", "lead_id")
    with pytest.raises(ValueError, match="Two columns are read as the lead"):
        upload_steps.check(upload)


def test_a_killed_check_begins_anew(begin, deliver, checked, monkeypatch):
    monkeypatch.setattr(upload_check, "CHUNK", 1)
    deliver("evt_a")
    upload = begin("lead_id,outcome\nevt_a,converted\nevt_no,converted\nevt_nix,converted\n")
    upload_steps.check(upload)
    looked = upload_check._look_over

    def killed(upload, plan, tally, rows, **how):
        looked(upload, plan, tally, rows, **how)
        if rows[0].line == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(upload_check, "_look_over", killed)
    with pytest.raises(KeyboardInterrupt):
        work(upload)
    monkeypatch.setattr(upload_check, "_look_over", looked)
    assert upload_lease.waiting() == []
    later = timezone.now() + leases.LEASE + dt.timedelta(seconds=1)
    assert upload_lease.waiting(now=later) == [upload.pk]
    Upload.objects.update(claimed_until=timezone.now() - dt.timedelta(seconds=1))
    upload = work(upload)
    assert (upload.status, upload.findings["new"], upload.findings["refused"]) == ("checked", 1, 2)
    assert RefusedRow.objects.filter(upload=upload).count() == 2


def test_a_mapping_changed_under_a_running_check_stops_it(begin, deliver, monkeypatch):
    deliver("evt_a")
    upload = begin("lead_id,outcome\nevt_a,converted\n")
    upload_steps.check(upload)
    looked = upload_check._look_over

    def overtaken(*args, **how):
        upload_steps.set_mapping(upload, Mapping(("lead_id", "notes")))
        looked(*args, **how)

    monkeypatch.setattr(upload_check, "_look_over", overtaken)
    assert work(upload).status == "draft"
    assert upload.findings == {}


def test_drafts_are_dropped_after_a_week(
    begin, deliver, checked, tmp_path, django_capture_on_commit_callbacks
):
    deliver("evt_a")
    old, young = begin("lead_id,outcome\nevt_a,converted\n"), begin("lead_id,outcome\nevt_a,converted\n")
    done = record(checked(begin("lead_id,outcome\nevt_a,converted\n")))
    Upload.objects.exclude(pk=young.pk).update(created_at=timezone.now() - dt.timedelta(days=8))
    with django_capture_on_commit_callbacks(execute=True):
        assert tidying.drop_drafts() == 1
    assert set(Upload.objects.all()) == {young, done}
    assert not old.file.storage.exists(old.file.name)


# --- Leads found by contact ---------------------------------------------------------------------


@pytest.fixture
def known(deliver):
    """A lead with an e-mail and a phone number."""
    delivery = deliver("evt_known")
    Lead.objects.filter(pk=delivery.lead_id).update(
        email_normalised="zoe@example.com", phone_e164="+15125550147"
    )
    return delivery


@pytest.fixture
def by_contact(begin, checked):
    """``by_contact(rows)``: a checked file of e-mails, phones, outcomes and own ids."""

    def one(rows: str) -> Upload:
        upload = begin(f"Mail,Tel,Result,Ref\n{rows}")
        return checked(columns(upload, EMAIL, PHONE, "outcome", "external_id"))

    return one


def test_a_lead_is_proposed_by_its_contact_and_used_only_once_accepted(known, by_contact):
    upload = by_contact("ZOE@example.com,(512) 555-0147,converted,crm-7\n")
    (found,) = upload.proposals.all()
    assert (found.delivery, found.basis, found.confidence) == (known, "both", 98)
    assert (upload.findings["proposed"], upload.findings["new"], upload.findings["refused"]) == (1, 0, 0)
    upload = record(upload)
    assert (upload.recorded, upload.rejected) == (0, 1)
    assert "nobody accepted it" in RefusedRow.objects.get(upload=upload).error
    assert nothing_recorded()


def test_an_accepted_match_is_recorded_and_its_own_id_learned(known, by_contact):
    upload = by_contact("zoe@example.com,,converted,crm-7\n")
    (found,) = upload.proposals.all()
    assert (found.basis, found.confidence) == ("email", 90)
    assert accept(upload, [found.pk]) == 1
    assert record(upload).recorded == 1
    known.refresh_from_db()
    assert (known.outcome, known.external_id) == ("converted", "crm-7")
    again = by_contact("zoe@example.com,,converted,crm-7\n")  # now it is found by that id
    assert (again.findings["proposed"], again.findings["unchanged"]) == (0, 1)


def test_rivals_lower_the_confidence_and_one_of_them_is_chosen(known, deliver, by_contact):
    twin = deliver("evt_twin")
    Lead.objects.filter(pk=twin.lead_id).update(email_normalised="zoe@example.com")
    upload = by_contact("zoe@example.com,,converted,\n")
    assert [each.confidence for each in upload.proposals.all()] == [45, 45]
    assert waiting(upload) == {"both": 0, "email": 0, "phone": 0}
    assert accept_all(upload, "email") == 0
    ids = list(upload.proposals.values_list("pk", flat=True))
    with pytest.raises(ValueError, match="one lead for line 2"):
        accept(upload, ids)
    accept(upload, ids[:1])
    accept(upload, ids[1:])
    assert list(upload.proposals.filter(accepted=True).values_list("pk", flat=True)) == ids[1:]
    assert withdraw(upload, ids) == 1


def test_all_without_a_rival_are_accepted_at_once(known, deliver, by_contact):
    upload = by_contact("zoe@example.com,512 555 0147,converted,\nzoe@example.com,,contacted,\n")
    assert waiting(upload) == {"both": 1, "email": 1, "phone": 0}
    assert accept_all(upload, "both") == 1
    assert waiting(upload)["both"] == 0
    upload_steps.confirm(upload)
    with pytest.raises(ProblemError):
        accept_all(upload, "email")


def test_others_leads_are_never_proposed(other_world, world, by_contact):
    Lead.objects.filter(pk=other_world.delivery.lead_id).update(email_normalised="zoe@example.com")
    rival = make.DeliveryFactory(lead__source=world.source, buyer=make.BuyerFactory(seller=world.seller))
    Lead.objects.filter(pk=rival.lead_id).update(email_normalised="zoe@example.com")
    upload = by_contact("zoe@example.com,,converted,\n")
    assert not ProposedMatch.objects.exists()
    assert upload.findings["refused"] == 1


def test_contacts_that_are_not_shown_are_not_given_away(known, world, by_contact):
    Agreement.objects.filter(buyer=world.buyer).update(shows_contact=False)
    upload = by_contact("zoe@example.com,,converted,\n")
    assert not upload.proposals.exists()
    assert upload.findings["refused"] == 1


def test_a_row_that_is_wrong_anyway_is_refused_not_proposed(known, by_contact):
    upload = by_contact("zoe@example.com,,nonsense,\n")
    assert (upload.findings["proposed"], upload.findings["refused"]) == (0, 1)
    assert "invalid" in RefusedRow.objects.get().error.lower() or "Send" in RefusedRow.objects.get().error


@pytest.mark.parametrize(
    ("basis", "rivals", "percent"), [("both", 0, 98), ("email", 0, 90), ("phone", 0, 80), ("email", 1, 45)]
)
def test_how_certain_a_match_is(basis, rivals, percent):
    assert confidence(basis, rivals) == percent


# --- The buyer's own ids ---------------------------------------------------------------------------


def test_a_file_teaches_own_ids_and_its_undo_forgets_them(begin, deliver, checked, world):
    kept, other = deliver("evt_a"), deliver("evt_b")
    before = kept.updated_at
    upload = checked(begin("lead_id,external_id,outcome\nevt_a,crm-1,converted\nevt_b,crm-2,contacted\n"))
    assert upload.findings["learned"] == 2
    assert nothing_recorded()
    record(upload)
    kept.refresh_from_db()
    assert kept.external_id == "crm-1"
    assert kept.updated_at > before
    assert ExternalIdChange.objects.count() == 2
    Delivery.objects.filter(pk=other.pk).update(external_id="crm-2b")  # changed since: stays
    undo(upload, Origin(world.actor(world.agent), "portal"))
    kept.refresh_from_db(), other.refresh_from_db()
    assert (kept.external_id, other.external_id) == (None, "crm-2b")


def test_an_id_is_learned_although_the_feedback_is_known(begin, deliver, checked):
    delivery = deliver("evt_a")
    record(checked(begin("lead_id,outcome\nevt_a,converted\n")))
    record(checked(begin("lead_id,external_id,outcome\nevt_a,crm-1,converted\n")))
    delivery.refresh_from_db()
    assert delivery.external_id == "crm-1"
    assert Feedback.objects.count() == 1


def test_one_own_id_for_two_leads_is_refused(begin, deliver, checked):
    deliver("evt_a"), deliver("evt_b"), deliver("evt_c", external_id="crm-9")
    rows = "evt_a,crm-1,converted\nevt_b,crm-1,converted\nevt_b,crm-9,contacted\n"
    upload = record(checked(begin(f"lead_id,external_id,outcome\n{rows}")))
    assert (upload.recorded, upload.rejected) == (0, 3)
    errors = list(RefusedRow.objects.filter(upload=upload).values_list("line", flat=True))
    assert errors == [2, 3, 4]


# --- The mapping itself ----------------------------------------------------------------------------

FIELDS = Schema(
    [
        FieldSpec(name, kind, choices=("auto", "home") if kind == "choice" else ())
        for name, kind in {
            "outcome": "outcome",
            "converted": "boolean",
            "quality_score": "integer",
            "revenue": "money",
            "notes": "text",
            "policy_type": "choice",
        }.items()
    ],
    Terms(),
)
CELLS = st.text(max_size=12) | st.sampled_from(["evt_1", "a@b.co", "converted", "yes", "12,5", "Closed Won"])
HEADS = st.lists(
    st.text(max_size=12) | st.sampled_from(["Lead ID", "Status", "email", "Notes", "date", "amount"]),
    max_size=8,
)


@given(HEADS | st.none(), st.lists(st.lists(CELLS, max_size=8), max_size=4))
def test_no_field_is_guessed_twice(head, samples):
    found = meaning.guess(head, samples, FIELDS)
    chosen = [target for target in found if target]
    assert len(chosen) == len(set(chosen))
    assert set(chosen) <= set(meaning.targets(FIELDS))
    assert not any("Two columns" in fault for fault in meaning.faults(Mapping(found), FIELDS))


@given(st.text())
def test_folding_twice_is_folding_once(text):
    assert meaning.fold(meaning.fold(text)) == meaning.fold(text)


@given(
    st.lists(st.sampled_from(meaning.targets(FIELDS))),
    st.dictionaries(st.sampled_from(["outcome", "policy_type"]), st.dictionaries(st.text(), st.text())),
)
def test_a_mapping_survives_being_kept(chosen, values):
    kept = Mapping(tuple(chosen), values)
    assert Mapping.from_json(kept.as_json()) == kept


@pytest.mark.parametrize(
    ("head", "targets"),
    [
        (["Lead ID", "Disposition", "Sale Amount", "Comments"], ("lead_id", "outcome", "revenue", "notes")),
        (["Event ID", "Email Address", "Phone Number"], ("lead_id", EMAIL, PHONE)),
        (["LEAD_ID", "quality", "Policy Type"], ("lead_id", "quality_score", "policy_type")),
        (["Unheard of"], ("",)),
    ],
)
def test_heads_of_crms_are_understood(head, targets):
    assert meaning.guess(head, [], FIELDS) == targets


@pytest.mark.parametrize(
    ("name", "text", "stands_for"),
    [
        ("outcome", "Closed Won", "converted"),
        ("outcome", "Wrong Number", "bad_info"),
        ("outcome", "?", ""),
        ("converted", "X", "yes"),
        ("policy_type", "AUTO", "auto"),
    ],
)
def test_values_of_crms_are_understood(name, text, stands_for):
    assert meaning.guess_value(name, text, FIELDS) == stands_for


def test_a_lead_that_the_file_names_by_an_id_too_is_not_proposed(known, begin, checked):
    rows = "evt_known,,contacted\n,zoe@example.com,converted\n"
    upload = begin(f"Ref,Mail,Result\n{rows}")
    upload = checked(columns(upload, "lead_id", EMAIL, "outcome"))
    assert not upload.proposals.exists()
    found = upload.findings
    assert (found["new"], found["proposed"], found["refused"]) == (1, 0, 1)
    refused = RefusedRow.objects.get(upload=upload)
    assert (refused.line, "named by its id on another line" in refused.error) == (3, True)


def test_one_lead_is_accepted_for_one_row(known, by_contact):
    upload = by_contact("zoe@example.com,,converted,\nzoe@example.com,,contacted,\n")
    assert waiting(upload)["email"] == 0
    first, second = upload.proposals.order_by("line").values_list("pk", flat=True)
    with pytest.raises(ValueError, match="Lines 2 and 3 would speak of one lead"):
        accept(upload, [first, second])
    accept(upload, [first])
    with pytest.raises(ValueError, match="one lead"):
        accept(upload, [second])


@pytest.mark.parametrize(
    ("content", "comma"),
    [
        ("lead_id\trevenue\nevt_a\t12.5\n", False),
        ("lead_id\trevenue\nevt_a\t12,5\n", True),
        ("lead_id;revenue\nevt_a;12.5\n", False),
        ("lead_id;revenue\nevt_a;1.500\n", True),
        ('lead_id,revenue\nevt_a,"1.500,00"\n', True),
        ("lead_id,revenue\nevt_a,1.500\n", False),
    ],
)
def test_the_numbers_show_which_is_their_decimal_sign(begin, content, comma):
    assert begin(content).decimal_comma is comma
