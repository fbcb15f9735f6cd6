"""A file led through the portal's pages: dropped, its columns said, checked, matched by contact, recorded."""

from __future__ import annotations

import html
import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from feedback import tasks
from feedback.mapping import EMAIL, PHONE
from feedback.models import Feedback, RememberedMapping, Upload
from feedback.upload_forms import LEAVE_OUT
from flows.models import Agreement, Delivery, Field, Lead
from tests import factories as make

CRM = (
    "Lead;Status;Betrag;Kommentar\nevt_a;Closed Won;1.234,50;Zoë kauft\nevt_b;Irgendwie;;Müller sagt nein\n"
).encode("cp1252")
HTMX = {"HX-Request": "true"}
AS_SEEN = {"encoding": "cp1252", "delimiter": ";", "has_header": "yes", "decimal_comma": "yes"}


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def client(world, as_user) -> Client:
    return as_user(world.agent)


@pytest.fixture
def leads(world) -> dict[str, Delivery]:
    return {
        name: make.DeliveryFactory(lead__source=world.source, buyer=world.buyer, public_id=name)
        for name in ("evt_a", "evt_b")
    }


@pytest.fixture
def drop(client, world):
    """``drop(content)``: upload a file by its form → the upload."""

    def one(content: bytes | str, name: str = "crm.csv") -> Upload:
        body = content.encode() if isinstance(content, str) else content
        sent = {"flow": world.flow.public_id, "file": SimpleUploadedFile(name, body)}
        response = client.post("/uploads/new/", sent)
        assert response.status_code == 302, response.content.decode()
        upload = Upload.objects.latest("pk")
        assert response["Location"] == at(upload, "columns")
        return upload

    return one


def at(upload: Upload, page: str = "") -> str:
    return f"/uploads/{upload.public_id}/{page + '/' if page else ''}"


def text(response) -> str:
    """What a person reads of the page, in one line."""
    main = re.search(r"<main.*</main>", response.content.decode(), re.DOTALL)
    plain = re.sub(r"<[^>]+>", " ", main[0] if main else response.content.decode())
    return " ".join(html.unescape(plain).split())


def form_of(page: str, action: str) -> dict[str, list[str]]:
    """The fields of the form that is sent there, as the browser would send them untouched."""
    form = next(
        each for each in re.findall(r"<form.*?</form>", page, re.DOTALL) if f'action="{action}"' in each
    )
    sent: dict[str, list[str]] = {}
    for part in re.findall(r"<input[^>]*>|<select.*?</select>", form, re.DOTALL):
        name = re.search(r'\bname="([^"]*)"', part)
        if name is None:
            continue
        chosen = re.search(r'<option value="([^"]*)" selected', part)
        value = chosen or (re.search(r'value="([^"]*)"', part) if part.startswith("<input") else None)
        sent.setdefault(name[1], []).append(html.unescape(value[1]) if value else "")
    return sent


def sent_as_shown(client: Client, upload: Upload, page: str, **changes):
    """Send the page's form as it stands, but for ``changes``."""
    shown = client.get(at(upload, page)).content.decode()
    return client.post(at(upload, page), form_of(shown, at(upload, page)) | changes)


def check(client: Client, upload: Upload, **changes) -> Upload:
    response = sent_as_shown(client, upload, "columns", do="check", **changes)
    assert response.status_code == 302, text(response)
    assert response["Location"] == at(upload, "check")
    return work(upload)


def work(upload: Upload) -> Upload:
    tasks.read_upload(upload.pk)
    upload.refresh_from_db()
    return upload


# --- The whole way --------------------------------------------------------------------------------


