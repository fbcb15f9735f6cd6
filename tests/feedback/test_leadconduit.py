"""The LeadConduit-compatible door, sentence by sentence of the contract, and what must not go wrong there."""

from __future__ import annotations

import json
import logging

import pytest
from defusedxml import ElementTree as ET  # noqa: N817  # as everybody calls it
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feedback.leadconduit.answers import outcome_data, xml
from feedback.models import Door, Feedback
from flows import keys, limits
from flows.models import Agreement, Delivery, Field, Lead, RequestLog
from tests import factories as make
from tests.admin_pages import filled, url

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def ask(live_key):
    """``ask("GET", event_id=…, type=…)``: with the key in a header, unless headers are given."""

    def one(method: str = "GET", body: bytes | str = b"", content_type: str = "", headers=None, **query):
        sent = {"X-API-Key": live_key} if headers is None else headers
        extra = {"content_type": content_type} if content_type or body else {}
        return Client().generic(method, "/feedback", body, headers=sent, query_params=query, **extra)

    return one


def events() -> list[dict]:
    return [each.values for each in Feedback.objects.order_by("pk")]


@pytest.mark.parametrize(("kind", "outcome"), [("conversion", "converted"), ("return", "returned")])
def test_a_get_records(ask, world, lead, kind, outcome):
    Lead.objects.update(first_name="Zoë", last_name="Ng", email="zoe@example.com", phone="5125550147")
    Delivery.objects.update(price="25.000")
    response = ask(event_id=lead, type=kind)
    assert response.status_code == 201
    assert response.json() == {
        "outcome": "success",
        "reason": None,
        "lead": {
            "id": lead,
            "first_name": "Zoë",
            "last_name": "Ng",
            "email": "zoe@example.com",
            "phone_1": "5125550147",
        },
        "price": "25.00",
    }
    world.delivery.refresh_from_db()
    assert world.delivery.outcome == outcome
    assert Feedback.objects.get().change_set.door == Door.LEADCONDUIT
    assert response["Cache-Control"] == "no-store"
    assert response["X-Request-Id"]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ('{"type": "return", "reason": "Wrong number"}', "application/json"),
        ("type=return&reason=Wrong+number", FORM),
        ("<x><type>return</type><reason>Wrong number</reason></x>", "application/xml"),
        ('<?xml version="1.0"?><a><type>return</type><reason>Wrong number</reason></a>', "text/xml"),
        ('{"type": "return", "reason": "Wrong number"}', "application/json; charset=utf-8"),
    ],
)
def test_a_post_says_it_in_json_form_or_xml(ask, lead, body, content_type):
    assert ask("POST", body, content_type, event_id=lead).json()["outcome"] == "success"
    assert events() == [{"outcome": "returned", "reason": "Wrong number"}]


def test_the_address_wins_over_the_body(ask, lead):
    body = json.dumps({"event_id": "evt_other", "type": "return"})
    ask("POST", body, "application/json", event_id=lead, type="conversion")
    assert events() == [{"outcome": "converted"}]


def test_the_body_alone_is_enough(ask, lead):
    ask("POST", json.dumps({"event_id": lead, "type": "conversion"}), "application/json")
    assert events() == [{"outcome": "converted"}]


def test_an_empty_post_needs_no_type(ask, lead):
    assert ask("POST", event_id=lead, type="conversion").status_code == 201


def test_a_change_of_mind_is_recorded_each_time(ask, world, lead):
    for kind in ("conversion", "return", "conversion"):
        assert ask(event_id=lead, type=kind).json()["outcome"] == "success"
    world.delivery.refresh_from_db()
    assert (world.delivery.outcome, len(events())) == ("converted", 3)


def test_said_again_it_is_recorded_once(ask, lead):
    assert [ask(event_id=lead, type="conversion").json()["outcome"] for _ in range(2)] == ["success"] * 2
    assert len(events()) == 1


