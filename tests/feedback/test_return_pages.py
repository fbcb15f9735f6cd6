"""Returns by the pages that each side uses: asked for, talked over, decided alone and together, exported."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from zoneinfo import ZoneInfo

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils.timezone import now

from feedback.models import Credit, ReturnEvidence, ReturnRequest
from feedback.returns.decide import reopen
from feedback.returns.evidence import MOST_BYTES, MOST_FILES, Piece
from flows.models import Agreement
from tests import factories as make
from tests.feedback.returning import (
    PDF,
    REASON,
    decided,
    delivered,
    png,
    rejected,
    requested,
    takes_returns,
)

TICK = re.compile(r'name="return"\s+value="(ret_\w+)"')
HIDDEN = re.compile(r'name="return"\s+value="(ret_\w+:\d+)"')


@pytest.fixture(autouse=True)
def agreement(world) -> Agreement:
    return takes_returns(world)


def ask_url(world) -> str:
    return f"/leads/{world.delivery.public_id}/return/"


def post_ask(client, world, *files, **fields):
    evidence = [SimpleUploadedFile(name, data) for name, data in files]
    return client.post(ask_url(world), {"reason": REASON, "evidence": evidence, **fields}, follow=True)


def text_of(answer) -> str:
    """What is read on the page: tags gone, white space one."""
    body = re.sub(r"<(script|style|nav).*?</\1>", "", answer.text, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def confirm(client, verdict: str, *requests, **fields):
    """From the list's ticks to the page that asks, and its answer posted as it stands there."""
    ticked = {"verdict": verdict, "return": [each.public_id for each in requests]}
    page = client.get("/returns/decide/", ticked)
    return client.post(
        "/returns/decide/",
        {"verdict": verdict, "return": HIDDEN.findall(page.text), "remedy": "wanted", **fields},
        follow=True,
    )


# --- The buyer asks ---
@pytest.mark.parametrize("who", ["manager", "agent"])
def test_whoever_works_for_the_buyer_returns_a_lead_from_its_page(world, as_user, who):
    client = as_user(getattr(world, who))
    assert f'href="{ask_url(world)}"' in client.get("/leads/").text
    lead = client.get(f"/leads/{world.delivery.public_id}/")
    assert f'href="{ask_url(world)}"' in lead.text
    page = client.get(ask_url(world))
    assert "There is no cap" in page.text
    assert "20.00 USD" in page.text
    done = post_ask(client, world, ("call log.pdf", PDF), ("shot.png", png()), note="Not in service.")
    request = ReturnRequest.objects.get()
    assert done.redirect_chain[-1][0] == f"/returns/{request.public_id}/"
    said = text_of(done)
    assert "Asked for. The seller has been told." in said
    assert "Not in service." in said
    assert "call log.pdf" in said
    assert "shot.png" in said
    assert f"/returns/{request.public_id}/" in client.get(f"/leads/{world.delivery.public_id}/").text
    assert "stands at “waiting for a decision”" in text_of(client.get(ask_url(world)))


def test_who_has_reported_a_return_is_offered_credit(world, as_user):
    world.delivery.outcome, world.delivery.fields = "returned", {"reason": REASON}
    world.delivery.save()
    client = as_user(world.agent)
    assert "Request credit" in client.get(f"/leads/{world.delivery.public_id}/").text
    page = client.get(ask_url(world))
    assert f'<option value="{REASON}" selected>' in page.text


def test_what_is_left_of_the_month_is_told(world, as_user):
    takes_returns(world, return_cap_kind="share", return_cap=50, return_auto_reasons=[REASON, "Unknown"])
    today = now()
    delivered(world, 5, delivered_at=today)
    world.delivery.delivered_at = today
    world.delivery.save()
    said = text_of(as_user(world.agent).get(ask_url(world)))
    month = f"{today.astimezone(ZoneInfo(world.flow.timezone)):%B %Y}"
    assert f"Of the 6 leads delivered in {month}, 3 (50 %) may be returned: 0 used, 3 left." in said
    assert f"Credited at once for: {REASON}." in said


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ({"return_window_days": None}, "Returns are not part of your agreement"),
        ({"return_cap_kind": "count", "return_cap": 0}, "The cap is reached"),
    ],
)
def test_what_cannot_be_returned_says_why_and_what_else_to_do(world, as_user, terms, says):
    takes_returns(world, **terms)
    client = as_user(world.agent)
    said = text_of(client.get(ask_url(world)))
    assert says in said
    assert "Say what became of it" in said
    refused = post_ask(client, world)
    assert refused.status_code == 409
    assert says in text_of(refused)
    assert not ReturnRequest.objects.exists()


