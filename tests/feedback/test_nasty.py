"""Nasty inputs at the feedback door, each with its right answer."""

from __future__ import annotations

import datetime as dt
import gzip
import json

import pytest
from django.utils.timezone import now

from feedback.models import Feedback
from feedback.schema.clock import iso
from flows import keys
from flows.models import Delivery
from tests.feedback.conftest import Api, fault_codes

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_is_stored(request):
    """A refused input leaves no trace; tests of accepted ones are marked by the fixture `kept`."""
    yield
    if "kept" not in request.fixturenames:
        assert not Feedback.objects.exists()
        assert not Delivery.objects.exclude(version=0).exists()


@pytest.fixture
def kept():
    """This test's input is taken."""


def refused(response, status: int, code: str) -> None:
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_1_numbers_that_are_none(api, lead, number):
    refused(api.post(body=f'{{"lead_id": "{lead}", "revenue": {number}}}'), 400, "malformed_json")


def test_1_a_number_beyond_the_column(api, lead):
    response = api.post(body=f'{{"lead_id": "{lead}", "revenue": 1e300}}')
    assert fault_codes(response) == {("revenue", "out_of_range")}


@pytest.mark.parametrize(("currency", "amount"), [("USD", "10.005"), ("JPY", "10.5")])
def test_2_too_many_decimals(api, world, lead, currency, amount):
    world.flow.currency = currency
    world.flow.save()
    response = api.post(body=f'{{"lead_id": "{lead}", "revenue": {amount}}}')
    refused(response, 422, "validation_failed")
    assert fault_codes(response) == {("revenue", "too_many_decimals")}


@pytest.mark.parametrize("amount", ["true", '"1_000"', '"١٢٣"'])
def test_3_money_that_is_none(api, lead, amount):
    response = api.post(body=f'{{"lead_id": "{lead}", "revenue": {amount}}}')
    refused(response, 422, "validation_failed")
    assert fault_codes(response) == {("revenue", "invalid_type")}


def test_4_a_key_twice(api, lead):
    body = f'{{"lead_id": "{lead}", "outcome": "converted", "outcome": "returned"}}'
    response = api.post(body=body)
    refused(response, 400, "malformed_json")
    assert {"line", "column"} <= response.json().keys()


@pytest.mark.parametrize("escape", [r"\u0000", r"\ud800"])
@pytest.mark.parametrize("place", ['"notes": "a%sb"', '"a%s": 1', '"external_id": "%s"'])
def test_5_characters_that_no_text_has(api, lead, escape, place):
    refused(api.post(body=f'{{"lead_id": "{lead}", {place % escape}}}'), 400, "malformed_json")


@pytest.mark.parametrize("value", ["1" * 5000, "[" * 100_000, "[" * 30_000 + "]" * 30_000, '{"a":' * 10_000])
def test_6_bombs(api, lead, value):
    response = api.post(body=f'{{"lead_id": "{lead}", "product_details": {value}}}'[:65536])
    refused(response, 400, "malformed_json")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_7_another_encoding(api, lead, encoding):
    body = json.dumps({"lead_id": lead, "notes": "Müller"}, ensure_ascii=False).encode(encoding)
    refused(api.post(body=body), 400, "malformed_json")


def test_8_a_compressed_body(api, lead):
    body = gzip.compress(json.dumps({"lead_id": lead, "outcome": "converted"}).encode())
    refused(api.post(body=body, content_encoding="gzip"), 415, "unsupported_media_type")


def test_9_a_body_over_the_limit(api, lead):
    refused(api.post({"lead_id": lead, "notes": "x" * 65536}), 413, "body_too_large")


def test_9_a_body_at_the_limit_is_read(api, lead, kept):
    body = json.dumps({"lead_id": lead, "outcome": "converted"})
    assert api.post(body=body + " " * (65536 - len(body))).status_code == 201