@pytest.mark.parametrize(
    "accept",
    [
        "application/xml",
        "text/xml",
        "text/xml, application/json;q=0.1",
        "application/xml; charset=utf-8",
        "text/xml, */*",
        "application/json;q=0, */*;q=0.5, text/xml;q=0.9",
    ],
)
def test_xml_is_answered_where_it_is_asked_for(ask, live_key, lead, accept):
    Lead.objects.update(first_name="<b>&\x07", last_name="]]>")
    response = ask(headers={"X-API-Key": live_key, "Accept": accept}, event_id=lead, type="conversion")
    assert response["Content-Type"].split(";")[0] in accept
    result = ET.fromstring(response.content)
    assert result.tag == "result"
    assert result.findtext("outcome") == "success"
    assert result.findtext("lead/first_name") == "<b>&"
    assert result.findtext("lead/last_name") == "]]>"
    assert [each.tag for each in result] == ["outcome", "reason", "lead", "price"]


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "application/json",
        "text/html, */*;q=0.1",
        "application/json; charset=utf-8",
        "application/xml;q=0.5, application/json",
        "application/json, text/javascript, */*; q=0.01",
    ],
)
def test_json_is_the_default(ask, live_key, lead, accept):
    headers = {"X-API-Key": live_key} | ({"Accept": accept} if accept else {})
    response = ask(headers=headers, event_id=lead, type="conversion")
    assert response["Content-Type"].startswith("application/json")


# --- Refusals of the request: in plain text, and nothing stored ------------------------------------


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"])
def test_other_methods_are_415(ask, lead, method):
    response = ask(method, event_id=lead, type="conversion")
    assert (response.status_code, response["Allow"]) == (415, "GET, POST")
    assert not events()


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ("{", "application/json", 400),
        ('{"type": "a", "type": "b"}', "application/json", 400),
        ('{"type": ["conversion"]}', "application/json", 400),
        ('{"reason": "\\u0000"}', "application/json", 400),
        ('{"reason": "\\ud800"}', "application/json", 400),
        ("[" * 60_000, "application/json", 400),
        (json.dumps({"type": "conversion"}).encode("utf-16"), "application/json", 400),
        ("reason=%00", FORM, 400),
        (b"reason=\xff", FORM, 400),
        ("<x><type>", "application/xml", 400),
        ('<!DOCTYPE x [<!ENTITY a "b">]><x><type>&a;</type></x>', "application/xml", 400),
        ('<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>', "text/xml", 400),
        ("<x>" * 20_000, "application/xml", 400),
        ("<x><type>return</type><type>conversion</type></x>", "application/xml", 400),
        ("<x><reason>Wrong <b>number</b></reason></x>", "application/xml", 400),
        ('<?xml version="1.0" encoding="utf-7"?><x/>', "application/xml", 400),
        ("reason=a&reason=b", FORM, 400),
        ("reason=Stra%DFe", FORM, 400),
        ("&".join(f"a{number}=" for number in range(2_000)), FORM, 400),
        ("type: conversion", "text/yaml", 406),
        ("type=conversion", "multipart/form-data; boundary=x", 406),
        ("x" * 70_000, FORM, 413),
    ],
)
def test_a_body_that_cannot_be_taken(ask, lead, body, content_type, status):
    response = ask("POST", body, content_type, event_id=lead, type="conversion")
    assert response.status_code == status
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response.content.decode().strip()
    assert not events()


@pytest.mark.parametrize(
    "query", ["type=return&type=conversion", "type=return&reason=Stra%DFe", "type=return&reason=a%00b"]
)
def test_an_address_that_cannot_be_read_is_400(live_key, lead, query):
    response = Client(headers={"X-API-Key": live_key}).get(f"/feedback?event_id={lead}&{query}")
    assert (response.status_code, response["Content-Type"]) == (400, "text/plain; charset=utf-8")
    assert not events()


def test_xml_may_be_deep_and_have_a_namespace(ask, lead):
    deep = "<x>" * 5_000 + "</x>" * 5_000
    body = f'<f xmlns="http://example.com/crm"><type>return</type><reason>Äh</reason>{deep}</f>'
    assert ask("POST", body, "text/xml", event_id=lead).json()["outcome"] == "success"
    assert events() == [{"outcome": "returned", "reason": "Äh"}]


def test_a_body_without_a_type_is_415(live_key, lead):
    client = Client(headers={"X-API-Key": live_key})
    response = client.generic("POST", f"/feedback?event_id={lead}", b"type=conversion", content_type="")
    assert response.status_code == 415
    assert response["Content-Type"].startswith("text/plain")


def test_a_compressed_body_is_415(ask, live_key, lead):
    headers = {"X-API-Key": live_key, "Content-Encoding": "gzip"}
    assert ask("POST", b"\x1f\x8b", FORM, headers=headers, event_id=lead).status_code == 415


