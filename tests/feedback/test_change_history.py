"""History: every edit, correction, call, file and bulk change is one line, is undone and done again."""

from __future__ import annotations

import datetime as dt
import json
import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from feedback import quality, tasks, uploads
from feedback.models import BulkChange, ChangeSet, Feedback, Upload
from feedback.undo_sets import UNDO_FOR, heads
from feedback.verify import verify
from flows.models import Delivery
from tests import factories as make

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def agent(world, as_user):
    return as_user(world.agent)


@pytest.fixture
def manager(world, as_user):
    return as_user(world.manager)


@pytest.fixture
def edit(world):
    """``edit(client, outcome="converted")`` sets fields of the lead as its page does → the new change set."""

    def one(client, **texts: str) -> ChangeSet:
        world.delivery.refresh_from_db()
        address = f"/leads/{world.delivery.public_id}/edit/"
        response = client.post(address, {"version": world.delivery.version, **texts})
        assert response.status_code == 302
        return ChangeSet.objects.latest("pk")

    return one


def undo(client, change: ChangeSet, **data):
    return client.post(f"/history/{change.public_id}/undo/", data, follow=True)


def state(world) -> tuple:
    row = Delivery.objects.get(pk=world.delivery.pk)
    return row.outcome, row.quality_score, row.revenue


def said(response) -> str:
    """The text of a page's main part."""
    main = response.content.decode().split("<main", 1)[1]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", main))


def assert_sound() -> None:
    while quality.recompute():
        pass
    faults = [fault for finding in verify() for fault in finding.faults if "without a cell" not in fault]
    assert faults == []


# --- An edit ----------------------------------------------------------------------------------------
def test_an_edit_is_undone_and_done_again(agent, edit, world):
    edit(agent, outcome="contacted")
    second = edit(agent, outcome="converted", revenue="100")
    assert "Undone." in said(undo(agent, second))
    assert state(world) == ("contacted", None, None)
    assert Feedback.objects.count() == 3  # nothing is deleted
    second.refresh_from_db()
    assert second.undo.user == world.agent
    assert "Undone." in said(undo(agent, second.undo))
    assert state(world) == ("converted", None, 100)
    undo(agent, ChangeSet.objects.latest("pk"))
    assert state(world) == ("contacted", None, None)
    assert_sound()


def test_twice_is_once_and_says_so(agent, edit):
    change = edit(agent, outcome="converted")
    undo(agent, change)
    assert "It is undone already" in said(undo(agent, change))
    assert Feedback.objects.count() == 2


def test_right_after_an_edit_the_next_page_offers_its_undo(agent, world):
    data = {"version": 0, "outcome": "converted", "next": "/leads/"}
    page = agent.post(f"/leads/{world.delivery.public_id}/edit/", data, follow=True).content.decode()
    change = ChangeSet.objects.get()
    assert f'action="/history/{change.public_id}/undo/"' in page
    response = agent.post(f"/history/{change.public_id}/undo/", {"next": "/leads/"}, follow=True)
    assert response.redirect_chain[-1][0] == "/leads/"
    assert state(world) == (None, None, None)
    assert f'action="/history/{ChangeSet.objects.latest("pk").public_id}/undo/"' in response.content.decode()


def test_an_edit_in_place_answers_with_the_address_of_its_undo(agent, world):
    address = f"/leads/{world.delivery.public_id}/edit/"
    data = {"version": 0, "field": "outcome", "outcome": "converted"}
    response = agent.post(address, data, headers={"HX-Request": "true"})
    assert response["X-Undo"] == f"/history/{ChangeSet.objects.get().public_id}/undo/"
    again = agent.post(address, {**data, "version": 1}, headers={"HX-Request": "true"})
    assert "X-Undo" not in again
    told = json.loads(agent.post(response["X-Undo"], headers={"HX-Request": "true"})["HX-Trigger"])["told"]
    assert (told["text"], told["changed"]) == ("Undone.", True)
    assert state(world) == (None, None, None)


def test_newer_feedback_stands_and_that_is_said(agent, edit, world):
    first = edit(agent, outcome="contacted")
    edit(agent, outcome="converted")
    page = agent.get(f"/history/{first.public_id}/").content.decode()
    assert "1 lead stays as it was: newer feedback stands there." in page
    assert "1 lead stays as it was" in said(undo(agent, first))
    assert state(world)[0] == "converted"
    assert_sound()