def test_10_another_tenants_idempotency_key_is_independent(api, other_world, lead, kept):
    theirs = Api(other_world.flow, keys.issue(name="k", buyer=other_world.buyer)[1])
    assert api.post({"lead_id": lead, "outcome": "converted"}, idempotency_key="1").status_code == 201
    payload = {"lead_id": other_world.delivery.public_id, "outcome": "returned"}
    assert theirs.post(payload, idempotency_key="1").status_code == 201
    refused(api.post(payload, idempotency_key="1"), 422, "idempotency_key_reused")


def test_11_a_replay_is_not_counted_twice(api, lead, kept):
    payload = {
        "lead_id": lead,
        "outcome": "returned",
        "feedback_timestamp": iso(now() - dt.timedelta(hours=1)),
    }
    answers = [api.post(payload) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 200, 200]
    assert answers[2].json()["lead"]["feedback_count"] == 1
    assert Feedback.objects.count() == 1


def test_12_an_older_status_after_a_newer_one(api, lead, kept):
    for hours, outcome, applied in ((1, "converted", True), (2, "no_contact", False)):
        at = iso(now() - dt.timedelta(hours=hours))
        answer = api.post({"lead_id": lead, "outcome": outcome, "feedback_timestamp": at})
        assert (answer.status_code, answer.json()["applied"]) == (201, applied)
        assert answer.json()["lead"]["outcome"] == "converted"


@pytest.mark.parametrize(
    ("time", "code"),
    [
        (lambda: iso(now() + dt.timedelta(minutes=6)), "timestamp_in_future"),
        (lambda: "2026-02-30T10:00:00Z", "invalid_timestamp"),
    ],
)
def test_13_times_that_are_none(api, lead, time, code):
    response = api.post({"lead_id": lead, "outcome": "converted", "feedback_timestamp": time()})
    refused(response, 422, "validation_failed")
    assert fault_codes(response) == {("feedback_timestamp", code)}


def test_13_a_time_without_a_zone_is_read_in_the_flows(api, world, lead, kept):
    world.flow.timezone = "Asia/Tokyo"
    world.flow.save()
    at = (now() - dt.timedelta(hours=2)).replace(microsecond=0)
    local = (at + dt.timedelta(hours=9)).replace(tzinfo=None).isoformat()
    answer = api.post({"lead_id": lead, "outcome": "contacted", "feedback_timestamp": local}).json()
    assert answer["lead"]["last_feedback_at"] == iso(at)
    assert "Asia/Tokyo" in answer["warnings"][0]


def test_14_a_key_in_the_address(api, lead, live_key, caplog):
    caplog.set_level("DEBUG")
    url = f"{api.url()}?api_key={live_key}"
    response = api.client.post(
        url, {"lead_id": lead, "outcome": "converted"}, content_type="application/json"
    )
    refused(response, 401, "missing_api_key")
    assert live_key not in caplog.text


def test_15_a_key_with_a_wrong_checksum_costs_no_query(api, lead, live_key, django_assert_num_queries):
    wrong = live_key[:-1] + ("a" if live_key[-1] != "a" else "b")
    with django_assert_num_queries(0):
        refused(api.post({"lead_id": lead, "outcome": "converted"}, x_api_key=wrong), 401, "invalid_api_key")


def test_16_another_tenants_lead_takes_the_same_queries(
    api, other_world, django_assert_num_queries, django_assert_max_num_queries
):
    payload = {"outcome": "converted"}
    api.post({"lead_id": "evt_unknown", **payload})
    with django_assert_max_num_queries(10) as unknown:
        api.post({"lead_id": "evt_unknown", **payload})
    with django_assert_num_queries(len(unknown.captured_queries)):
        refused(api.post({"lead_id": other_world.delivery.public_id, **payload}), 404, "lead_not_found")


def test_18_fields_that_are_not_the_senders(api, lead):
    response = api.post({"lead_id": lead, "outcome": "converted", "buyer": "b", "price": "1", "org_id": 3})
    refused(response, 422, "validation_failed")
    assert fault_codes(response) == {(name, "unknown_field") for name in ("buyer", "price", "org_id")}


@pytest.mark.parametrize("body", [" ", "null", "[]", '"text"', "1", "{", '{"lead_id": }', "{} {}"])
def test_a_body_that_is_no_object(api, world, body):
    refused(api.post(body=body), 400, "malformed_json")
