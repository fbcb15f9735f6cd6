"""The log of API requests: one masked row a call, which never gets in the way of the call."""

from __future__ import annotations

import datetime as dt
import json
import logging

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from feedback.models import Feedback
from flows import keys, limits, tidying
from flows.masking import MOST_BYTES, mask_text, masked_json
from flows.models import RequestLog
from portal.access import visible_to

pytestmark = pytest.mark.django_db
SECRETS = ("maria@example.com", "Keller", "555-1212", "5125551212", "Wrong number, husband answered")


def only() -> RequestLog:
    return RequestLog.objects.get()


def test_a_call_is_one_row(api, world, lead):
    response = api.post({"lead_id": lead, "outcome": "converted", "revenue": 1500}, x_request_id="crm-1")
    row = only()
    assert (row.request_id, row.method, row.path) == ("crm-1", "POST", api.url())
    assert (row.status, row.code, row.lead_id) == (201, "", lead)
    assert (row.api_key.name, row.buyer, row.seller, row.flow) == (
        "CRM",
        world.buyer,
        world.seller,
        world.flow,
    )
    assert json.loads(row.body) == {"lead_id": lead, "outcome": "converted", "revenue": 1500}
    assert row.answer == {
        "status": "recorded",
        "applied": True,
        "livemode": True,
        "feedback_id": response.json()["feedback_id"],
    }
    assert row.body_bytes == len(json.dumps({"lead_id": lead, "outcome": "converted", "revenue": 1500}))
    assert timezone.now() - row.at < dt.timedelta(minutes=1)


def test_it_costs_one_insert(api, lead):
    api.post({"lead_id": lead, "outcome": "contacted"})
    with CaptureQueriesContext(connection) as queries:
        api.post({"lead_id": lead, "outcome": "converted"})
    of_the_log = [query["sql"] for query in queries if "flows_requestlog" in query["sql"]]
    assert len(of_the_log) == 1
    assert of_the_log[0].startswith("INSERT")


@pytest.mark.parametrize(
    ("payload", "status", "code"),
    [
        ({"lead_id": "evt_unknown", "outcome": "converted"}, 404, "lead_not_found"),
        ({"lead_id": "evt_unknown", "outcome": "sold"}, 422, "validation_failed"),
    ],
)
def test_what_was_refused_is_logged_and_records_nothing(api, payload, status, code):
    assert api.post(payload).status_code == status
    assert (only().status, only().code, only().lead_id) == (status, code, "evt_unknown")
    assert not Feedback.objects.exists()


def test_a_fault_is_kept_with_its_advice(api, lead):
    api.post({"lead_id": lead, "outcome": "sold"})
    (fault,) = only().answer["errors"]
    assert (fault["field"], fault["code"], fault["did_you_mean"]) == (
        "outcome",
        "invalid_outcome",
        "converted",
    )


def test_a_call_refused_before_its_body_is_read_names_its_lead_all_the_same(api, world, lead):
    world.flow.feedback_enabled = False
    world.flow.save()
    assert api.post({"lead_id": lead, "outcome": "converted"}).status_code == 403
    assert (only().code, only().lead_id) == ("feedback_disabled", lead)


def test_another_tenants_flow_is_logged_without_the_flow(api, other_world):
    response = api.client.post(
        f"/flows/{other_world.flow.public_id}/feedback",
        "{}",
        content_type="application/json",
        headers={"X-API-Key": api.key},
    )
    assert response.status_code == 404
    assert (only().flow, only().code, only().buyer_id is not None) == (None, "flow_not_found", True)


def test_a_wrong_secret_is_nobodys(api, lead, live_key):
    good, wrong = live_key, keys._make_text("live")[1]
    forged = good[:17] + wrong[17:-6]
    forged += keys._checksum(forged)
    for text in ("", "nonsense", wrong, forged):
        assert api.post({"lead_id": lead, "outcome": "converted"}, x_api_key=text).status_code == 401
    assert not RequestLog.objects.exists()


@pytest.mark.parametrize("how", ["revoked", "expired"])
def test_a_key_that_is_over_is_still_its_owners(api, lead, world, how):
    key = world.buyer.api_keys.get()
    setattr(key, f"{how}_at" if how == "revoked" else "expires_at", timezone.now())
    key.save()
    assert api.post({"lead_id": lead, "outcome": "converted"}).status_code == 401
    assert (only().code, only().api_key) == (f"{how}_api_key", key)


def test_over_the_limit_the_body_is_not_read(api, lead, settings):
    settings.API_RATE_LIMIT = "1/hour"
    limits._limiter.cache_clear()
    for _ in range(2):
        response = api.post({"lead_id": lead, "outcome": "converted"})
    assert response.status_code == 429
    row = RequestLog.objects.get(status=429)
    assert (row.code, row.body, row.lead_id) == ("rate_limited", "", "")
    assert row.body_bytes > 0