def test_an_accept_of_neither_is_406(ask, live_key, lead):
    headers = {"X-API-Key": live_key, "Accept": "text/csv"}
    response = ask(headers=headers, event_id=lead, type="conversion")
    assert (response.status_code, response["Content-Type"]) == (406, "text/plain; charset=utf-8")
    assert not events()


# --- What became of it ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"type": "conversion"}, "Send event_id"),
        ({"event_id": "evt_nobody", "type": "conversion"}, "No lead of yours"),
        ({"event_id": "evt_nobody", "type": "sold"}, "type=conversion or type=return"),
        ({"event_id": "evt_nobody"}, "type=conversion or type=return"),
    ],
)
def test_what_is_missing_or_unknown_is_an_error_with_a_way_out(ask, world, query, words):
    response = ask(**query)
    assert (response.status_code, response.json()["outcome"]) == (201, "error")
    assert words in response.json()["reason"]
    assert not events()


def test_a_reason_off_the_list_is_a_failure(ask, world, lead):
    Field.objects.filter(flow=world.flow, name="reason").delete()
    Field.objects.create(flow=world.flow, name="reason", kind="text", choices=["Bad number"])
    response = ask(event_id=lead, type="return", reason="Because")
    assert (response.status_code, response.json()["outcome"]) == (201, "failure")
    assert "allowed values" in response.json()["reason"]
    assert not events()


def test_a_flow_of_the_simple_pattern_is_told_whether_it_converted(ask, world, lead):
    Field.objects.filter(flow=world.flow, name="outcome").delete()
    ask(event_id=lead, type="conversion")
    assert events() == [{"converted": True}]


def test_feedback_that_is_forbidden_is_409(ask, world, lead):
    world.flow.feedback_enabled = False
    world.flow.save()
    response = ask(event_id=lead, type="conversion")
    assert (response.status_code, response.json()["outcome"]) == (409, "failure")
    assert "does not take feedback" in response.json()["reason"]


def test_outside_the_window_is_409(ask, world, lead):
    Delivery.objects.update(delivered_at=timezone.now() - timezone.timedelta(days=400))
    response = ask(event_id=lead, type="conversion")
    assert (response.status_code, response.json()["outcome"]) == (409, "failure")
    assert not events()


def test_contact_and_price_are_shown_as_agreed(ask, world, lead):
    Agreement.objects.update(shows_contact=False, shows_price=False)
    data = ask(event_id=lead, type="conversion").json()
    assert data["lead"] == {
        "id": lead,
        "first_name": None,
        "last_name": None,
        "email": None,
        "phone_1": None,
    }
    assert data["price"] is None


def test_another_tenants_lead_is_like_none(ask, other_world, django_assert_num_queries):
    ask(event_id="evt_nobody")  # notes that the key was used
    with CaptureQueriesContext(connection) as queries:
        nobodys = ask(event_id="evt_nobody", type="conversion")
    with django_assert_num_queries(len(queries)):
        theirs = ask(event_id=other_world.delivery.public_id, type="conversion")
    assert theirs.content == nobodys.content
    assert not events()


def test_one_id_in_two_flows_is_said_to_be_ambiguous(ask, world, lead):
    flow = make.FlowFactory(seller=world.seller)
    make.standard_fields(flow)
    source = make.SourceFactory(flow=flow)
    make.DeliveryFactory(lead__source=source, buyer=world.buyer, public_id=lead)
    assert "Two flows" in ask(event_id=lead, type="conversion").json()["reason"]
    assert not events()


# --- Who asks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["query", "form", "json", "xml", "bearer", "basic"])
def test_the_key_may_come_in_many_ways(ask, live_key, lead, place):
    import base64

    basic = base64.b64encode(f"X:{live_key}".encode()).decode()
    sent = {
        "query": {"key": live_key},
        "form": {"body": f"key={live_key}", "content_type": FORM},
        "json": {"body": json.dumps({"key": live_key}), "content_type": "application/json"},
        "xml": {"body": f"<x><key>{live_key}</key></x>", "content_type": "text/xml"},
        "bearer": {"headers": {"Authorization": f"Bearer {live_key}"}},
        "basic": {"headers": {"Authorization": f"Basic {basic}"}},
    }[place]
    method = "POST" if "body" in sent else "GET"
    response = ask(method, **{"headers": {}, **sent}, event_id=lead, type="conversion")
    assert response.json()["outcome"] == "success"


