"""What happens is told to the seller's endpoints: by whichever way it happened, in its transaction, once."""

from __future__ import annotations

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction

from feedback import tasks, uploads
from feedback.intake import intake
from feedback.retract import take_back
from feedback.submission import Origin, Submission
from flows import decisions, suggestions
from flows.actions.base import Target
from flows.models import Delivery, Endpoint, OutboxMessage, Rule, Source, SuppressionList
from flows.sources import pause, resume
from tests import factories as make
from tests.admin_pages import filled, url

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def endpoint(world, other_world, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    Endpoint.objects.create(seller=other_world.seller, name="Stranger", url="https://x.example")
    return Endpoint.objects.create(seller=world.seller, name="CRM", url="https://hooks.example.com")


def told(world, type_=""):
    """What the seller's endpoint was told, in order: types and data."""
    assert not OutboxMessage.objects.exclude(seller=world.seller).exclude(kind="email").exists()
    found = OutboxMessage.objects.filter(endpoint__isnull=False, event__startswith=type_).order_by("pk")
    return [(each.event, json.loads(each.payload["body"])["data"]) for each in found]


def test_feedback_is_told_without_what_is_personal(api, world, lead):
    Delivery.objects.update(external_id="CRM_1")
    said = {"lead_id": lead, "outcome": "converted", "revenue": "1500.00", "notes": "Call Maria at home"}
    feedback_id = api.post(said).json()["feedback_id"]
    ((type_, data),) = told(world)
    assert type_ == "feedback.recorded"
    times = data.pop("occurred_at"), data.pop("received_at")
    assert all(time.endswith("Z") for time in times)
    assert data == {
        "feedback_id": feedback_id,
        "retracts": None,
        "lead_id": lead,
        "external_id": "CRM_1",
        "flow_id": world.flow.public_id,
        "source": world.source.slug,
        "buyer_id": world.buyer.public_id,
        "lead": {
            "outcome": "converted",
            "conversion_status": "sold",
            "quality_score": None,
            "revenue": "1500.00",
            "commission": None,
            "currency": "USD",
            "feedback_count": 1,
        },
    }
    assert "Maria" not in str(OutboxMessage.objects.get().payload)


def test_what_is_known_already_or_refused_is_not_told(api, world, lead, test_api):
    at = world.delivery.delivered_at.isoformat()
    for status in (201, 200):
        said = {"lead_id": lead, "outcome": "converted", "feedback_timestamp": at}
        assert api.post(said).status_code == status
    api.post({"lead_id": lead, "outcome": "eaten"})
    test_api.post({"lead_id": lead, "outcome": "returned"})
    assert len(told(world)) == 1


def test_what_is_rolled_back_is_not_told(world, lead):
    origin = Origin(world.actor(world.agent), "api")
    with pytest.raises(KeyboardInterrupt), transaction.atomic():
        intake(world.flow, [Submission(0, {"lead_id": lead, "outcome": "converted"})], origin)
        raise KeyboardInterrupt
    assert told(world) == []


def test_what_is_taken_back_is_told_as_such(api, world, lead):
    first = api.post({"lead_id": lead, "outcome": "converted"}).json()["feedback_id"]
    recorded = Delivery.objects.get(public_id=lead).feedback.get().change_set
    under = type(recorded).objects.create(door="portal", flow=world.flow, buyer=world.buyer)
    with transaction.atomic():
        take_back(recorded, under)
    _, (type_, data) = told(world)
    assert (type_, data["retracts"], data["lead"]["outcome"]) == ("feedback.recorded", first, None)


@pytest.mark.parametrize("count", [2, 30])
def test_a_batch_takes_as_many_queries_as_one(world, django_assert_num_queries, count):
    made = [make.DeliveryFactory(lead__source=world.source, buyer=world.buyer) for _ in range(count)]
    rows = [Submission(n, {"lead_id": each.public_id, "outcome": "contacted"}) for n, each in enumerate(made)]
    origin = Origin(world.actor(world.agent), "api")
    intake(world.flow, [Submission(0, {"lead_id": world.delivery.public_id, "notes": "warm"})], origin)
    with django_assert_num_queries(12), transaction.atomic():
        intake(world.flow, rows, origin)
    assert len(told(world)) == count + 1


@pytest.mark.parametrize(
    ("content", "status", "recorded"),
    [("lead_id,outcome\n{lead},converted\n", "done", 1), ("lead_id\n", "failed", 0)],
)
def test_a_file_is_told_at_its_end(world, lead, content, status, recorded):
    file = SimpleUploadedFile("march.csv", content.format(lead=lead).encode())
    upload = uploads.receive(world.actor(world.agent), world.flow, file)
    tasks.read_upload(upload.pk)
    tasks.read_upload(upload.pk)
    ((_, data),) = told(world, "upload.")
    assert (data["upload_id"], data["filename"]) == (upload.public_id, "march.csv")
    assert (data["status"], data["recorded"], data["buyer_id"]) == (status, recorded, world.buyer.public_id)
    assert bool(data["error"]) is (status == "failed")


# --- Sources -------------------------------------------------------------------------------------------
def decide(world, action, params=None, delivery=None, **rule):
    made = Rule.objects.create(
        flow=world.flow, name="Quality", action=action, params=params or {}, alert=False, **rule
    )
    target = Target(
        Source.objects.get(pk=world.source.pk),
        "1",
        "Because it is bad",
        {"outcome": "returned", "lead_id": "evt_1"},
        delivery,
    )
    (decision,) = decisions.decide(made, [target], now=world.delivery.delivered_at)
    return decision


def test_a_rule_that_pauses_and_its_undo(world):
    decision = decide(world, "pause_source")
    decisions.undo(decision, user=world.owner)
    (paused, by_rule), (resumed, by_hand) = told(world)
    assert (paused, resumed) == ("source.paused", "source.resumed")
    assert by_rule == {
        "flow_id": world.flow.public_id,
        "source": world.source.slug,
        "name": world.source.name,
        "rule": "Quality",
        "buyer_id": None,
        "reason": "Because it is bad",
    }
    assert by_hand["rule"] is None


def test_a_suggestion_is_told_when_it_is_approved(world):
    decision = decide(world, "pause_source", mode="suggest", trigger="feedback", outcome="returned")
    assert told(world, "source.") == []
    plan = suggestions.plan(decisions.lock(decision))
    suggestions.approve(decision, user=world.owner, seen=suggestions.seal(plan))
    ((type_, data),) = told(world, "source.")
    assert (type_, data["rule"]) == ("source.paused", None)  # a person did it


def test_caps_and_prices(world):
    Source.objects.update(daily_cap=100)
    decide(world, "step_cap", {"percentage": 20, "min": 1, "max": 500})
    Rule.objects.update(name="Other")
    decide(world, "set_price_adjustment", {"value": 1.2})
    (cap, cap_data), (price, price_data) = told(world)
    assert (cap, cap_data["before"], cap_data["after"]) == (
        "source.cap_changed",
        {"daily_cap": 100},
        {"daily_cap": 120},
    )
    assert (price, price_data["currency"]) == ("source.price_changed", "USD")
    assert price_data["before"] == {"price": "20.00", "base_price": "20.00", "price_adjustment": "1"}
    assert price_data["after"] == {"price": "24.00", "base_price": "20.00", "price_adjustment": "1.2"}


def test_by_hand_in_the_admin(world, as_user):
    client = as_user(world.owner)
    client.post(url(world.source, "pause"), {"reason": "Holiday"})
    client.post(url(world.source, "resume"), {"reason": ""})
    address = url(world.source, "change")
    client.post(address, filled(client, address, daily_cap="50", base_price="30"))
    client.post(address, filled(client, address, name="Facebook Ads"))
    types = [type_ for type_, _ in told(world)]
    assert types == ["source.paused", "source.resumed", "source.cap_changed", "source.price_changed"]
    data = told(world)[2][1]
    assert (data["before"], data["after"]) == ({"daily_cap": None}, {"daily_cap": 50})


def test_many_by_hand_and_only_what_changed(world):
    make.SourceFactory(flow=world.flow)
    make.SourceFactory(flow=world.flow, status="paused")
    assert pause(Source.objects.filter(flow=world.flow), "Audit") == 2
    assert [type_ for type_, _ in told(world)] == ["source.paused"] * 2
    assert resume(Source.objects.filter(flow=world.flow), "") == 3


# --- Contacts and alerts -----------------------------------------------------------------------------
def test_a_suppressed_contact_is_told_by_its_lead(world):
    SuppressionList.objects.create(seller=world.seller, name="Returns", slug="returns")
    decide(
        world, "suppress_contact", {"list": "returns"}, world.delivery, trigger="feedback", outcome="returned"
    )
    ((type_, data),) = told(world)
    assert (type_, data["lead_id"], data["list"]) == (
        "contact.suppressed",
        world.delivery.public_id,
        "returns",
    )
    assert data["kinds"] == ["email", "phone"]
    assert world.delivery.lead.email not in str(data)


def test_an_alert_is_told(world):
    decide(world, "alert", {"message": "Look at it", "level": "bad"})
    ((type_, data),) = told(world)
    assert (type_, data["level"], data["source"]) == ("alert.raised", "bad", world.source.slug)
    assert "Look at it" in data["title"]