def test_a_file_of_a_crm_from_the_drop_to_the_undo(client, drop, leads):
    upload = drop(CRM)
    page = client.get(at(upload, "columns"))
    assert "Windows-1252, cells parted by semicolons, decimal commas" in text(page)
    assert "Is this spelt right? Zoë kauft · Müller sagt nein" in text(page)
    assert "nothing is recorded yet" in text(page)
    assert page.content.count(b'aria-current="step"') == 1

    columns = {"column-2": "revenue", "column-3": "notes"}
    response = sent_as_shown(client, upload, "columns", do="check", **columns)
    assert response["Location"] == at(upload, "check")
    waiting = client.get(at(upload, "check")).content.decode()
    assert "Waiting for its turn" in waiting
    assert 'hx-trigger="every 1s"' in waiting
    assert "Refresh" in waiting

    work(upload)
    assert not Feedback.objects.exists()
    page = client.get(at(upload, "check"))
    assert "New 1 first feedback" in text(page)
    assert "Refused 1 of 2 rows" in text(page)
    assert "1 value without a meaning" in text(page)
    assert "Revenue 1,234.50 USD" in text(page)
    assert "Zoë kauft" in text(page)
    assert "Record 1 row " in text(page)
    assert b"Irgendwie" in b"".join(client.get(f"{at(upload)}errors.csv").streaming_content)

    again = sent_as_shown(client, upload, "check", **{"meaning-outcome": ["no_contact"]})
    assert again["Location"] == at(upload, "check")
    assert "Record 2 rows" in text(client.get(at(work(upload), "check")))
    done = client.post(at(upload, "confirm"))
    assert done["Location"] == at(upload)
    assert (work(upload).status, upload.recorded, upload.rejected) == ("done", 2, 0)
    leads["evt_b"].refresh_from_db()
    assert leads["evt_b"].outcome == "no_contact"
    assert 'aria-current="step"' in client.get(at(upload)).content.decode()
    client.post(at(upload, "undo"))
    upload.refresh_from_db()
    assert upload.status == "undone"


def test_each_page_of_an_upload_leads_to_where_it_stands(client, drop, leads):
    upload = drop(CRM)
    assert client.get(at(upload))["Location"] == at(upload, "columns")
    assert client.get(at(upload, "check"))["Location"] == at(upload, "columns")
    assert client.get(at(upload, "matches"))["Location"] == at(upload, "columns")
    check(client, upload)
    assert client.get(at(upload))["Location"] == at(upload, "check")
    assert client.get(at(upload, "columns")).status_code == 200  # one may go back
    client.post(at(upload, "confirm"))
    for page in ("columns", "check", "matches", "discard"):
        assert client.get(at(upload, page))["Location"] == at(upload)


def test_the_list_shows_drafts_and_how_to_go_on(client, drop, leads, django_assert_max_num_queries):
    drop(CRM, "draft.csv")
    check(client, drop(CRM, "checked.csv"))
    with django_assert_max_num_queries(12):
        page = text(client.get("/uploads/"))
    assert "Draft Continue with draft.csv" in page
    assert "To be confirmed Continue with checked.csv" in page