def test_what_was_corrected_since_stays_and_that_is_said(agent, edit, world):
    first = edit(agent, outcome="contacted", revenue="9999")
    event = Feedback.objects.get()
    address = f"/leads/{world.delivery.public_id}/feedback/{event.public_id}/correct/"
    page = agent.post(address, {"version": 1, "outcome": "contacted", "revenue": "99.99"}, follow=True)
    correction = ChangeSet.objects.latest("pk")
    assert f'action="/history/{correction.public_id}/undo/"' in page.content.decode()
    text = said(undo(agent, first))
    assert "Nothing was left to take back." in text
    assert "1 was corrected since, and the correction stays." in text
    first.refresh_from_db()
    assert first.undo is None
    assert str(state(world)[2]) == "99.990"
    undo(agent, correction)  # then what it corrected counts again
    assert state(world)[2] == 9999
    assert "Undone." in said(undo(agent, first))
    assert state(world) == (None, None, None)
    assert_sound()


def test_a_correction_that_was_corrected_again_is_left(agent, edit, world):
    edit(agent, outcome="contacted", revenue="1")
    for version, revenue in ((1, "2"), (3, "3")):
        event = Feedback.objects.filter(retracts=None).latest("pk")
        address = f"/leads/{world.delivery.public_id}/feedback/{event.public_id}/correct/"
        agent.post(address, {"version": version, "outcome": "contacted", "revenue": revenue})
    first = ChangeSet.objects.order_by("pk")[1]
    assert "Nothing was left to take back." in said(undo(agent, first))
    assert state(world)[2] == 3
    row = Delivery.objects.get(pk=world.delivery.pk)
    assert row.feedback_count == 1
    assert_sound()


def test_a_take_back_is_undone(agent, edit, world):
    edit(agent, outcome="converted")
    event = Feedback.objects.get()
    agent.post(f"/leads/{world.delivery.public_id}/feedback/{event.public_id}/take-back/", {"version": 1})
    assert state(world)[0] is None
    undo(agent, ChangeSet.objects.latest("pk"))
    assert state(world)[0] == "converted"


def test_an_own_id_goes_back_unless_it_is_another_leads_by_now(agent, world):
    address = f"/leads/{world.delivery.public_id}/own-id/"
    agent.post(address, {"external_id": "CRM-1", "seen": ""})
    agent.post(address, {"external_id": "CRM-2", "seen": "CRM-1"})
    second = ChangeSet.objects.latest("pk")
    other = make.DeliveryFactory(lead__source=world.source, buyer=world.buyer, external_id="CRM-1")
    assert "1 own ID was changed since and stays." in said(undo(agent, second))
    world.delivery.refresh_from_db()
    assert world.delivery.external_id == "CRM-2"
    Delivery.objects.filter(pk=other.pk).update(external_id=None)
    undo(agent, second)
    world.delivery.refresh_from_db()
    assert world.delivery.external_id == "CRM-1"
    assert_sound()


# --- What can no longer be undone, and who may ---------------------------------------------------------
def test_after_thirty_days_it_is_too_late(agent, edit):
    change = edit(agent, outcome="converted")
    ChangeSet.objects.update(created_at=timezone.now() - UNDO_FOR - dt.timedelta(minutes=1))
    assert "More than 30 days ago" in said(agent.get(f"/history/{change.public_id}/"))
    assert "More than 30 days ago" in said(undo(agent, change))
    assert Feedback.objects.count() == 1


def test_a_flow_that_takes_no_feedback_any_more(agent, edit, world):
    change = edit(agent, outcome="converted")
    world.flow.feedback_enabled = False
    world.flow.save()
    assert "takes no feedback any more" in said(undo(agent, change))
    assert Feedback.objects.count() == 1


def test_the_update_window_does_not_matter(agent, edit, world):
    change = edit(agent, outcome="converted")
    Delivery.objects.update(delivered_at=timezone.now() - dt.timedelta(days=200))
    undo(agent, change)
    assert state(world)[0] is None


def test_agents_undo_their_own_managers_everybodys(agent, manager, edit, world, api):
    by_manager = edit(manager, outcome="contacted")
    by_agent = edit(agent, outcome="converted")
    api.post({"lead_id": world.delivery.public_id, "quality_score": 4})
    by_api = ChangeSet.objects.latest("pk")
    for change in (by_manager, by_api):
        assert "Only who made this change, or a manager" in said(undo(agent, change))
    assert Feedback.objects.count() == 3
    for change in (by_api, by_agent, by_manager):
        assert "Undone." in said(undo(manager, change))
    assert state(world) == (None, None, None)


def test_nobody_else_undoes_it_or_sees_it(edit, agent, as_user, world, other_world):
    change = edit(agent, outcome="converted")
    rival = make.MembershipFactory(buyer=make.BuyerFactory(seller=world.seller), role="buyer_manager").user
    for user in (rival, other_world.manager, world.owner):
        client = as_user(user)
        assert client.get(f"/history/{change.public_id}/").status_code == 404
        assert client.post(f"/history/{change.public_id}/undo/").status_code == 404
    assert Feedback.objects.count() == 1


