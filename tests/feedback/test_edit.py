"""A person sets what became of a lead: in its row with htmx, with plain forms, and against a stale tab."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from feedback.models import Door, Feedback
from flows.models import Field
from tests import factories as make

HTMX = {"HX-Request": "true"}


@pytest.fixture
def client(world, as_user) -> Client:
    return as_user(world.agent)


@pytest.fixture
def post(client, world):
    """``post(outcome="converted")``: what a form of the delivery sends; ``htmx`` names the one cell."""

    def send(*, htmx: str = "", version: int | None = None, headers=None, **data):
        world.delivery.refresh_from_db()
        data["version"] = world.delivery.version if version is None else version
        if htmx:
            data["field"], headers = htmx, {**HTMX, **(headers or {})}
        return client.post(url(world), data, headers=headers)

    return send


def url(world) -> str:
    return reverse("lead-edit", args=[world.delivery.public_id])


def state(world):
    world.delivery.refresh_from_db()
    return world.delivery


# --- in the row, with htmx ---------------------------------------------------------------------------
def test_an_outcome_set_in_the_row(post, world):
    response = post(htmx="outcome", outcome="converted")
    assert response.status_code == 200
    assert (state(world).outcome, world.delivery.conversion_status) == ("converted", "sold")
    event = Feedback.objects.get()
    assert event.values == {"outcome": "converted"}
    assert (event.change_set.door, event.change_set.user) == (Door.PORTAL, world.agent)
    assert event.change_set.request_id == response["X-Request-Id"]


def test_the_answer_is_the_cell_saved_announced_and_with_the_new_version(post, world):
    evt = world.delivery.public_id
    answer = post(htmx="outcome", outcome="converted").content.decode()
    assert "<html" not in answer
    assert re.search(rf'<div id="outcome-{evt}"\s+class="edit saved"', answer)
    assert "data-announce=" in answer
    assert "Converted" in answer
    assert f'id="outcome-{evt}-control"' in answer
    assert "pill--good" in answer
    assert re.search(rf'id="version-{evt}"\s+name="version"\s+value="1" hx-swap-oob="true"', answer)
    assert f'id="due-{evt}" hx-swap-oob="true"' in answer


def test_only_the_named_field_is_taken_though_the_form_sends_all(post, world):
    post(htmx="quality_score", quality_score="4", outcome="returned", revenue="9")
    assert Feedback.objects.get().values == {"quality_score": 4}


@pytest.mark.parametrize(
    ("typed", "stored"), [("1500", "1500.00"), ("1,234.5", "1234.50"), (" $20 ", "20.00"), ("0", "0.00")]
)
def test_revenue_as_people_write_it(post, world, typed, stored):
    post(htmx="revenue", revenue=typed)
    assert state(world).revenue == Decimal(stored)


@pytest.mark.parametrize("typed", ["-1", "10.005", "many", "NaN", "1_000", "١٢٣", "1e400"])
def test_a_fault_stands_beside_the_field_and_the_typed_value_is_kept(post, world, typed):
    response = post(htmx="revenue", revenue=typed)
    answer = response.content.decode()
    assert response.status_code == 422
    assert f'value="{typed}"' in answer
    assert 'aria-invalid="true"' in answer
    assert f'id="revenue-{world.delivery.public_id}-note"' in answer
    assert not Feedback.objects.exists()


def test_an_outcome_of_ones_own_is_refused(post):
    assert post(htmx="outcome", outcome="sold").status_code == 422
    assert not Feedback.objects.exists()


def test_emptying_clears(post, world):
    post(htmx="revenue", revenue="5")
    post(htmx="revenue", revenue="")
    assert state(world).revenue is None
    assert Feedback.objects.order_by("pk").last().values == {"revenue": None}


def test_saying_the_same_again_records_nothing(post, world):
    post(htmx="outcome", outcome="contacted")
    answer = post(htmx="outcome", outcome="contacted")
    assert answer.status_code == 200
    assert "saved" not in answer.content.decode()
    assert Feedback.objects.count() == 1


def test_a_note_that_is_html_stays_text(post, client, world):
    post(notes='<img hx-get="/x">')
    page = client.get(reverse("lead-detail", args=[world.delivery.public_id])).content.decode()
    assert "<img" not in page
    assert "&lt;img hx-get=" in page


# --- two tabs ----------------------------------------------------------------------------------------
def test_a_stale_cell_is_not_saved_shows_what_stands_and_lets_the_person_decide(post, world):
    post(htmx="outcome", outcome="contacted")
    response = post(htmx="outcome", outcome="converted", version=0)
    answer = response.content.decode()
    assert response.status_code == 409
    assert state(world).outcome == "contacted"
    assert "Changed to <strong>Contacted</strong>" in answer
    assert "Set Converted" in answer
    assert '"value": "converted"' in answer
    assert re.search(r'name="version"\s+value="1"', answer)
    again = post(htmx="outcome", outcome="contacted", value="converted")  # the button: its value counts
    assert again.status_code == 200
    assert state(world).outcome == "converted"


def test_a_stale_clearing_can_be_decided_on_too(post, world):
    post(htmx="quality_score", quality_score="2")
    post(htmx="quality_score", quality_score="3")
    answer = post(htmx="quality_score", quality_score="", version=1)
    assert answer.status_code == 409
    assert "Set nothing" in answer.content.decode()


def test_a_stale_form_keeps_what_the_person_changed_on_top_of_what_stands(post, world):
    post(outcome="contacted", quality_score="3")
    post(outcome="returned")  # meanwhile, in another tab
    response = post(version=1, outcome="contacted", quality_score="3", notes="Called twice")
    page = response.content.decode()
    assert response.status_code == 409
    assert "Outcome is now <strong>Returned</strong> (it was Contacted)" in page
    assert '<option value="returned" selected>' in page  # the outcome was not theirs: it stands
    assert "Called twice</textarea>" in page
    assert 'name="version" value="2"' in page
    assert state(world).outcome == "returned"
    post(outcome="returned", quality_score="3", notes="Called twice")
    assert state(world).fields["notes"] == "Called twice"


@pytest.mark.parametrize("version", ["", "x", "-1", "99", "9" * 30])
def test_a_version_that_was_never_shown_is_stale(client, world, version):
    response = client.post(url(world), {"outcome": "converted", "version": version})
    assert response.status_code == 409
    assert not Feedback.objects.exists()


# --- without JavaScript ------------------------------------------------------------------------------
def test_a_rows_form_saves_what_differs_and_goes_back_to_the_list(post, world):
    response = post(
        outcome="converted", quality_score="", revenue="1,500", next="/leads/?outcome=none&page=2"
    )
    assert response.status_code == 302
    assert response["Location"] == f"/leads/?outcome=none&page=2#lead-{world.delivery.public_id}"
    assert Feedback.objects.get().values == {"outcome": "converted", "revenue": "1500.00"}


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_it_goes_back_nowhere_else(post, world, elsewhere):
    response = post(outcome="converted", next=elsewhere)
    assert response["Location"] == reverse("lead-detail", args=[world.delivery.public_id])


def test_a_rows_form_with_nothing_changed_records_nothing(post, client, world):
    post(outcome="contacted", revenue="1,500.00")
    response = post(outcome="contacted", quality_score="", revenue="1,500.00")
    assert "Nothing was changed" in client.get(response["Location"]).content.decode()
    assert Feedback.objects.count() == 1


def test_a_fault_of_a_form_shows_the_whole_form_with_what_was_typed(post):
    response = post(outcome="converted", revenue="lots")
    page = response.content.decode()
    assert response.status_code == 422
    assert 'value="lots"' in page
    assert '<option value="converted" selected>' in page
    assert "errorlist" in page
    assert not Feedback.objects.exists()


def test_every_type_of_field_in_the_full_form(post, client, world):
    Field.objects.create(flow=world.flow, name="policy_sold", kind="boolean", position=20)
    Field.objects.create(
        flow=world.flow, name="policy_type", kind="choice", choices=["auto", "home"], position=21
    )
    Field.objects.create(flow=world.flow, name="appointment_date", kind="date", position=22)
    Field.objects.create(flow=world.flow, name="calls", kind="integer", position=23)
    world.buyer.timezone = "America/Denver"
    world.buyer.save()
    contacted = timezone.now().replace(microsecond=0) - dt.timedelta(hours=3)
    local = contacted.astimezone(ZoneInfo("America/Denver"))
    sent = {
        "outcome": "converted",
        "quality_score": "5",
        "revenue": "10",
        "contacted_date": local.strftime("%Y-%m-%dT%H:%M:%S"),
        "issues": "wrong number\r\ntoo late, by far",
        "product_details": '{"size": 8}',
        "notes": "one\r\ntwo",
        "policy_sold": "yes",
        "policy_type": "home",
        "appointment_date": "2026-01-20",
        "calls": "3",
    }
    assert post(**sent).status_code == 302
    values = Feedback.objects.get().values
    assert values == {
        "outcome": "converted",
        "quality_score": 5,
        "revenue": "10.00",
        "contacted_date": contacted.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "issues": ["wrong number", "too late, by far"],
        "product_details": {"size": 8},
        "notes": "one\ntwo",
        "policy_sold": True,
        "policy_type": "home",
        "appointment_date": "2026-01-20",
        "calls": 3,
    }
    page = client.get(reverse("lead-detail", args=[world.delivery.public_id])).content.decode()
    assert local.strftime("%Y-%m-%dT%H:%M:%S") in page
    post(**sent)  # the form as it stands: not one field differs
    assert Feedback.objects.count() == 1


def test_when_it_happened_is_read_in_the_persons_time_zone(post, world):
    world.buyer.timezone = "America/Denver"
    world.buyer.save()
    earlier = timezone.now().replace(second=0, microsecond=0) - dt.timedelta(hours=2)
    local = earlier.astimezone(ZoneInfo("America/Denver"))
    post(outcome="contacted", feedback_timestamp=local.strftime("%Y-%m-%dT%H:%M"))
    assert Feedback.objects.get().occurred_at == earlier


def test_what_the_flow_requires_goes_along_as_it_stands(post, world):
    post(outcome="contacted")
    world.flow.fields.filter(name__in=["outcome", "feedback_timestamp"]).update(required=True)
    world.flow.fields.get(name="outcome").save()  # raises the schema's version
    response = post(htmx="quality_score", quality_score="4")
    assert response.status_code == 200
    assert Feedback.objects.order_by("pk").last().values == {"outcome": "contacted", "quality_score": 4}
    assert '<option value=""' not in post(htmx="outcome", outcome="converted").content.decode()


# --- who and when ------------------------------------------------------------------------------------
def test_a_closed_window_says_so_and_disables_the_control(post, world):
    world.delivery.delivered_at = timezone.now() - dt.timedelta(days=91)
    world.delivery.save()
    cell, page = post(htmx="outcome", outcome="converted"), post(outcome="converted")
    assert (cell.status_code, page.status_code) == (422, 422)
    assert "disabled" in cell.content.decode()
    for response in (cell, page):
        assert "90 days" in response.content.decode()
    assert "<textarea" not in page.content.decode()
    assert not Feedback.objects.exists()


def test_a_flow_without_feedback_says_so(post, world):
    world.flow.feedback_enabled = False
    world.flow.save()
    assert post(htmx="outcome", outcome="converted").status_code == 422
    response = post(outcome="converted")
    assert response.status_code == 403
    assert "does not take feedback" in response.content.decode()


def test_others_find_nothing_to_edit(world, other_world, as_user):
    neighbour = make.MembershipFactory(buyer=make.BuyerFactory(seller=world.seller), role="buyer_agent").user
    for user in (other_world.agent, neighbour, world.owner, other_world.owner):
        visitor = as_user(user)
        assert visitor.post(url(world), {"outcome": "converted", "version": 0}).status_code == 404
        assert visitor.get(reverse("lead-detail", args=[world.delivery.public_id])).status_code == 404
    assert not Feedback.objects.exists()


def test_who_is_not_logged_in_goes_to_the_log_in_page(world):
    response = Client().post(url(world), {"outcome": "converted"}, headers=HTMX)
    assert response.status_code == 204
    assert response["HX-Redirect"].startswith("/accounts/login/")


def test_who_comes_by_address_is_sent_to_the_lead(client, world):
    assert client.get(url(world))["Location"] == reverse("lead-detail", args=[world.delivery.public_id])


def test_a_fault_tells_people_what_to_write_not_which_json_type(post):
    answer = post(htmx="revenue", revenue="lots").content.decode()
    assert "Write an amount, such as 1500.00." in answer


def test_no_edit_without_the_token(world):
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.agent)
    assert client.post(url(world), {"outcome": "converted", "version": 0}).status_code == 403
    assert not Feedback.objects.exists()
