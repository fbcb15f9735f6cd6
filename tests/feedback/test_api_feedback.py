"""POST /flows/{id}/feedback: what a buyer's CRM sends, and every answer that it may get."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils.timezone import now

from feedback.models import ChangeSet, Feedback, StaleMark
from feedback.schema.clock import iso
from flows import keys
from flows.models import Delivery, Field
from tests import factories as make
from tests.feedback.conftest import Api, fault_codes

pytestmark = pytest.mark.django_db


def test_the_seeds_json_is_recorded(api, world, lead):
    world.delivery.delivered_at = dt.datetime(2024, 1, 14, tzinfo=dt.UTC)
    world.delivery.save()
    world.flow.update_window_days = 3650
    world.flow.save()
    response = api.post(
        {
            "lead_id": lead,
            "outcome": "converted",
            "revenue": 1500,
            "feedback_timestamp": "2024-01-15T14:30:00Z",
        }
    )
    event = Feedback.objects.get()
    assert response.status_code == 201
    assert response["X-Request-Id"]
    assert response.json() == {
        "feedback_id": event.public_id,
        "lead_id": lead,
        "external_id": None,
        "status": "recorded",
        "applied": True,
        "livemode": True,
        "lead": {
            "outcome": "converted",
            "conversion_status": "sold",
            "quality_score": None,
            "revenue": "1500.00",
            "commission": None,
            "currency": "USD",
            "contacted_at": None,
            "fields": {
                "buyer_status": "converted",
                "converted": None,
                "buyer_rating": None,
                "sale_amount": "1500.00",
                "first_contact": None,
                "reason": None,
                "notes": None,
                "recommendations": None,
                "issues": None,
                "product_details": None,
            },
            "feedback_count": 1,
            "last_feedback_at": "2024-01-15T14:30:00Z",
        },
        "warnings": [],
    }


def test_the_seeds_curl_line_is_answered_and_keeps_nothing(api, world):
    response = api.post(body='{"lead_id":"evt_test","outcome":"converted"}')
    assert response.status_code == 200
    answer = response.json()
    assert (answer["status"], answer["lead_id"], answer["applied"]) == ("test", "evt_test", True)
    assert answer["lead"]["conversion_status"] == "sold"
    assert not Feedback.objects.exists()


def test_evt_test_is_validated_like_any_lead(api):
    response = api.post({"lead_id": "evt_test", "outcome": "sold"})
    assert response.status_code == 422
    assert fault_codes(response) == {("outcome", "invalid_outcome")}


def test_a_test_key_is_answered_like_a_live_one_and_keeps_nothing(test_api, world, lead):
    response = test_api.post({"lead_id": lead, "outcome": "converted"})
    assert response.status_code == 200
    answer = response.json()
    assert (answer["status"], answer["livemode"], answer["feedback_id"]) == ("test", False, "fbk_test")
    assert answer["lead"]["outcome"] == "converted"
    world.delivery.refresh_from_db()
    assert world.delivery.outcome is None and world.delivery.version == 0
    for model in (Feedback, ChangeSet, StaleMark):
        assert not model.objects.exists()
    assert test_api.post({"lead_id": lead, "outcome": "sold"}).status_code == 422
    assert test_api.post({"lead_id": "evt_unknown", "outcome": "returned"}).status_code == 404


def test_a_lead_is_found_by_the_buyers_own_id(api, world):
    Delivery.objects.update(external_id="CRM_12345")
    response = api.post({"external_id": "CRM_12345", "outcome": "contacted"})
    assert response.status_code == 201
    assert response.json()["external_id"] == "CRM_12345"
    assert response.json()["lead_id"] == world.delivery.public_id


def test_a_field_left_out_keeps_its_value_and_null_clears_it(api, lead):
    api.post({"lead_id": lead, "outcome": "converted", "revenue": "10.00"})
    api.post({"lead_id": lead, "quality_score": 4})
    answer = api.post({"lead_id": lead, "revenue": None}).json()
    assert answer["lead"]["outcome"] == "converted"
    assert answer["lead"]["quality_score"] == 4
    assert answer["lead"]["revenue"] is None
    assert answer["lead"]["feedback_count"] == 3


def test_late_news_is_recorded_and_does_not_overwrite_newer_news(api, lead):
    newer, older = iso(now() - dt.timedelta(hours=1)), iso(now() - dt.timedelta(hours=2))
    api.post({"lead_id": lead, "outcome": "converted", "feedback_timestamp": newer})
    response = api.post({"lead_id": lead, "outcome": "contacted", "feedback_timestamp": older})
    assert response.status_code == 201
    answer = response.json()
    assert (answer["applied"], answer["lead"]["outcome"]) == (False, "converted")
    assert answer["lead"]["feedback_count"] == 2
    assert answer["lead"]["last_feedback_at"] == newer


def test_the_same_feedback_again_is_unchanged(api, lead):
    payload = {
        "lead_id": lead,
        "outcome": "contacted",
        "feedback_timestamp": iso(now() - dt.timedelta(hours=1)),
    }
    first = api.post(payload)
    api.post({"lead_id": lead, "outcome": "converted"})
    again = api.post(payload)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["status"] == "unchanged"
    assert again.json()["feedback_id"] == first.json()["feedback_id"]
    assert (again.json()["applied"], again.json()["lead"]["outcome"]) == (False, "converted")
    assert Feedback.objects.count() == 2 and ChangeSet.objects.count() == 2


def test_without_a_time_what_stands_already_is_unchanged(api, lead):
    first = api.post({"lead_id": lead, "outcome": "converted", "revenue": 5})
    second = api.post({"lead_id": lead, "quality_score": 5})
    again = api.post({"lead_id": lead, "outcome": "converted"})
    assert (again.status_code, again.json()["feedback_id"]) == (200, first.json()["feedback_id"])
    both = api.post({"lead_id": lead, "outcome": "converted", "quality_score": 5})
    assert (both.status_code, both.json()["feedback_id"]) == (200, second.json()["feedback_id"])
    assert api.post({"lead_id": lead, "outcome": "returned"}).status_code == 201
    assert api.post({"lead_id": lead, "outcome": "converted"}).status_code == 201
    assert Feedback.objects.count() == 4


def test_clearing_what_never_stood_is_recorded_once(api, lead):
    assert api.post({"lead_id": lead, "notes": None}).status_code == 201
    assert api.post({"lead_id": lead, "notes": None}).status_code == 200


def test_saying_converted_again_counts_when_it_changes_the_conversion_status(api, lead):
    api.post({"lead_id": lead, "converted": True})
    assert (
        api.post({"lead_id": lead, "outcome": "contacted"}).json()["lead"]["conversion_status"] == "pending"
    )
    again = api.post({"lead_id": lead, "converted": True})
    assert (again.status_code, again.json()["lead"]["conversion_status"]) == (201, "sold")


def test_an_unchanged_word_is_not_taken_for_one_that_newer_news_hides(api, lead):
    """A sender whose clock is ahead must not swallow what comes after."""
    ahead = iso(now() + dt.timedelta(minutes=4))
    api.post({"lead_id": lead, "outcome": "contacted", "feedback_timestamp": ahead})
    answer = api.post({"lead_id": lead, "outcome": "converted"})
    assert (answer.status_code, answer.json()["applied"]) == (201, False)


def test_a_time_without_offset_is_answered_with_a_warning(api, lead):
    local = (now() - dt.timedelta(hours=12)).replace(tzinfo=None).isoformat(timespec="seconds")
    answer = api.post({"lead_id": lead, "outcome": "contacted", "feedback_timestamp": local}).json()
    assert len(answer["warnings"]) == 1 and "America/New_York" in answer["warnings"][0]


def test_an_unknown_external_id_beside_a_good_lead_id_is_warned_of(api, lead):
    response = api.post({"lead_id": lead, "external_id": "CRM_1", "outcome": "contacted"})
    assert response.status_code == 201
    assert "external_id" in response.json()["warnings"][0]


@pytest.mark.parametrize("external_id", ["CRM_2", "CRM_unknown"])
def test_two_ids_of_two_leads_are_refused(api, world, lead, external_id):
    Delivery.objects.update(external_id="CRM_1")
    make.DeliveryFactory(lead__source=world.source, buyer=world.buyer, external_id="CRM_2")
    response = api.post({"lead_id": lead, "external_id": external_id, "outcome": "sold"})
    assert response.status_code == 422
    assert fault_codes(response) == {("external_id", "id_mismatch"), ("outcome", "invalid_outcome")}


def test_another_tenants_lead_is_answered_as_one_that_does_not_exist(api, world, other_world):
    Delivery.objects.filter(pk=other_world.delivery.pk).update(external_id="THEIRS")
    rival = make.DeliveryFactory(lead__source=world.source)  # the same flow, another buyer
    elsewhere = make.DeliveryFactory(lead__source__flow__seller=world.seller, buyer=world.buyer)
    answers = [
        api.post({"outcome": "contacted", **ids}, x_request_id="same")
        for ids in (
            {"lead_id": "evt_unknown"},
            {"lead_id": other_world.delivery.public_id},
            {"lead_id": rival.public_id},
            {"lead_id": elsewhere.public_id},
            {"external_id": "THEIRS"},
            {"external_id": "unknown"},
            {"lead_id": other_world.delivery.public_id, "external_id": "THEIRS"},
        )
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].json()["code"] == "lead_not_found"
    assert not Feedback.objects.exists()


def test_a_lead_of_another_flow_of_the_buyer_is_not_found(api, world, live_key):
    flow = make.FlowFactory(seller=world.seller)
    make.standard_fields(flow)
    flow.agreements.create(buyer=world.buyer)
    response = Api(flow, live_key).post({"lead_id": world.delivery.public_id, "outcome": "contacted"})
    assert (response.status_code, response.json()["code"]) == (404, "lead_not_found")


def test_after_the_update_window_feedback_is_refused(api, world, lead):
    delivered = now() - dt.timedelta(days=91)
    Delivery.objects.update(delivered_at=delivered)
    response = api.post({"lead_id": lead, "outcome": "converted"})
    assert response.status_code == 422
    problem = response.json()
    assert problem["code"] == "outside_update_window"
    assert problem["delivered_at"] == iso(delivered)
    assert problem["window_days"] == 90
    assert problem["closed_at"] == iso(delivered + dt.timedelta(days=90))
    assert not Feedback.objects.exists()


def test_within_the_update_window_feedback_is_taken(api, lead):
    Delivery.objects.update(delivered_at=now() - dt.timedelta(days=89, hours=23))
    assert api.post({"lead_id": lead, "outcome": "converted"}).status_code == 201


def test_every_fault_is_answered_at_once_as_a_problem(api, world, lead):
    response = api.post(
        {
            "lead_id": lead,
            "outcome": "sold",
            "revenue": -5,
            "quality_score": 7,
            "feedback_timestamp": "2001-01-01T00:00:00Z",
            "buyer": "x",
        },
        x_request_id="req-7",
    )
    assert response.status_code == 422
    assert response["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem["type"] == "/problems/validation_failed"
    assert (problem["status"], problem["code"], problem["request_id"]) == (422, "validation_failed", "req-7")
    assert fault_codes(response) == {
        ("outcome", "invalid_outcome"),
        ("revenue", "negative_amount"),
        ("quality_score", "out_of_range"),
        ("feedback_timestamp", "timestamp_before_delivery"),
        ("buyer", "unknown_field"),
    }
    outcome = next(fault for fault in problem["errors"] if fault["field"] == "outcome")
    assert outcome["did_you_mean"] == "converted" and "returned" in outcome["allowed"]
    assert not Feedback.objects.exists()


def test_the_schema_of_the_flow_decides_and_a_change_of_it_counts_at_once(api, world, lead):
    assert api.post({"lead_id": lead, "notes": "Great lead"}).status_code == 201
    world.flow.fields.get(name="notes").delete()
    Field.objects.create(flow=world.flow, name="policy_sold", kind="boolean", maps_to="sold_policy")
    response = api.post({"lead_id": lead, "notes": "Again"})
    assert fault_codes(response) == {("notes", "field_not_allowed")}
    answer = api.post({"lead_id": lead, "policy_sold": True}).json()
    assert answer["lead"]["fields"]["sold_policy"] is True
    assert answer["lead"]["fields"]["notes"] == "Great lead"  # what stood before is still shown


def test_a_change_of_mapping_shows_what_stands_under_the_new_name(api, world, lead):
    api.post({"lead_id": lead, "outcome": "converted"})
    field = world.flow.fields.get(name="outcome")
    field.maps_to = "result"
    field.save()
    fields = api.post({"lead_id": lead, "quality_score": 5}).json()["lead"]["fields"]
    assert fields["result"] == "converted" and "buyer_status" not in fields


def test_a_flow_may_take_no_feedback(api, world, lead):
    world.flow.feedback_enabled = False
    world.flow.save()
    response = api.post({"lead_id": lead, "outcome": "converted"})
    assert (response.status_code, response.json()["code"]) == (403, "feedback_disabled")


def test_keys(api, world, lead):
    good = {"lead_id": lead, "outcome": "converted"}
    seller_key = keys.issue(name="s", seller=world.seller)[1]
    other_flow = make.FlowFactory(seller=world.seller)
    limited = keys.issue(name="l", buyer=world.buyer, flows=[other_flow])[1]
    for key, status, code in (
        ("", 401, "missing_api_key"),
        ("ll_live_nonsense", 401, "invalid_api_key"),
        (seller_key, 403, "key_not_allowed"),
        (limited, 403, "key_not_allowed"),
    ):
        response = api.post(good, x_api_key=key)
        assert (response.status_code, response.json()["code"]) == (status, code)
    assert not Feedback.objects.exists()


@pytest.mark.parametrize("status", ["expired", "revoked"])
def test_a_key_that_was_right_once(api, world, lead, status):
    row, text = keys.issue(name="old", buyer=world.buyer)
    if status == "expired":
        row.expires_at = now() - dt.timedelta(seconds=1)
        row.save()
    else:
        keys.revoke(row)
    response = api.post({"lead_id": lead, "outcome": "converted"}, x_api_key=text)
    assert (response.status_code, response.json()["code"]) == (401, f"{status}_api_key")


def test_another_tenants_flow_does_not_exist(world, other_world, live_key):
    theirs = Api(other_world.flow, live_key).post(
        {"lead_id": other_world.delivery.public_id, "outcome": "contacted"}
    )
    assert (theirs.status_code, theirs.json()["code"]) == (404, "flow_not_found")


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_other_methods_are_not_allowed(api, method):
    response = getattr(api.client, method)(api.url(), headers={"X-API-Key": api.key})
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
    assert "POST" in response["Allow"]


def test_what_the_client_accepts_and_sends_matters(api, lead):
    good = {"lead_id": lead, "outcome": "converted"}
    refused = api.post(good, accept="text/html")
    assert (refused.status_code, refused.json()["code"]) == (406, "not_acceptable")
    refused = api.post(body="outcome=converted", content_type="application/x-www-form-urlencoded")
    assert (refused.status_code, refused.json()["code"]) == (415, "unsupported_media_type")
    assert not Feedback.objects.exists()


def test_an_idempotency_key_gets_the_first_answer_again(api, lead):
    payload = {"lead_id": lead, "outcome": "converted"}
    first = api.post(payload, idempotency_key="one")
    again = api.post(payload, idempotency_key="one")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again["Idempotent-Replayed"] == "true"
    changed = api.post({**payload, "outcome": "returned"}, idempotency_key="one")
    assert (changed.status_code, changed.json()["code"]) == (422, "idempotency_key_reused")
    assert Feedback.objects.count() == 1


def test_a_refused_request_does_not_use_up_its_idempotency_key(api, lead):
    assert api.post({"lead_id": lead, "outcome": "sold"}, idempotency_key="one").status_code == 422
    assert api.post({"lead_id": lead, "outcome": "converted"}, idempotency_key="one").status_code == 201


def test_a_request_id_is_on_the_change_set(api, lead):
    api.post({"lead_id": lead, "outcome": "converted"}, x_request_id="crm-42")
    change = ChangeSet.objects.get()
    assert (change.request_id, change.door, change.user) == ("crm-42", "api", None)
    assert change.api_key is not None


def test_one_post_takes_thirteen_queries(api, lead, django_assert_num_queries):
    """Key, its flows, flow; savepoint of the request; the pipeline's seven; release; the log."""
    api.post({"lead_id": "evt_unknown", "outcome": "contacted"})  # compiles the schema, notes the key's use
    with django_assert_num_queries(13):
        assert api.post({"lead_id": lead, "outcome": "converted"}).status_code == 201