def test_a_key_in_the_address_is_in_no_log(ask, live_key, lead, caplog):
    with caplog.at_level(logging.DEBUG):
        ask(headers={}, key=live_key, event_id=lead, type="conversion")
        ask("POST", f"key={live_key}&type=return", FORM, headers={}, event_id=lead)
        ask(headers={}, key=live_key, event_id=lead)
    secret = live_key[-20:]
    assert secret not in caplog.text
    logged = list(RequestLog.objects.values())
    assert len(logged) == 3
    assert secret not in repr(logged)
    assert logged[0]["lead_id"] == lead


def test_the_key_in_the_address_is_for_this_door_only(live_key, lead, world):
    response = Client().post(
        f"/flows/{world.flow.public_id}/feedback?key={live_key}",
        json.dumps({"lead_id": lead, "outcome": "converted"}),
        content_type="application/json",
    )
    assert response.status_code == 401


@pytest.mark.parametrize("headers", [{}, {"X-API-Key": "ll_live_nonsense"}])
def test_without_a_key_nothing_is_told(ask, lead, headers):
    response = ask(headers=headers, event_id=lead, type="conversion")
    assert (response.status_code, response["Content-Type"]) == (401, "text/plain; charset=utf-8")
    assert not events()


def test_a_sellers_key_is_of_the_wrong_kind(ask, world, lead):
    key = keys.issue(name="Mine", seller=world.seller)[1]
    assert ask(headers={"X-API-Key": key}, event_id=lead, type="conversion").status_code == 403


def test_a_key_of_other_flows_does_not_find_the_lead(ask, world, lead):
    flow = make.FlowFactory(seller=world.seller)
    Agreement.objects.create(flow=flow, buyer=world.buyer)
    key = keys.issue(name="Limited", buyer=world.buyer, flows=[flow])[1]
    data = ask(headers={"X-API-Key": key}, event_id=lead, type="conversion").json()
    assert data["outcome"] == "error"


def test_a_test_key_records_nothing(ask, world, lead):
    key = keys.issue(name="Trying", buyer=world.buyer, livemode=False)[1]
    assert ask(headers={"X-API-Key": key}, event_id=lead, type="conversion").json()["outcome"] == "success"
    assert not events()


def test_the_lead_for_trying_out(ask, world):
    data = ask(event_id="evt_test", type="conversion").json()
    assert (data["outcome"], data["lead"]["id"], data["price"]) == ("success", "evt_test", None)
    assert not events()


def test_an_id_is_a_credential_only_where_the_flow_says_so(ask, world, lead, other_world):
    asked = {"headers": {}, "type": "conversion"}
    refused = [ask(event_id=each, **asked) for each in (lead, "evt_nobody", "evt_test", "")]
    assert {(each.status_code, each.content) for each in refused} == {(401, refused[0].content)}
    world.flow.event_id_is_credential = True
    world.flow.save()
    assert ask(event_id=lead, **asked).json()["outcome"] == "success"
    assert ask(event_id="evt_test", **asked).status_code == 401
    assert ask(event_id=other_world.delivery.public_id, **asked).status_code == 401
    assert len(events()) == 1


def test_an_unknown_id_costs_what_a_known_one_does(ask, world, lead, django_assert_num_queries):
    for event_id in (lead, "evt_nobody"):
        with django_assert_num_queries(1):
            ask(headers={}, event_id=event_id, type="conversion")


def test_calls_without_a_key_are_limited_by_address(ask, world, lead, settings):
    settings.API_RATE_LIMIT = "2/minute"
    limits._limiter.cache_clear()
    answers = [ask(headers={}, event_id="evt_guess", type="conversion").status_code for _ in range(3)]
    assert answers == [401, 401, 429]
    limits._limiter.cache_clear()


def test_calls_without_a_key_count_by_what_the_proxy_says_and_nobody_else(ask, world, settings):
    settings.API_RATE_LIMIT = "1/minute"

    def codes(*forwarded):
        limits._limiter.cache_clear()
        return [
            ask(headers={"X-Forwarded-For": each}, event_id="evt_guess").status_code for each in forwarded
        ]

    assert codes("203.0.113.1", "203.0.113.2") == [401, 429]
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    assert codes("203.0.113.1", "203.0.113.2", "made up, 203.0.113.2") == [401, 401, 429]
    limits._limiter.cache_clear()