def test_personal_data_does_not_reach_the_log(api, lead):
    api.post(
        {
            "lead_id": lead,
            "outcome": "bad_info",
            "notes": SECRETS[4],
            "reason": "call 512 555-1212",
            "issues": ["maria@example.com", "Keller"],
            "product_details": {"holder": "Maria Keller", "phone": 5125551212},
            "maria@example.com": "x",
            "email": "maria@example.com",
            "quality_score": "maria@example.com",
        }
    )
    row = only()
    everything = row.body + json.dumps(row.answer) + row.path + row.lead_id
    for secret in SECRETS:
        assert secret not in everything
    body = json.loads(row.body)
    assert (body["lead_id"], body["outcome"], body["email"]) == (lead, "bad_info", "m•••@e•••.com")
    assert body["product_details"] == {"holder": "M•••", "phone": "••• (10 digits)"}
    assert body["m•••@e•••.com"] == "x•••"


def test_an_address_in_place_of_an_id_is_masked_wherever_it_stands(api):
    api.post({"lead_id": "maria@example.com", "outcome": "converted"})
    row = only()
    assert row.lead_id == "m•••@e•••.com"
    assert "maria" not in row.body


@pytest.mark.parametrize("body", ['{"lead_id": "evt_1", "notes": "Maria Keller"', '{"a": 1, "a": 2}', "[]"])
def test_of_a_malformed_body_stand_its_length_and_its_first_fault(api, body):
    assert api.post(body=body).status_code == 400
    row = only()
    assert (row.body, row.body_bytes, row.code) == ("", len(body), "malformed_json")
    assert row.answer["line"] == 1
    assert row.answer["column"] >= 1
    assert "Maria" not in json.dumps(row.answer)


def test_a_long_body_is_cut_to_json_that_can_be_read(api, lead):
    rows = [{"lead_id": f"evt_{n}", "outcome": "converted", "notes": "x" * 500} for n in range(1000)]
    api.post({"feedback": rows}, suffix="/batch")
    row = only()
    assert len(row.body.encode()) <= MOST_BYTES
    kept = json.loads(row.body)["feedback"]
    assert kept[0] == {"lead_id": "evt_0", "outcome": "converted", "notes": "x••• (500 characters)"}
    assert kept[-1] == "…"
    assert f" evt_{999} " in row.lead_ids
    assert len(row.answer["rows"]) == 10
    assert row.answer["rejected"] == 1000


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=60),
    lambda inner: st.lists(inner, max_size=30) | st.dictionaries(st.text(max_size=80), inner, max_size=30),
    max_leaves=200,
)


@given(st.dictionaries(st.text(max_size=80), json_values, max_size=60))
def test_whatever_is_sent_the_masked_body_is_short_json(payload):
    text = masked_json(payload)
    assert len(text.encode()) <= MOST_BYTES
    assert isinstance(json.loads(text), dict)


@given(st.from_regex(r"[a-z]{3,20}@[a-z]{3,20}\.(com|de)", fullmatch=True))
def test_of_an_address_only_its_shape_is_left(address):
    local, _, domain = address.partition("@")
    assert mask_text(address) == f"{local[0]}•••@{domain[0]}•••.{domain.rpartition('.')[2]}"


def test_a_log_that_cannot_be_written_fails_no_call(api, lead, monkeypatch, caplog):
    def broken(self, **kwargs):
        raise DatabaseError("disk full")

    monkeypatch.setattr(RequestLog, "save", broken)
    with caplog.at_level(logging.ERROR):
        assert api.post({"lead_id": lead, "outcome": "converted"}).status_code == 201
    assert Feedback.objects.count() == 1
    assert "could not be logged" in caplog.text


def test_a_test_key_is_logged_too(test_api, lead):
    test_api.post({"lead_id": lead, "outcome": "converted"})
    assert (only().answer["status"], only().api_key.livemode) == ("test", False)
    assert not Feedback.objects.exists()


def test_it_is_kept_for_thirty_days(api, lead):
    api.post({"lead_id": lead, "outcome": "converted"})
    at = only().at
    assert tidying.tidy(now=at + dt.timedelta(days=30)) == 0
    assert tidying.tidy(now=at + dt.timedelta(days=30, seconds=1)) == 1
    assert not RequestLog.objects.exists()


def test_a_row_is_seen_by_its_buyer_and_its_seller_only(api, lead, world, other_world):
    api.post({"lead_id": lead, "outcome": "converted"})
    for name in ("owner", "analyst", "manager", "agent"):
        assert visible_to(world.actor(getattr(world, name)), RequestLog.objects.all()).count() == 1
    for name in ("owner", "manager"):
        actor = other_world.actor(getattr(other_world, name))
        assert not visible_to(actor, RequestLog.objects.all()).exists()


def test_a_sellers_own_calls_are_not_its_buyers(world):
    seller_key = keys.issue(name="Router", seller=world.seller)[1]
    Client().get(f"/flows/{world.flow.public_id}/routing", headers={"X-API-Key": seller_key})
    assert (only().seller, only().buyer) == (world.seller, None)
    assert not visible_to(world.actor(world.manager), RequestLog.objects.all()).exists()
