"""POST /flows/{id}/feedback: what a buyer's CRM sends, and every answer that it may get."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from django.test import Client
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
