"""Many leads changed at once: asked, looked at, confirmed, recorded in chunks, resumed, taken back."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from django.utils import timezone

from feedback import bulk, bulk_forms, bulk_lease, bulk_undo, bulk_work, leases, quality, tasks
from feedback.bulk_question import look
from feedback.desk import Desk
from feedback.models import BulkChange, BulkLead, ChangeSet, Feedback
from feedback.verify import verify
from flows.models import Delivery
from portal.formats import Formats, using
from tests import factories as make
from tests.feedback.test_uploads import KilledError

pytestmark = pytest.mark.django_db


@pytest.fixture
def leads(world) -> list[Delivery]:
    made = [make.DeliveryFactory(lead__source=world.source, buyer=world.buyer) for _ in range(10)]
    world.delivery.delivered_at = timezone.now() - dt.timedelta(days=365)  # out of the way: it takes nothing
    world.delivery.delivered_on = world.delivery.delivered_at.date()
    world.delivery.save()
    return made


@pytest.fixture
def client(world, as_user):
    return as_user(world.agent)


@pytest.fixture
def by_worker(monkeypatch):
    """Ten leads are many, and are done in chunks of four."""
    monkeypatch.setattr(bulk_work, "FEW", {"set": 5, "undo": 5})
    monkeypatch.setattr(bulk, "CHUNK", 4)
    monkeypatch.setattr(bulk_undo, "CHUNK", 4)


def ids(rows) -> list[str]:
    return [row.public_id for row in rows]


def outcomes() -> list[str]:
    return sorted(Delivery.objects.exclude(outcome=None).values_list("outcome", flat=True))


def ask(client, **data) -> BulkChange:
    """Ask as the form without scripts does → the draft."""
    response = client.post("/bulk/", data)
    assert response.status_code == 302, response.content
    return BulkChange.objects.get(public_id=response["Location"].split("/")[2])


def confirm(client, draft: BulkChange, **data):
    count = look(draft, Desk(make_actor(draft))).count
    return client.post(
        f"/bulk/{draft.public_id}/confirm/", {**draft.texts, "count": count, **data}, follow=True
    )


def make_actor(draft: BulkChange):
    from portal.access import Actor

    return Actor("buyer", draft.buyer_id, user_id=draft.user_id)


def assert_sound() -> None:
    while quality.recompute():
        pass
    faults = [fault for finding in verify() for fault in finding.faults if "without a cell" not in fault]
    assert faults == []


# --- Ask, look, confirm -----------------------------------------------------------------------------
def test_ticked_leads_are_asked_about_then_changed(client, leads):
    draft = ask(client, lead=ids(leads[:3]), outcome="no_contact")
    page = client.get(f"/bulk/{draft.public_id}/").content.decode()
    assert "Change 3 leads" in page
    assert "Outcome No contact on 3 of 3 leads" in page
    assert str(leads[0].lead) in page
    assert (outcomes(), Feedback.objects.count()) == ([], 0)
    page = confirm(client, draft).content.decode()
    assert outcomes() == ["no_contact"] * 3
    assert "Done" in page
    draft.refresh_from_db()
    assert (draft.status, draft.total, draft.recorded, draft.refused) == ("done", 3, 3, 0)
    assert_sound()


def test_confirmed_twice_it_is_recorded_once(client, leads):
    draft = ask(client, lead=ids(leads[:3]), outcome="converted")
    for _ in range(2):
        confirm(client, draft)
    assert Feedback.objects.count() == 3
    assert ChangeSet.objects.count() == 1


def test_what_was_chosen_but_not_looked_at_is_shown_first(client, leads):
    draft = ask(client, lead=ids(leads[:2]))
    page = confirm(client, draft, outcome="converted", quality_score="4").content.decode()
    assert "Look at what will happen" in page
    assert "Outcome Converted, Quality score 4 – Good on 2 of 2 leads" in page
    assert not Feedback.objects.exists()
    draft.refresh_from_db()
    confirm(client, draft)
    assert [row.values for row in Feedback.objects.all()] == [
        {"outcome": "converted", "quality_score": 4}
    ] * 2


def test_nothing_chosen_nothing_ticked(client, leads):
    draft = ask(client, lead=ids(leads[:2]))
    assert "Choose what is to be set" in confirm(client, draft).content.decode()
    response = client.post("/bulk/", {}, follow=True)
    assert "Tick the leads first" in response.content.decode()
    assert BulkChange.objects.count() == 1
    assert not Feedback.objects.exists()


def test_all_that_match_but_for_the_unticked_and_no_later_ones(client, leads, world):
    draft = ask(client, scope="all", query="show=all", skip=ids(leads[:2]), outcome="contacted")
    late = make.DeliveryFactory(lead__source=world.source, buyer=world.buyer)
    page = client.get(f"/bulk/{draft.public_id}/").content.decode()
    assert "Change 9 leads" in page  # with the one that is refused
    confirm(client, draft)
    changed = set(Delivery.objects.filter(outcome="contacted").values_list("public_id", flat=True))
    assert changed == set(ids(leads[2:]))
    late.refresh_from_db()
    assert late.feedback_count == 0


def test_leads_that_match_no_more_once_they_are_changed_do_not_end_it(client, leads, by_worker):
    """The filter is "waiting for feedback", which the change itself ends lead by lead."""
    draft = ask(client, scope="all", query="feedback=waiting", outcome="bad_info")
    confirm(client, draft)
    tasks.sweep_bulk()
    assert outcomes() == ["bad_info"] * 10


def test_more_than_were_shown_are_asked_about_again(client, leads, world):
    draft = ask(client, scope="all", query="show=all&outcome=none", outcome="contacted")
    page = confirm(client, draft, count=3).content.decode()
    assert "More leads match by now: 11, not 3" in page
    assert not Feedback.objects.exists()


def test_too_many_are_not_taken(client, leads, monkeypatch):
    monkeypatch.setattr(bulk, "MOST", 5)
    draft = ask(client, scope="all", query="show=all", outcome="contacted")
    assert "Narrow the filters" in confirm(client, draft).content.decode()
    assert not BulkLead.objects.exists()


def test_an_invalid_filter_means_no_lead(client, leads):
    draft = ask(client, scope="all", query="outcome=nonsense", outcome="contacted")
    assert "No lead is left" in client.get(f"/bulk/{draft.public_id}/").content.decode()
    confirm(client, draft)
    assert not Feedback.objects.exists()


# --- What is refused, and why -----------------------------------------------------------------------
def test_what_is_refused_is_said_before_and_after(client, leads, world):
    other = make.FlowFactory(seller=world.seller, name="Insurance")
    make.standard_fields(other, "outcome")
    bare = make.DeliveryFactory(lead__source=make.SourceFactory(flow=other), buyer=world.buyer)
    named = [*ids(leads[:2]), world.delivery.public_id, bare.public_id]
    draft = ask(client, lead=named, outcome="converted", quality_score="5")
    page = client.get(f"/bulk/{draft.public_id}/").content.decode()
    assert "on 2 of 4 leads" in page
    assert "1 × Feedback on this lead was taken for" in page
    assert "1 × Insurance has no field for quality score." in page
    page = confirm(client, draft).content.decode()
    assert "Insurance has no field for quality score." in page
    draft.refresh_from_db()
    assert (draft.recorded, draft.refused) == (2, 2)
    assert outcomes() == ["converted"] * 2


def test_of_many_the_refusals_are_counted_by_what_flows_say(client, leads, world, monkeypatch):
    monkeypatch.setattr("feedback.bulk_question.AT_ONCE", 3)
    draft = ask(client, lead=[*ids(leads), world.delivery.public_id], outcome="converted")
    found = look(draft, Desk(world.actor(world.agent)))
    assert (found.count, found.refused, found.taken) == (11, 1, 10)
    assert "update window has closed" in found.reasons[0][0]


def test_a_value_that_is_none_is_refused_before_anything_is_done(client, leads):
    draft = ask(client, lead=ids(leads[:2]))
    address = f"/bulk/{draft.public_id}/"
    part = client.post(address, {"outcome": "returned", "revenue": "lots"}, headers={"HX-Request": "true"})
    assert "2 will be refused" in part.content.decode()
    assert "<main" not in part.content.decode()
    assert "2 will be refused" in client.get(address).content.decode()  # kept with the draft
    with using(Formats(numbers="point")):
        assert bulk_forms.texts_of({"revenue": "1.500,50"}, [leads[0].flow]) == {"revenue": "1500.50"}


def test_leads_of_several_flows_are_changed_together(client, leads, world):
    other = make.FlowFactory(seller=world.seller)
    make.standard_fields(other)
    more = [
        make.DeliveryFactory(lead__source=make.SourceFactory(flow=other), buyer=world.buyer) for _ in range(3)
    ]
    draft = ask(client, lead=ids([*leads[:2], *more]), outcome="returned", reason="Wrong number")
    confirm(client, draft)
    draft.refresh_from_db()
    assert (draft.recorded, draft.change_sets.count()) == (5, 2)
    assert_sound()


def test_what_stood_already_is_unchanged(client, leads):
    for _ in range(2):
        confirm(client, ask(client, lead=ids(leads[:3]), outcome="contacted"))
    last = BulkChange.objects.latest("pk")
    assert (last.recorded, last.unchanged, Feedback.objects.count()) == (0, 3, 3)


def test_what_somebody_changed_since_it_was_on_the_page_is_not_overwritten(client, leads, as_user, world):
    confirm(as_user(world.manager), ask(as_user(world.manager), lead=ids(leads[:1]), outcome="converted"))
    seen = [f"{lead.public_id}:0" for lead in leads[:3]]
    draft = ask(client, lead=ids(leads[:3]), seen=seen, outcome="no_contact")
    confirm(client, draft)
    draft.refresh_from_db()
    assert (draft.recorded, draft.refused) == (2, 1)
    assert outcomes() == ["converted", "no_contact", "no_contact"]
    assert "Somebody else has updated this lead" in BulkLead.objects.get(status="refused").problem


def test_another_buyers_leads_are_not_touched(client, leads, world, other_world):
    rival = make.DeliveryFactory(
        lead__source=world.source, buyer=make.BuyerFactory(seller=world.seller), public_id="evt_rival"
    )
    draft = ask(
        client,
        lead=[rival.public_id, other_world.delivery.public_id, leads[0].public_id],
        outcome="contacted",
    )
    confirm(client, draft)
    assert list(Feedback.objects.values_list("delivery", flat=True)) == [leads[0].pk]


# --- By a key: at once, where few are meant -----------------------------------------------------------
def by_key(client, **data):
    return client.post("/bulk/", {"now": "1", **data}, headers={"HX-Request": "true"})


def test_by_a_key_few_are_changed_at_once_with_their_undo(client, leads):
    response = by_key(client, lead=ids(leads[:3]), outcome="converted")
    assert response.status_code == 204
    said = json.loads(response["HX-Trigger"])["told"]
    assert said["text"] == "Outcome Converted: 3 leads changed."
    assert outcomes() == ["converted"] * 3
    response = client.post(said["undo"], headers={"HX-Request": "true"})
    again = json.loads(response["HX-Trigger"])["told"]
    assert again["text"] == "Undone: 3 taken back."
    assert outcomes() == []
    client.post(again["undo"], headers={"HX-Request": "true"})
    assert outcomes() == ["converted"] * 3
    assert_sound()


def test_by_a_key_many_are_asked_about(client, leads, monkeypatch):
    monkeypatch.setattr("feedback.bulk_views.AT_ONCE", 3)
    response = by_key(client, lead=ids(leads), outcome="converted")
    assert response["HX-Redirect"].startswith("/bulk/blk_")
    assert not Feedback.objects.exists()


def test_how_many_match(client, leads):
    assert client.get("/bulk/count/?show=all").content == b"11"
    assert client.get("/bulk/count/?outcome=nonsense").content == b"0"


# --- By the worker ----------------------------------------------------------------------------------
def test_many_are_changed_by_the_worker(client, leads, by_worker, monkeypatch):
    sent = []
    monkeypatch.setattr(bulk_work, "hint", sent.append)
    draft = ask(client, lead=ids(leads), outcome="converted")
    page = confirm(client, draft).content.decode()
    assert (sent, outcomes()) == ([draft.pk], [])
    assert "Waiting for its turn" in page
    assert 'hx-trigger="every 1s"' in page
    tasks.run_bulk(draft.pk)
    draft.refresh_from_db()
    assert (draft.status, draft.done, draft.recorded, draft.share_done) == ("done", 10, 10, 1)
    assert draft.change_sets.count() == 3
    progress = client.get(f"/bulk/{draft.public_id}/progress/", headers={"HX-Request": "true"})
    assert "every 1s" not in progress.content.decode()
    assert_sound()


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_killed_worker_changes_nothing_twice(client, leads, by_worker, monkeypatch, after):
    draft = ask(client, lead=ids(leads), outcome="converted")
    confirm(client, draft)
    real, calls = bulk.keep, []

    def dies(*args, **columns):
        calls.append(1)
        if len(calls) == after:
            raise KilledError
        return real(*args, **columns)

    monkeypatch.setattr(bulk, "keep", dies)
    with pytest.raises(KilledError):
        tasks.sweep_bulk()
    draft.refresh_from_db()
    assert (draft.status, draft.done) == ("running", 4 * (after - 1))
    tasks.sweep_bulk()
    draft.refresh_from_db()
    assert draft.status == "running"  # the lease has not run out
    BulkChange.objects.update(claimed_until=timezone.now() - dt.timedelta(seconds=1))
    tasks.sweep_bulk()
    draft.refresh_from_db()
    assert (draft.status, draft.recorded, Feedback.objects.count()) == ("done", 10, 10)
    assert_sound()


def test_who_has_lost_the_lease_commits_nothing(client, leads, by_worker):
    draft = ask(client, lead=ids(leads), outcome="converted")
    confirm(client, draft)
    mine = bulk_lease.claim(draft.pk)
    BulkChange.objects.update(claimed_until=timezone.now() - dt.timedelta(seconds=1))
    assert bulk_lease.claim(draft.pk)
    with pytest.raises(leases.LostLeaseError):
        bulk.set_chunk(mine)
    assert not Feedback.objects.exists()


def test_a_fault_of_ours_is_said(client, leads, by_worker, monkeypatch, caplog):
    draft = ask(client, lead=ids(leads), outcome="converted")
    confirm(client, draft)
    monkeypatch.setattr(bulk, "intake", lambda *args: 1 / 0)
    tasks.sweep_bulk()
    draft.refresh_from_db()
    assert draft.status == "failed"
    assert "Not all of it was done" in client.get(f"/bulk/{draft.public_id}/").content.decode()


def test_many_are_taken_back_by_the_worker_and_killed_on_the_way(client, leads, by_worker, monkeypatch):
    draft = ask(client, lead=ids(leads), outcome="converted")
    confirm(client, draft)
    tasks.sweep_bulk()
    head = draft.change_sets.order_by("pk").first()
    response = client.post(f"/history/{head.public_id}/undo/", follow=True)
    assert "It is being taken back" in response.content.decode()
    job = BulkChange.objects.get(kind="undo")
    assert (job.status, job.total, len(outcomes())) == ("queued", 10, 10)
    real, calls = bulk_undo.keep, []

    def dies(*args, **columns):
        calls.append(1)
        if len(calls) == 2:
            raise KilledError
        return real(*args, **columns)

    monkeypatch.setattr(bulk_undo, "keep", dies)
    with pytest.raises(KilledError):
        tasks.sweep_bulk()
    assert len(outcomes()) == 6
    assert "still under way" in client.post(f"/history/{head.public_id}/undo/", follow=True).content.decode()
    BulkChange.objects.update(claimed_until=timezone.now() - dt.timedelta(seconds=1))
    tasks.sweep_bulk()
    job.refresh_from_db()
    assert (job.status, job.recorded, outcomes(), Feedback.objects.count()) == ("done", 10, [], 20)
    assert_sound()


def test_drafts_are_forgotten_after_a_week(client, leads):
    draft = ask(client, lead=ids(leads), outcome="converted")
    assert bulk_lease.drop_drafts() == 0
    assert bulk_lease.drop_drafts(now=timezone.now() + dt.timedelta(days=8)) == 1
    assert client.get(f"/bulk/{draft.public_id}/").status_code == 404


def test_the_question_asks_as_much_of_the_database_for_many_leads_as_for_few(
    client, leads, django_assert_max_num_queries
):
    draft = ask(client, lead=ids(leads[:2]), outcome="converted")
    client.get(f"/bulk/{draft.public_id}/")
    with django_assert_max_num_queries(26):
        client.get(f"/bulk/{draft.public_id}/")
    draft = ask(client, lead=ids(leads), outcome="converted")
    with django_assert_max_num_queries(26):
        client.get(f"/bulk/{draft.public_id}/")