def test_without_returns_in_the_agreement_the_lead_page_does_not_speak_of_them(world, as_user):
    takes_returns(world, return_window_days=None)
    assert ask_url(world) not in as_user(world.agent).get("/leads/").text
    assert "return-title" not in as_user(world.agent).get(f"/leads/{world.delivery.public_id}/").text


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"reason": ""}, "Choose a reason."),
        ({"reason": "Bad mood"}, "Choose one of the reasons."),
        ({"note": "x" * 5001}, "at most 5000 characters"),
        ({"note": "a\0b"}, "Null characters"),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_nothing_is_lost(world, as_user, fields, says):
    answer = post_ask(as_user(world.agent), world, **{"note": "I called twice.", **fields})
    assert answer.status_code == 422
    assert says in answer.text
    assert ("I called twice." in answer.text) == ("note" not in fields)
    assert not ReturnRequest.objects.exists()


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("proof.pdf", b"<html><script>alert(1)</script>", "web page or a drawing"),
        ("proof.png", b'<svg xmlns="http://www.w3.org/2000/svg"/>', "web page or a drawing"),
        ("proof.pdf", b"PK\x03\x04rest", "Save it as PDF"),
        ("proof.txt", b"MZ\x90\0program", "This is a program"),
        ("proof.jpg", b"\0\0\0\x18ftypheic", "iPhone"),
        ("empty.txt", b" \n", "file is empty"),
        ("big.txt", b"a" * (MOST_BYTES + 1), "larger than 5.0\xa0MB"),
    ],
)
def test_evidence_is_told_by_its_bytes_not_by_its_name(world, as_user, name, data, says):
    answer = post_ask(as_user(world.agent), world, (name, data), note="Kept.")
    assert answer.status_code == 422
    assert says in answer.text
    assert "Kept." in answer.text
    assert not ReturnEvidence.objects.exists()


def test_no_more_files_than_agreed_are_even_read(world, as_user):
    files = [(f"{number}.txt", b"text") for number in range(MOST_FILES + 3)]
    answer = post_ask(as_user(world.agent), world, *files)
    assert answer.status_code == 422
    assert answer.text.count("At most 5 files at a time.") == 1


def test_a_file_of_exactly_the_limit_is_taken(world, as_user):
    assert post_ask(as_user(world.agent), world, ("log.txt", b"a" * MOST_BYTES)).status_code == 200
    assert ReturnEvidence.objects.get().size == MOST_BYTES


def test_evidence_leaves_only_as_a_download_of_its_kind(world, as_user, other_world):
    post_ask(as_user(world.agent), world, ("../x<y>.html", b"From: a\nSubject: b\n\n<html>"))
    file = ReturnEvidence.objects.get()
    assert file.name == "xy.html.txt"
    address = f"/returns/{ReturnRequest.objects.get().public_id}/evidence/{file.public_id}/"
    for who in (world.agent, world.owner, world.analyst):
        answer = as_user(who).get(address)
        assert answer["Content-Type"] == "text/plain; charset=utf-8"
        assert answer["Content-Disposition"] == 'attachment; filename="xy.html.txt"'
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert b"".join(answer.streaming_content).endswith(b"<html>")
    assert as_user(other_world.owner).get(address).status_code == 404
    file.file.delete(save=False)
    assert as_user(world.agent).get(address).status_code == 404


def test_a_rule_credits_at_once(world, as_user):
    takes_returns(world, return_auto_reasons=[REASON])
    said = text_of(post_ask(as_user(world.agent), world))
    assert "Approved at once, as agreed." in said
    assert "The agreement approved it: credited" in said


def test_another_lead_is_offered_only_where_it_was_agreed(world, as_user):
    client = as_user(world.agent)
    assert 'name="wanted"' not in client.get(ask_url(world)).text
    takes_returns(world, offers_replacement=True)
    assert 'name="wanted"' in client.get(ask_url(world)).text
    post_ask(client, world, wanted="replacement")
    assert ReturnRequest.objects.get().wanted == "replacement"


def test_a_form_without_its_token_is_refused(world):
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    client.force_login(world.agent)
    for address in (ask_url(world), f"/returns/{requested(world).public_id}/message/"):
        assert client.post(address, {"reason": REASON}).status_code == 403