def test_an_idempotency_key_gets_the_first_answer_again(ask, live_key, lead):
    headers = {"X-API-Key": live_key, "Idempotency-Key": "k1"}
    first, again = (ask("POST", headers=headers, event_id=lead, type="conversion") for _ in range(2))
    assert first.content == again.content
    assert "Idempotent-Replayed" not in first
    assert (again.status_code, again["Idempotent-Replayed"]) == (201, "true")
    other = ask("POST", headers=headers, event_id=lead, type="return")
    assert other.status_code == 422
    assert len(events()) == 1


def test_what_was_forbidden_may_be_sent_again_with_its_idempotency_key(ask, world, live_key, lead):
    headers = {"X-API-Key": live_key, "Idempotency-Key": "k1"}
    answers = []
    for enabled in (False, True):
        world.flow.feedback_enabled = enabled
        world.flow.save()
        answers.append(ask("POST", headers=headers, event_id=lead, type="conversion"))
    assert [each.status_code for each in answers] == [409, 201]
    assert answers[0].json()["lead"]["id"] == lead
    assert len(events()) == 1


# --- The log of requests, in which buyers look for what became of theirs -------------------------------


def test_every_way_of_answering_is_in_the_request_log(ask, world, live_key, lead):
    xml_wanted = {"X-API-Key": live_key, "Accept": "text/xml"}
    ask(headers=xml_wanted, event_id=lead, type="conversion")
    ask(headers=xml_wanted, event_id=lead, type="sold")
    ask("POST", '{"secret": 1, "secret": 2}', "application/json", event_id=lead)
    ask("POST", "x", "text/yaml", event_id=lead)
    world.flow.feedback_enabled = False
    world.flow.save()
    ask(event_id=lead, type="conversion")
    rows = list(RequestLog.objects.order_by("pk"))
    assert [(row.status, row.code) for row in rows] == [
        (201, ""),
        (201, ""),
        (400, "malformed_json"),
        (406, "not_acceptable"),
        (409, "feedback_disabled"),
    ]
    assert [row.said for row in rows[:2]] == ["success", "error"]
    assert [row.lead_id for row in rows] == [lead] * 5
    assert "secret" not in repr([row.answer for row in rows])


def test_the_log_tells_a_buyer_that_nothing_was_recorded(ask, world, lead, as_user):
    ask(event_id=lead, type="sold")
    client, row = as_user(world.manager), RequestLog.objects.get()
    page = client.get(f"/developers/log/{row.pk}/").text
    assert "Not recorded" in page
    assert "Send type=conversion or type=return." in page
    assert "Went through" not in page
    assert "error" in client.get("/developers/log/", {"lead": lead}).text


def test_a_revoked_key_in_a_body_is_in_no_log(ask, world, lead, caplog):
    key, text = keys.issue(name="Old", buyer=world.buyer)
    keys.revoke(key)
    with caplog.at_level(logging.DEBUG):
        body = json.dumps({"key": text, "type": "return", "event_id": lead})
        response = ask("POST", body, "application/json", headers={})
    assert response.status_code == 401
    row = RequestLog.objects.get()
    assert (row.code, row.lead_id) == ("revoked_api_key", lead)
    assert text[-20:] not in caplog.text + repr(RequestLog.objects.values()) + response.text


def test_the_seller_lets_ids_serve_as_credentials_on_the_flows_page(world, as_user, ask, lead):
    client, address = as_user(world.owner), url(world.flow, "change")
    page = client.get(address).text
    assert "may then send feedback on it, and is shown its contact and price" in page
    client.post(address, filled(client, address, event_id_is_credential="on"))
    assert ask(headers={}, event_id=lead, type="conversion").json()["outcome"] == "success"
    assert "LeadConduit" in as_user(world.manager).get(f"/leads/{lead}/").text


def test_the_number_of_queries(ask, lead, django_assert_max_num_queries):
    with django_assert_max_num_queries(22):
        ask(event_id=lead, type="conversion")


# --- Whatever is sent --------------------------------------------------------------------------------


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(
    body=st.binary(max_size=200),
    content_type=st.sampled_from(["application/json", FORM, "application/xml", "text/xml", "", "x/y"]),
    method=st.sampled_from(["GET", "POST"]),
)
def test_no_bytes_are_a_fault_of_ours(ask, lead, body, content_type, method):
    assert ask(method, body, content_type, event_id=lead).status_code < 500


@given(st.text())
def test_any_name_can_be_written_as_xml(name):
    data = outcome_data("error", name)
    text = xml("result", data).encode(errors="replace").decode()
    assert ET.fromstring(text).findtext("outcome") == "error"