# --- The file -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04rest", "a zip file or an Excel workbook"),
        (b"", "The file is empty"),
        (b'lead_id,notes\nevt_1,"never closed\n', "Line 2: A quote is opened here"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_beside_its_field(client, world, content, words):
    sent = {"flow": world.flow.public_id, "file": SimpleUploadedFile("x.csv", content)}
    response = client.post("/uploads/new/", sent)
    assert response.status_code == 422
    assert words in text(response)
    assert b'aria-describedby="id_file_error"' in response.content
    assert not Upload.objects.exists()


def test_the_drop_area_names_the_limit_and_needs_no_script(client, world, settings):
    settings.UPLOAD_MAX_BYTES = 5 * 1024 * 1024
    page = client.get("/uploads/new/").content.decode()
    assert f'data-limit="{5 * 1024 * 1024}"' in page
    assert "up to 5.0\xa0MB" in page
    assert '<input type="file" name="file"' in page
    assert f"/uploads/new/{world.flow.public_id}.csv" in page


# --- How it is read -------------------------------------------------------------------------------


def test_it_is_read_otherwise_and_its_columns_are_guessed_anew(client, drop):
    upload = drop("lead_id,outcome\nevt_1,converted\n")
    client.post(at(upload, "reading"), AS_SEEN | {"encoding": "utf-8-sig"})
    page = text(client.get(at(upload, "columns")))
    assert "UTF-8, cells parted by semicolons, decimal commas" in page
    assert "lead_id,outcome" in page  # one column now
    upload.refresh_from_db()
    assert len(upload.mapping["columns"]) == 1


def test_htmx_gets_the_step_alone(client, drop):
    upload = drop(CRM)
    part = client.post(at(upload, "reading"), AS_SEEN | {"has_header": "no"}, headers=HTMX)
    assert b"<html" not in part.content
    assert "no line of names" in text(part)
    assert "Column 1" in text(part)


def test_a_wrong_encoding_is_told_and_the_file_stays_as_it_was(client, drop):
    upload = drop(CRM)
    for headers in ({}, HTMX):
        response = client.post(at(upload, "reading"), AS_SEEN | {"encoding": "utf-8-sig"}, headers=headers)
        assert response.status_code == 422
        assert "It cannot be read so" in text(response)
        assert "Müller" in text(response)
    upload.refresh_from_db()
    assert upload.encoding == "cp1252"


@pytest.mark.parametrize("sent", [{}, {"encoding": "ebcdic"}, AS_SEEN | {"delimiter": "x"}])
def test_nonsense_for_the_reading_is_told(client, drop, sent):
    assert client.post(at(drop(CRM), "reading"), sent).status_code == 422


# --- What the columns hold ------------------------------------------------------------------------


def test_faults_are_told_in_words_and_nothing_is_checked(client, drop):
    upload = drop("Foo,Bar\n1,2\n")
    response = sent_as_shown(
        client, upload, "columns", do="check", **{"column-0": "notes", "column-1": "notes"}
    )
    assert response.status_code == 422
    assert "Two columns are read as notes" in text(response)
    assert "No column names the lead" in text(response)
    assert b'role="alert"' in response.content
    upload.refresh_from_db()
    assert upload.status == "draft"
    assert form_of(response.content.decode(), at(upload, "columns"))["column-0"] == ["notes"]


def test_a_changed_column_refreshes_its_values(client, drop):
    upload = drop("Lead,What,Which\nevt_a,Kaputt,Vielleicht\n")
    columns = {"column-0": "lead_id", "column-1": "outcome", "column-2": ""}
    shown = form_of(client.get(at(upload, "columns")).content.decode(), at(upload, "columns"))
    part = client.post(at(upload, "columns"), shown | columns, headers=HTMX)
    assert part.status_code == 200
    assert b"<html" not in part.content
    assert b"column-0" not in part.content  # what is being chosen is not swapped
    assert "Kaputt" in text(part)
    assert "Vielleicht" not in text(part)
    plain = client.post(at(upload, "columns"), shown | columns | {"column-2": "converted", "do": "refresh"})
    assert plain["Location"] == at(upload, "columns")
    page = text(client.get(at(upload, "columns")))
    assert "What the values of Converted stand for" in page
    assert not RememberedMapping.objects.exists()


def test_a_guess_stays_one_until_the_check_is_asked_for(client, drop, leads):
    upload = drop(CRM)
    assert "Closed Won 1" in text(client.get(at(upload, "columns")))
    sent_as_shown(client, upload, "columns", do="refresh")
    upload.refresh_from_db()
    assert upload.mapping["values"] == {}
    assert "Guessed" in text(client.get(at(upload, "columns")))
    check(client, upload)
    assert upload.mapping["values"] == {"outcome": {"closed won": "converted"}}


def test_what_is_chosen_late_does_not_stop_a_check(client, drop, leads):
    upload = drop(CRM)
    shown = form_of(client.get(at(upload, "columns")).content.decode(), at(upload, "columns"))
    client.post(at(upload, "columns"), shown | {"do": "check"})
    part = client.post(at(upload, "columns"), shown | {"column-3": "reason"}, headers=HTMX)
    assert part.status_code == 200
    upload.refresh_from_db()
    assert (upload.status, upload.mapping["columns"][3]) == ("checking", "notes")


def test_texts_that_differ_in_case_are_asked_for_once(client, drop, leads):
    upload = drop("lead_id,outcome\nevt_a,KAPUTT\nevt_b,kaputt\n")
    page = client.get(at(upload, "columns"))
    assert page.content.count(b'name="meaning-outcome"') == 1
    check(client, upload, **{"meaning-outcome": ["bad_info"]})
    assert upload.findings["new"] == 2


def test_a_cell_can_be_left_out(client, drop, leads):
    upload = drop("lead_id,outcome,notes\nevt_a,egal,Rief an\n")
    check(client, upload, **{"meaning-outcome": [LEAVE_OUT]})
    assert (upload.findings["new"], upload.findings["refused"]) == (1, 0)
    page = form_of(client.get(at(upload, "columns")).content.decode(), at(upload, "columns"))
    assert page["meaning-outcome"] == [LEAVE_OUT]


def test_choices_of_a_flow_are_taken_as_they_are(client, drop, leads, world):
    Field.objects.create(flow=world.flow, name="size", kind="choice", choices=["-", "-5", "big"], position=99)
    world.flow.schema_version += 1
    world.flow.save()
    upload = drop("lead_id,size\nevt_a,minus five\nevt_b,dash\n")
    check(client, upload, **{"meaning-size": ["-5", "-"]})
    assert upload.mapping["values"]["size"] == {"minus five": "-5", "dash": "-"}
    assert upload.findings["new"] == 2


def test_what_a_person_said_is_remembered_and_can_be_dropped(client, drop, leads):
    upload = drop("Ref,What\nevt_a,Kaputt\n", "first.csv")
    check(client, upload, **{"column-0": "lead_id", "column-1": "outcome"})  # its values come with the check
    sent_as_shown(client, upload, "check", **{"meaning-outcome": ["bad_info"]})
    work(upload)
    client.post(at(upload, "confirm"))
    again = drop("Ref,What\nevt_b,Kaputt\n", "second.csv")
    page = client.get(at(again, "columns"))
    assert re.search(r"Remembered from \d+ \w+ \d{4}, first\.csv\.", text(page))
    assert form_of(page.content.decode(), at(again, "columns"))["meaning-outcome"] == ["bad_info"]
    response = client.post(at(again, "afresh"))
    assert response["Location"] == at(again, "columns")
    page = text(client.get(at(again, "columns")))
    assert "Remembered" not in page
    assert "Guessed from names and cells" in page


def test_the_mended_file_of_refused_rows_is_known_by_the_file_it_came_from(client, drop, leads):
    upload = drop("Ref,What\nevt_a,Won\nevt_no,Won\n", "first.csv")
    check(client, upload, **{"column-0": "lead_id", "column-1": "outcome"})
    sent_as_shown(client, upload, "check")
    work(upload)
    client.post(at(upload, "confirm"))
    assert (work(upload).recorded, upload.rejected) == (1, 1)
    refused = b"".join(client.get(f"{at(upload)}errors.csv").streaming_content)
    mended = drop(refused.replace(b"evt_no", b"evt_b"), "refused-first.csv")
    assert "Remembered from" in text(client.get(at(mended, "columns")))
    check(client, mended)
    assert (mended.findings["new"], mended.findings["refused"]) == (1, 0)


def test_a_form_made_for_another_reading_changes_nothing(client, drop):
    upload = drop(CRM)
    old = form_of(client.get(at(upload, "columns")).content.decode(), at(upload, "columns"))
    client.post(at(upload, "reading"), AS_SEEN | {"delimiter": ","})
    upload.refresh_from_db()
    before = upload.mapping
    response = client.post(at(upload, "columns"), old | {"do": "check"})
    assert response.status_code == 409
    assert "read in another way since you opened the page" in text(response)
    upload.refresh_from_db()
    assert (upload.status, upload.mapping) == ("draft", before)


def test_a_field_that_has_gone_is_told(client, drop):
    upload = drop("lead_id,outcome\nevt_a,converted\n")
    response = sent_as_shown(client, upload, "columns", do="check", **{"column-1": "shoe_size"})
    assert response.status_code == 422
    assert "no field shoe_size any more" in text(response)


def test_a_wide_file_can_be_sent(client, drop, leads):
    head = ",".join(["lead_id", "outcome", *(f"c{number}" for number in range(998))])
    upload = drop(f"{head}\nevt_a,converted\n")
    check(client, upload)
    assert upload.findings["new"] == 1


def test_contacts_that_are_not_shown_are_not_offered(client, drop, world):
    upload = drop("mail,outcome\na@example.com,converted\n")
    assert EMAIL in client.get(at(upload, "columns")).content.decode()
    Agreement.objects.filter(buyer=world.buyer).update(shows_contact=False)
    page = client.get(at(upload, "columns"))
    assert EMAIL not in page.content.decode()
    assert "your seller does not show you the contacts" in text(page)


# --- The check ------------------------------------------------------------------------------------


def test_htmx_polls_the_middle_and_then_hears_the_result(client, drop, leads):
    upload = drop(CRM)
    sent_as_shown(client, upload, "columns", do="check")
    part = client.get(at(upload, "check"), headers=HTMX)
    assert b"<html" not in part.content
    assert b"<progress" in part.content
    work(upload)
    part = client.get(at(upload, "check"), headers=HTMX).content.decode()
    assert 'data-announce="Checked: 1 new, 0 changed, 0 unchanged, 1 refused"' in part
    assert "every 1s" not in part


def test_a_poll_on_a_file_that_moved_on_goes_there(client, drop, leads):
    upload = drop(CRM)
    answer = client.get(at(upload, "check"), headers=HTMX)
    assert (answer.status_code, answer["HX-Redirect"]) == (204, at(upload, "columns"))


def test_why_rows_are_refused_is_grouped(client, drop, leads):
    upload = check(client, drop("lead_id,outcome\nevt_x,converted\nevt_y,converted\n"))
    page = text(client.get(at(upload, "check")))
    assert re.search(r"No lead of yours on this flow has this id.* 2 2$", page)
    assert "There is nothing to record" in page
    assert "confirm" not in client.get(at(upload, "check")).content.decode()


def test_a_file_that_is_on_record_already_says_so(client, drop, leads):
    upload = check(client, drop("lead_id,outcome\nevt_a,converted\n"))
    client.post(at(upload, "confirm"))
    work(upload)
    again = check(client, drop("lead_id,outcome\nevt_a,converted\n"))
    assert "All of it is on record already." in text(client.get(at(again, "check")))


def test_own_ids_alone_can_be_recorded(client, drop, leads):
    upload = check(client, drop("lead_id,outcome\nevt_a,converted\n"))
    client.post(at(upload, "confirm"))
    work(upload)
    again = check(client, drop("lead_id,external_id,outcome\nevt_a,crm-1,converted\n"))
    page = text(client.get(at(again, "check")))
    assert "1 lead will get your own id" in page
    assert "Record 1 id" in page
    client.post(at(again, "confirm"))
    work(again)
    leads["evt_a"].refresh_from_db()
    assert leads["evt_a"].external_id == "crm-1"


def test_a_fault_far_below_is_told_with_its_line(client, drop):
    rows = "evt_1,converted\n" * 2_100
    upload = check(client, drop(f'lead_id,outcome\n{rows}evt_x,"open\n'))
    page = client.get(at(upload, "check"))
    assert "Line 2102: A quote is opened here" in text(page)
    assert b'role="alert"' in page.content
    assert client.get(at(upload))["Location"] == at(upload, "check")
    client.post(at(upload, "discard"))
    assert not Upload.objects.exists()


def test_refused_rows_of_an_older_check_are_not_given_out(client, drop, leads):
    upload = check(client, drop("lead_id,outcome\nevt_no,converted\n"))
    assert client.get(f"{at(upload)}errors.csv").status_code == 200
    sent_as_shown(client, upload, "columns", do="refresh")
    assert client.get(f"{at(upload)}errors.csv").status_code == 404


def test_the_samples_name_no_contact_that_is_not_shown(client, drop, leads, world):
    upload = check(client, drop("lead_id,outcome\nevt_a,converted\n"))
    name = str(leads["evt_a"].lead)
    assert name in text(client.get(at(upload, "check")))
    Agreement.objects.filter(buyer=world.buyer).update(shows_contact=False)
    page = text(client.get(at(upload, "check")))
    assert name not in page
    assert "evt_a" in page


# --- Matches by contact ---------------------------------------------------------------------------


@pytest.fixture
def known(world) -> list[Delivery]:
    """Three leads by e-mail and phone, two that share an e-mail."""
    found = []
    for name, email, phone in (
        ("evt_1", "one@example.com", "+15125550101"),
        ("evt_2", "two@example.com", "+15125550102"),
        ("evt_3", "three@example.com", ""),
        ("evt_4", "twin@example.com", ""),
        ("evt_5", "twin@example.com", ""),
    ):
        each = make.DeliveryFactory(lead__source=world.source, buyer=world.buyer, public_id=name)
        Lead.objects.filter(pk=each.lead_id).update(email_normalised=email, phone_e164=phone)
        found.append(each)
    return found


MATCHED = (
    "Mail,Tel,Result\n"
    "one@example.com,512 555 0101,converted\ntwo@example.com,512 555 0102,converted\n"
    "three@example.com,,contacted\ntwin@example.com,,contacted\n"
)
AS_CONTACT = {"column-0": EMAIL, "column-1": PHONE, "column-2": "outcome"}


@pytest.fixture
def matched(client, drop, known) -> Upload:
    return check(client, drop(MATCHED), **AS_CONTACT)


def pks(upload: Upload, line: int) -> list[int]:
    return list(upload.proposals.filter(line=line).values_list("pk", flat=True))


def test_nothing_is_matched_before_a_person_accepts_it(client, matched, django_assert_max_num_queries):
    page = text(client.get(at(matched, "check")))
    assert "4 rows without a known id have leads with the same contact" in page
    assert "Accept matches first" in page
    with django_assert_max_num_queries(16):
        page = text(client.get(at(matched, "matches")))
    assert "Nothing is matched silently" in page
    assert "Accept all 2 found by e-mail and phone" in page
    assert "Accept all 1 found by e-mail" in page
    assert page.count("45 %") == 2


def test_matches_are_accepted_all_at_once_ticked_and_withdrawn(client, matched):
    url = at(matched, "matches")
    assert "2 matches were accepted." in text(client.post(url, {"do": "all-both"}, follow=True))
    (third,) = pks(matched, 4)
    assert "1 match was accepted." in text(client.post(url, {"do": "accept", "selected": third}, follow=True))
    assert "Record 3 rows" in text(client.get(at(matched, "check")))
    assert "1 match was withdrawn." in text(
        client.post(url, {"do": "withdraw", "selected": third}, follow=True)
    )
    client.post(at(matched, "confirm"))
    assert (work(matched).recorded, matched.rejected) == (2, 2)
    assert "nobody accepted it" in text(client.get(at(matched)))


@pytest.mark.parametrize("selected", [[], ["x"], ["9" * 30], ["²"]])
def test_without_a_tick_one_is_told_to_set_one(client, matched, selected):
    sent = {"do": "accept", "selected": selected}
    page = text(client.post(at(matched, "matches"), sent, follow=True))
    assert "Tick the matches first" in page
    assert not matched.proposals.filter(accepted=True).exists()


def test_two_leads_for_one_row_are_refused(client, matched):
    sent = {"do": "accept", "selected": pks(matched, 5)}
    page = text(client.post(at(matched, "matches"), sent, follow=True))
    assert "Choose one lead for line 5." in page
    assert not matched.proposals.filter(accepted=True).exists()


def test_anothers_match_is_not_accepted(client, matched, drop):
    other = check(client, drop(MATCHED), **AS_CONTACT)
    client.post(at(matched, "matches"), {"do": "accept", "selected": pks(other, 2)})
    assert not other.proposals.filter(accepted=True).exists()


def test_the_matches_are_paged(client, matched, monkeypatch):
    monkeypatch.setattr("feedback.upload_match_views.SHOWN", 2)
    seen, url = [], at(matched, "matches")
    while url:
        page = client.get(url).content.decode()
        seen += re.findall(r'name="selected"\s+value="(\d+)"', page)
        after = re.search(r'href="(\?after=[\d-]+)" rel="next"', page)
        url = at(matched, "matches") + after[1] if after else ""
    assert sorted(map(int, seen)) == sorted(matched.proposals.values_list("pk", flat=True))
    for nonsense in ("x", "1-2", "1-2-²", "9" * 40):
        assert client.get(at(matched, "matches"), {"after": nonsense}).status_code == 200


# --- Two tabs, other people -----------------------------------------------------------------------


def test_confirmed_twice_it_is_recorded_once(client, drop, leads):
    upload = check(client, drop("lead_id,outcome\nevt_a,converted\n"))
    for _ in range(2):
        assert client.post(at(upload, "confirm"))["Location"] == at(upload)
    work(upload)
    assert client.post(at(upload, "confirm"))["Location"] == at(upload)
    assert work(upload).recorded == 1
    assert Feedback.objects.count() == 1


def test_what_was_changed_in_another_tab_must_be_checked_again(client, drop, leads):
    upload = check(client, drop("lead_id,outcome\nevt_a,converted\n"))
    sent_as_shown(client, upload, "columns", do="refresh", **{"column-1": "notes"})
    response = client.post(at(upload, "confirm"))
    assert response.status_code == 409
    assert "Check all rows again first" in text(response)
    assert not Feedback.objects.exists()


STEPS = ("columns", "reading", "afresh", "check", "matches", "discard")


@pytest.mark.parametrize("page", STEPS)
def test_a_page_left_open_changes_nothing_once_confirmed(client, drop, leads, page):
    upload = check(client, drop("lead_id,outcome\nevt_a,converted\n"))
    client.post(at(upload, "confirm"))
    response = client.post(at(upload, page), AS_SEEN)
    assert response.status_code == 409
    assert "See where it stands" in text(response)
    told = client.post(at(upload, page), AS_SEEN, headers=HTMX)
    assert (told.status_code, told["HX-Redirect"]) == (204, at(upload))
    assert (work(upload).status, upload.recorded) == ("done", 1)


@pytest.mark.parametrize("page", [*STEPS, "confirm"])
def test_a_discarded_file_is_gone_in_every_tab(client, drop, page):
    upload = drop(CRM)
    assert "Nothing of this file was recorded" in text(client.get(at(upload, "discard")))
    assert "was discarded" in text(client.post(at(upload, "discard"), follow=True))
    assert client.post(at(upload, page), AS_SEEN).status_code == 404


def test_a_manager_may_do_what_an_agent_may(drop, world, as_user):
    upload = drop(CRM)
    manager = as_user(world.manager)
    assert manager.get(at(upload, "columns")).status_code == 200
    check(manager, upload)


def test_others_find_nothing_at_all(client, drop, leads, world, other_world, as_user):
    upload = check(client, drop(CRM))
    neighbour = make.MembershipFactory(buyer=make.BuyerFactory(seller=world.seller), role="buyer_agent").user
    for user in (neighbour, other_world.agent, world.owner):
        other = as_user(user)
        for page in (*STEPS, "confirm"):
            assert other.post(at(upload, page), AS_SEEN).status_code == 404
            assert other.get(at(upload, page)).status_code in (404, 405)
    upload.refresh_from_db()
    assert upload.status == "checked"


# --- Cost -----------------------------------------------------------------------------------------


def test_the_pages_cost_few_queries_whatever_the_file(client, drop, leads, django_assert_max_num_queries):
    rows = "".join(f"evt_a,Wort {number},x\n" for number in range(300))
    upload = drop(f"lead_id,outcome,notes\n{rows}")
    with django_assert_max_num_queries(12):
        page = client.get(at(upload, "columns"))
    assert page.content.count(b'name="meaning-outcome"') == 50
    check(client, upload)
    with django_assert_max_num_queries(14):
        client.get(at(upload, "check"))
    with django_assert_max_num_queries(12):
        client.get(at(upload, "check"), headers=HTMX)


def test_every_step_has_its_address():
    names = ("columns", "reading", "afresh", "check", "matches", "confirm", "discard")
    assert [reverse(f"upload-{name}", args=["upl_1"]) for name in names] == [
        f"/uploads/upl_1/{name}/" for name in names
    ]
