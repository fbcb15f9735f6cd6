"""What can be wrong with a lead: every fault is told at once, and nothing is kept."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from flows.models import IntakeRefusal, Lead
from tests import factories as make


@pytest.fixture
def faults(world, seller_api):
    """``faults(price=-1)`` → {field: fault} of a good lead with these changes; ``...`` leaves a field out."""

    def post(**changes):
        body = {
            "source": world.source.slug,
            "buyer": world.buyer.slug,
            "lead": {"first_name": "Maria", "email": "maria@example.org"},
            **changes,
        }
        body = {name: value for name, value in body.items() if value is not ...}
        before = Lead.objects.count()
        response = seller_api.post(f"/flows/{world.flow.public_id}/leads", body)
        if response.status_code == 201:
            return {}
        problem = response.json()
        assert (response.status_code, problem["code"]) == (422, "validation_failed")
        assert Lead.objects.count() == before
        assert not IntakeRefusal.objects.exists()
        assert all(fault["message"] for fault in problem["errors"])
        return {fault["field"]: fault for fault in problem["errors"]}

    return post


def ahead(minutes: int) -> str:
    return (timezone.now() + dt.timedelta(minutes=minutes)).isoformat()


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"source": ...}, "source", "required"),
        ({"source": None}, "source", "required"),
        ({"source": ""}, "source", "required"),
        ({"source": 5}, "source", "invalid_type"),
        ({"source": "nowhere"}, "source", "invalid_choice"),
        ({"buyer": ...}, "buyer", "required"),
        ({"buyer": ["x"]}, "buyer", "invalid_type"),
        ({"buyer": "byr_unknown"}, "buyer", "invalid_choice"),
        ({"lead": ...}, "lead", "required"),
        ({"lead": []}, "lead", "invalid_type"),
        ({"lead": {}}, "lead.email", "required"),
        ({"lead": {"email": "", "phone": None}}, "lead.email", "required"),
        ({"lead": {"email": "maria"}}, "lead.email", "required"),
        ({"lead": {"phone": "12"}}, "lead.phone", "required"),
        ({"lead": {"email": 5}}, "lead.email", "invalid_type"),
        ({"lead": {"email": "a@b.co", "first_name": {}}}, "lead.first_name", "invalid_type"),
        ({"lead": {"email": "a@b.co", "last_name": "x" * 121}}, "lead.last_name", "too_long"),
        ({"lead": {"email": "x" * 250 + "@b.co"}}, "lead.email", "too_long"),
        ({"lead": {"phone": 10**300}}, "lead.phone", "too_long"),
        ({"lead": {"email": "a@b.co", "about": "x" * 8192}}, "lead", "too_long"),
        ({"price": -1}, "price", "negative_amount"),
        ({"price": "-0.01"}, "price", "negative_amount"),
        ({"price": 10.005}, "price", "too_many_decimals"),
        ({"price": "10.005"}, "price", "too_many_decimals"),
        ({"price": 1e-300}, "price", "too_many_decimals"),
        ({"price": 1e300}, "price", "out_of_range"),
        ({"price": 10**9}, "price", "out_of_range"),
        ({"price": True}, "price", "invalid_type"),
        ({"price": "1_000"}, "price", "invalid_type"),
        ({"price": "١٢٣"}, "price", "invalid_type"),
        ({"price": "$5"}, "price", "invalid_type"),
        ({"price": "NaN"}, "price", "invalid_type"),
        ({"price": ""}, "price", "invalid_type"),
        ({"event_id": ""}, "event_id", "invalid_type"),
        ({"event_id": "a b"}, "event_id", "invalid_type"),
        ({"event_id": "é"}, "event_id", "invalid_type"),
        ({"event_id": 5}, "event_id", "invalid_type"),
        ({"event_id": "x" * 65}, "event_id", "too_long"),
        ({"event_id": "evt_test"}, "event_id", "invalid_choice"),
        ({"external_id": "x" * 129}, "external_id", "too_long"),
        ({"external_id": " "}, "external_id", "invalid_type"),
        ({"external_id": 5}, "external_id", "invalid_type"),
        ({"delivered_at": "yesterday"}, "delivered_at", "invalid_timestamp"),
        ({"delivered_at": 1700000000}, "delivered_at", "invalid_timestamp"),
        ({"delivered_at": "2026-02-30T00:00:00Z"}, "delivered_at", "invalid_timestamp"),
        ({"delivered_at": "9999-12-31T23:59:59-14:00"}, "delivered_at", "invalid_timestamp"),
        ({"delivered_at": "9999-12-31T23:59:59Z"}, "delivered_at", "timestamp_in_future"),
        ({"delivered_at": "0001-01-01T00:00:00Z"}, "delivered_at", "out_of_range"),
        ({"delivered_at": "1999-12-31T00:00:00Z"}, "delivered_at", "out_of_range"),
        ({"org_id": 1}, "org_id", "unknown_field"),
    ],
)
def test_one_fault(faults, changes, field, code):
    found = faults(**changes)
    assert {name: fault["code"] for name, fault in found.items()} == {field: code}


def test_every_fault_at_once(faults):
    found = faults(
        source="nowhere",
        buyer=7,
        lead={},
        price=-1,
        event_id="a b",
        external_id="x" * 200,
        delivered_at="x",
        extra=1,
    )
    assert set(found) == {
        "source",
        "buyer",
        "lead.email",
        "price",
        "event_id",
        "external_id",
        "delivered_at",
        "extra",
    }


def test_a_clock_may_be_five_minutes_ahead(faults):
    assert faults(delivered_at=ahead(4)) == {}
    assert faults(delivered_at=ahead(6))["delivered_at"]["code"] == "timestamp_in_future"


def test_the_decimals_are_the_currencys(world, faults):
    world.flow.currency = "JPY"
    world.flow.save()
    assert faults(price="10.5")["price"]["code"] == "too_many_decimals"
    assert faults(price="10.0", event_id="yen") == {}


def test_a_near_miss_is_named(world, faults):
    make.SourceFactory(flow=world.flow, slug="facebook")
    fault = faults(source="Facebok")["source"]
    assert fault["did_you_mean"] == "facebook"
    assert set(fault["allowed"]) == {"facebook", world.source.slug}
    assert faults(sorce="x")["sorce"]["did_you_mean"] == "source"
    assert faults(phone="512")["phone"]["did_you_mean"] == "lead.phone"


def test_a_buyer_without_a_standing_agreement(world, other_world, faults):
    stranger = make.BuyerFactory(seller=world.seller)
    agreement = make.AgreementFactory(flow=world.flow, buyer=stranger, is_active=False)
    told = [faults(buyer=name) for name in (stranger.slug, other_world.buyer.public_id, "byr_none")]
    assert {fault["buyer"]["code"] for fault in told} == {"invalid_choice"}
    assert told[0]["buyer"]["allowed"] == [world.buyer.slug]
    assert other_world.buyer.slug not in str(told)
    agreement.is_active = True
    agreement.save()
    assert faults(buyer=stranger.slug) == {}


def test_a_source_of_another_flow(world, other_world, faults):
    assert faults(source=other_world.source.slug)["source"]["allowed"] == [world.source.slug]