# --- A file, and its undo -----------------------------------------------------------------------------
@pytest.fixture
def march(world) -> Upload:
    """A file that converts the lead, read, uploaded by the agent."""
    text = f"lead_id,external_id,outcome\n{world.delivery.public_id},CRM-7,converted\n"
    file = SimpleUploadedFile("march.csv", text.encode())
    upload = uploads.receive(world.actor(world.agent), world.flow, file)
    tasks.read_upload(upload.pk)
    return Upload.objects.get()


def test_a_file_is_undone_done_again_and_undone(agent, march, world):
    head = ChangeSet.objects.get()
    for _ in range(2):
        assert "The file was taken back." in said(undo(agent, head))
        march.refresh_from_db()
        assert (march.status, state(world)[0]) == ("undone", None)
        of_undo = march.undo
        assert "Undo of the file march.csv" in said(agent.get("/history/"))
        undo(agent, of_undo)
        march.refresh_from_db()
        world.delivery.refresh_from_db()
        assert (march.status, march.undo, march.taken_back) == ("done", None, 0)
        assert (state(world)[0], world.delivery.external_id) == ("converted", "CRM-7")
    redo = BulkChange.objects.latest("pk").change_sets.get()
    assert "Undo the file itself" in said(undo(agent, redo))
    assert_sound()


def test_a_file_and_a_bulk_change_are_one_line_each(agent, world, monkeypatch):
    monkeypatch.setattr(uploads, "CHUNK", 2)
    leads = [make.DeliveryFactory(lead__source=world.source, buyer=world.buyer) for _ in range(5)]
    text = "\n".join(["lead_id,outcome", *(f"{lead.public_id},contacted" for lead in leads)])
    upload = uploads.receive(
        world.actor(world.agent), world.flow, SimpleUploadedFile("april.csv", text.encode())
    )
    tasks.read_upload(upload.pk)
    data = {"lead": [lead.public_id for lead in leads], "outcome": "converted", "now": "1"}
    agent.post("/bulk/", data, headers={"HX-Request": "true"})
    assert ChangeSet.objects.count() == 4
    assert heads(ChangeSet.objects.all()).count() == 2
    page = said(agent.get("/history/"))
    assert "File april.csv" in page
    assert "Outcome Converted on 5 leads" in page
    third = upload.change_sets.order_by("-pk").first()
    assert "File april.csv" in said(agent.get(f"/history/{third.public_id}/"))  # the whole of it


# --- The pages ----------------------------------------------------------------------------------------
def test_the_list_says_what_when_who_and_how_many(agent, manager, edit, world, api):
    edit(agent, outcome="converted", revenue="100")
    change = edit(manager, outcome="returned", reason="Wrong number")
    undo(manager, change)
    response = api.post({"lead_id": world.delivery.public_id, "notes": "from the CRM"})
    page = said(agent.get("/history/"))
    assert "Outcome Converted, Revenue 100.00 USD" in page
    assert "Outcome Returned, Reason Wrong number" in page
    assert "CRM through the API" in page
    assert response["X-Request-Id"] in page
    assert str(world.delivery.lead) in page
    assert "Undone" in page


def test_the_list_is_filtered(agent, manager, edit, world, api):
    edit(agent, outcome="converted")
    edit(manager, outcome="contacted")
    request_id = api.post({"lead_id": world.delivery.public_id, "quality_score": 3})["X-Request-Id"]
    other = make.DeliveryFactory(lead__source=world.source, buyer=world.buyer)
    api.post({"lead_id": other.public_id, "quality_score": 1})

    def shown(**query: str) -> int:
        return agent.get("/history/", query).context["table"].paginator.count

    assert shown() == 4
    assert shown(who=str(world.agent.pk)) == 1
    assert shown(door="api") == 2
    assert shown(q=other.public_id) == 1
    assert shown(q=request_id) == 1
    assert shown(q="nothing") == 0
    assert shown(since="2099-01-01") == 0


def test_one_change_shows_before_and_after(agent, edit, world):
    edit(agent, outcome="contacted")
    change = edit(agent, outcome="converted", revenue="100")
    page = said(agent.get(f"/history/{change.public_id}/"))
    assert "Contacted" in page
    assert "Converted" in page
    assert "100.00 USD" in page
    assert "1 piece of feedback is taken back" in page
    assert agent.get(f"/history/{change.public_id}/undo/").status_code == 302  # asked for on the page


def test_the_list_asks_as_much_for_many_changes_as_for_few(agent, edit, django_assert_num_queries, world):
    def queries() -> int:
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        with CaptureQueriesContext(connection) as captured:
            agent.get("/history/")
        return len(captured)

    edit(agent, outcome="converted")
    few = queries()
    for score in range(1, 6):
        undo(agent, edit(agent, quality_score=str(score)))
    assert queries() <= few