# --- Both talk ---
def test_both_sides_read_the_thread_and_the_deadline(world, as_user):
    request = requested(world, note="<img src=x onerror=alert(1)>")
    address = f"/returns/{request.public_id}/"
    as_user(world.owner).post(f"{address}message/", {"body": "Which number?"})
    sent = as_user(world.agent).post(
        f"{address}message/",
        {"body": "That one:", "evidence": [SimpleUploadedFile("call.txt", b"512 555 1212")]},
        follow=True,
    )
    assert sent.status_code == 200
    for who in (world.agent, world.owner, world.analyst):
        page = as_user(who).get(address)
        assert "&lt;img src=x" in page.text
        assert "Which number?" in page.text
        assert "call.txt" in page.text
        assert "4 d left" in page.text
    assert "Send" not in text_of(as_user(world.analyst).get(address))
    assert as_user(world.analyst).post(f"{address}message/", {"body": "x"}).status_code == 403


def test_an_empty_message_says_so(world, as_user):
    request = requested(world)
    answer = as_user(world.agent).post(f"/returns/{request.public_id}/message/", {"body": " "})
    assert answer.status_code == 422
    assert "Write a message." in answer.text


def test_the_rail_says_what_waits_for_each_side(world, as_user):
    one, _ = (requested(world, each) for each in delivered(world, 2))

    def badge(user):
        rail = as_user(user).get("/returns/").text
        return re.search(r'href="/returns/"[^>]*>Returns\s*(?:<span class="badge">(.*?)</span>)?', rail)[1]

    assert (badge(world.owner), badge(world.agent)) == ("2", None)
    as_user(world.owner).post(f"/returns/{one.public_id}/message/", {"body": "?"})
    assert (badge(world.owner), badge(world.agent)) == ("2", "1")


def test_a_buyer_withdraws_until_it_is_decided(world, as_user):
    request = requested(world)
    client, address = as_user(world.agent), f"/returns/{request.public_id}/withdraw/"
    assert "Withdraw" in client.get(address).text
    done = client.post(address, {"note": "Reached them."}, follow=True)
    assert "withdrew the request" in text_of(done)
    late = client.post(address, {})
    assert late.status_code == 409
    assert "nothing to withdraw" in late.text


# --- The seller decides ---
def test_the_queue_begins_with_what_waits_the_nearest_deadline_first(world, as_user):
    late, soon, done = delivered(world, 3)
    two = requested(world, soon, now=now() - dt.timedelta(minutes=9))
    one = requested(world, late)
    decided(world, requested(world, done))
    page = as_user(world.owner).get("/returns/")
    assert TICK.findall(page.text) == [two.public_id, one.public_id]
    everything = as_user(world.owner).get("/returns/?status=all")
    assert len(re.findall(r'id="open-ret_', everything.text)) == 3
    assert TICK.findall(as_user(world.analyst).get("/returns/").text) == []


def test_filters_of_the_queue(world, as_user):
    rival = make.BuyerFactory(seller=world.seller, name="Rival")
    make.DeliveryFactory(lead__source=world.source, buyer=rival)
    one, two, three = delivered(world, 3)
    old = requested(world, one, reason="Wrong person", now=now() - dt.timedelta(minutes=1))
    ReturnRequest.objects.filter(pk=old.pk).update(due_at=now() - dt.timedelta(hours=1))
    fresh = requested(world, two)
    rejected(world, requested(world, three))
    client = as_user(world.owner)
    expected = {
        "status=overdue": {old},
        "status=waiting&reason=Wrong+person": {old},
        "reason=Duplicate": {fresh},
        f"buyer={rival.public_id}": set(),
        f"buyer={world.buyer.public_id}": {old, fresh},
        f"q={two.public_id.upper()}": {fresh},
        f"q={old.public_id}": {old},
    }
    for query, rows in expected.items():
        found = set(re.findall(r'id="open-(ret_\w+)"', client.get(f"/returns/?{query}").text))
        assert found == {each.public_id for each in rows}, query
    wrong = client.get("/returns/?status=nonsense&buyer=other")
    assert wrong.status_code == 200
    assert "Null characters" in client.get("/returns/?q=%00").text


def test_several_are_approved_together_after_a_page_with_count_and_sum(world, as_user):
    requests = [requested(world, each) for each in delivered(world, 3)]
    client = as_user(world.owner)
    page = client.get(
        "/returns/decide/", {"verdict": "approve", "return": [each.public_id for each in requests]}
    )
    assert "3 leads for 60.00 USD go back" in text_of(page)
    assert not Credit.objects.exists()
    done = confirm(client, "approve", *requests, note="All fine.")
    assert "3 returns approved: 60.00 USD credited." in text_of(done)
    assert Credit.objects.count() == 3
    for request in requests:
        last = request.messages.latest("pk")
        assert (last.act, last.body, last.user) == ("credited", "All fine.", world.owner)


def test_a_rejection_has_to_say_why(world, as_user):
    request = requested(world)
    client = as_user(world.owner)
    refused = confirm(client, "reject", request, note=" ")
    assert refused.status_code == 422
    assert "Say why" in refused.text
    done = confirm(client, "reject", request, note="The number works.")
    assert "Return rejected." in text_of(done)
    assert "The number works." in text_of(as_user(world.agent).get(f"/returns/{request.public_id}/"))


def test_all_that_match_are_decided_without_ticking(world, as_user):
    for each in delivered(world, 3):
        requested(world, each)
    other = requested(world, delivered(world)[0], reason="Wrong person")
    client = as_user(world.owner)
    page = client.get(f"/returns/decide/?verdict=reject&all=1&reason={REASON}")
    assert len(HIDDEN.findall(page.text)) == 3
    assert other.public_id not in page.text


def test_a_stale_page_decides_nothing_and_shows_what_stands(world, as_user):
    one, two = (requested(world, each) for each in delivered(world, 2))
    client = as_user(world.owner)
    page = client.get("/returns/decide/", {"verdict": "approve", "return": [one.public_id, two.public_id]})
    rejected(world, one)
    answer = client.post("/returns/decide/", {"verdict": "approve", "return": HIDDEN.findall(page.text)})
    assert answer.status_code == 409
    assert "Nothing was decided." in answer.text
    assert HIDDEN.findall(answer.text) == [f"{two.public_id}:1"]
    assert not Credit.objects.exists()


def test_nothing_ticked_is_told(world, as_user):
    page = as_user(world.owner).get("/returns/decide/?verdict=approve&return=nonsense")
    assert "nothing to decide" in page.text
    empty = as_user(world.owner).post("/returns/decide/", {"verdict": "approve"})
    assert empty.status_code == 422
    assert "nothing to decide" in empty.text


@pytest.mark.parametrize("method", ["get", "post"])
def test_another_sellers_return_is_not_there(world, other_world, as_user, method):
    takes_returns(other_world)
    foreign = requested(other_world)
    mine = requested(world)
    sent = {"verdict": "approve", "return": [f"{mine.public_id}:1", f"{foreign.public_id}:1"]}
    assert getattr(as_user(world.owner), method)("/returns/decide/", sent).status_code == 404
    assert not Credit.objects.exists()


def test_a_verdict_that_does_not_exist_is_not_there(world, as_user):
    assert as_user(world.owner).get("/returns/decide/?verdict=burn").status_code == 404


def test_what_was_reported_as_sold_is_marked_before_and_after(world, as_user):
    world.delivery.outcome, world.delivery.conversion_status = "converted", "sold"
    world.delivery.save()
    request = requested(world)
    client = as_user(world.owner)
    assert "Reported as sold" in client.get("/returns/").text
    assert "reported this lead as sold" in client.get(f"/returns/{request.public_id}/").text
    assert "1 of them is on record as sold" in text_of(
        client.get("/returns/decide/", {"verdict": "approve", "return": request.public_id})
    )
    decided(world, request)
    world.delivery.refresh_from_db()
    world.delivery.outcome = "converted"
    world.delivery.save()
    assert "no longer stands as returned" in client.get(f"/returns/{request.public_id}/").text
    assert "no longer stands" not in as_user(world.agent).get(f"/returns/{request.public_id}/").text


def test_a_decision_is_taken_back_with_a_word_why(world, as_user):
    request = requested(world)
    decided(world, request)
    client, address = as_user(world.owner), f"/returns/{request.public_id}/reopen/"
    page = client.get(address)
    assert "−20.00 USD" in page.text
    version = re.search(r'name="version" value="(\d+)"', page.text)[1]
    assert client.post(address, {"version": version, "note": ""}).status_code == 422
    done = client.post(address, {"version": version, "note": "Wrong lead."}, follow=True)
    assert "Taken back. The return waits for a decision again." in text_of(done)
    again = client.post(address, {"version": version, "note": "Wrong lead."})
    assert again.status_code == 409
    assert "nothing to take back" in again.text
    assert client.post(address, {"version": "1e9", "note": "x"}).status_code == 409


def test_the_owed_lead_is_named(world, as_user):
    takes_returns(world, offers_replacement=True)
    request = requested(world, wanted="replacement")
    client = as_user(world.owner)
    done = confirm(client, "approve", request)
    assert "A lead is owed" in done.text
    address = f"/returns/{request.public_id}/replacement/"
    wrong = client.post(address, {"lead_id": "evt_nowhere"})
    assert wrong.status_code == 422
    assert "No lead of this buyer on this flow has this id" in wrong.text
    (better,) = delivered(world)
    assert better.public_id in text_of(client.post(address, {"lead_id": better.public_id}, follow=True))
    late = client.post(address, {"lead_id": better.public_id}, follow=True)
    assert "has changed since you opened it" in text_of(late)


# --- The ledger ---
def entries(client, query: str = "") -> list[dict[str, str]]:
    answer = client.get(f"/returns/credits.csv{query}")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))


def test_both_sides_read_the_same_ledger(world, as_user):
    one, two = (requested(world, each) for each in delivered(world, 2))
    decided(world, one, two)
    reopen(two, two.version, world.actor(world.owner), note="No.")
    for who in (world.owner, world.agent):
        page = text_of(as_user(who).get("/returns/credits/"))
        assert "Credited in all: 20.00 USD" in page
        assert "−20.00 USD" in page
        rows = entries(as_user(who))
        assert [row["amount"] for row in rows] == ["20.00", "20.00", "-20.00"]
        assert rows[2]["takes_back"] == rows[1]["entry_id"]
        assert rows[0]["lead_id"] == one.delivery.public_id


def test_the_ledger_by_month_is_that_of_the_flow_s_time_zone(world, as_user):
    request = requested(world)
    still_october = dt.datetime(2026, 11, 1, 3, 30, tzinfo=dt.UTC)
    decided(world, request, now=still_october)
    client = as_user(world.owner)
    assert "October 2026" in client.get("/returns/credits/").text
    assert len(entries(client, "?month=2026-10")) == 1
    assert entries(client, "?month=2026-11") == []
    assert "These entries sum to 20.00 USD" in text_of(client.get("/returns/credits/?month=2026-10"))
    assert client.get("/returns/credits/?month=2026-99").status_code == 200


def test_cells_of_the_export_are_defused(world, as_user):
    world.flow.name, world.flow.return_reasons = "=1+1", ["@evil"]
    world.flow.save()
    decided(world, requested(world, reason="@evil"))
    (row,) = entries(as_user(world.agent))
    assert (row["flow"], row["reason"]) == ("'=1+1", "'@evil")


def test_prices_that_are_hidden_stay_hidden(world, as_user):
    takes_returns(world, shows_price=False, shows_contact=False, shows_source=False)
    request = requested(world)
    decided(world, request)
    client = as_user(world.agent)
    lead = world.delivery.lead
    for address in ("/returns/", "/returns/credits/", f"/returns/{request.public_id}/"):
        page = client.get(address).text
        assert "20.00" not in page, address
        assert lead.last_name not in page, address
        assert world.source.name not in page, address
    assert entries(client)[0]["amount"] == ""
    assert "20.00" in as_user(world.owner).get("/returns/credits/").text


# --- Each sees their own ---
def test_empty_pages_say_what_would_be_here(world, as_user):
    assert "No returns yet" in as_user(world.owner).get("/returns/").text
    assert "open it, then choose Return" in as_user(world.agent).get("/returns/").text
    assert "Nothing credited yet" in as_user(world.agent).get("/returns/credits/").text
    decided(world, requested(world))
    assert "Nothing waits for you" in as_user(world.owner).get("/returns/").text


def test_a_buyer_never_sees_anothers_returns(world, as_user):
    rival = make.BuyerFactory(seller=world.seller)
    stranger = make.MembershipFactory(buyer=rival, role="buyer_manager").user
    decided(world, requested(world))
    client = as_user(stranger)
    assert "ret_" not in client.get("/returns/").text
    assert entries(client) == []


@pytest.mark.parametrize(("who", "at_most"), [("owner", 16), ("agent", 16)])
def test_the_lists_ask_no_more_for_more_rows(world, as_user, django_assert_max_num_queries, who, at_most):
    some = [requested(world, each) for each in delivered(world, 12)]
    decided(world, *some[:6])
    client = as_user(getattr(world, who))
    for address in ("/returns/?status=all", "/returns/credits/"):
        with django_assert_max_num_queries(at_most):
            assert client.get(address).status_code == 200


def test_a_long_thread_asks_no_more(world, as_user, django_assert_max_num_queries):
    from feedback.returns.thread import say

    request = requested(world, pieces=[Piece("a.pdf", "pdf", PDF)])
    for number in range(12):
        say(request, world.actor(world.agent), str(number), [Piece("a.pdf", "pdf", PDF)])
    client = as_user(world.owner)
    with django_assert_max_num_queries(12):
        assert client.get(f"/returns/{request.public_id}/").status_code == 200
