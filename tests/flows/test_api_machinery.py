"""What every endpoint does alike: methods, media types, sizes, and answers when things break."""

from __future__ import annotations

import io
import logging

import pytest
from django.db import InterfaceError, OperationalError

from flows import intake


@pytest.fixture
def leads(world) -> str:
    return f"/flows/{world.flow.public_id}/leads"


@pytest.fixture
def routing(world) -> str:
    return f"/flows/{world.flow.public_id}/routing"


def code(response) -> tuple[int, str]:
    assert response["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem["type"] == f"/problems/{problem['code']}"
    assert problem["request_id"] == response["X-Request-Id"]
    assert problem["title"]
    assert problem["detail"]
    assert response["Cache-Control"] == "no-store"
    return response.status_code, problem["code"]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "POST", "TRACE"])
def test_a_method_that_is_not_served(seller_api, routing, method):
    response = seller_api.send(method, routing, {})
    assert code(response) == (405, "method_not_allowed")
    assert response["Allow"] == "GET, HEAD, OPTIONS"


def test_the_method_comes_before_the_key(routing, seller_api):
    seller_api.key = ""
    assert code(seller_api.send("PUT", routing, {}))[0] == 405


def test_options_names_the_methods(seller_api, leads):
    response = seller_api.send("OPTIONS", leads)
    assert (response.status_code, response["Allow"]) == (204, "GET, HEAD, OPTIONS, POST")


def test_head_is_get_without_its_body(seller_api, routing):
    full, head = seller_api.get(routing), seller_api.send("HEAD", routing)
    assert (head.status_code, head.content) == (200, b"")
    assert int(head["Content-Length"]) == len(full.content)


@pytest.mark.parametrize(
    "accept",
    [
        "application/json",
        "*/*",
        "application/*",
        "text/html, */*;q=0.1",
        "application/json; charset=utf-8",
        "Application/JSON;q=0.9;charset=UTF-8",
        "",
        "text/html;q=0, application/json",
    ],
)
def test_an_acceptable_answer(seller_api, routing, accept):
    assert seller_api.get(routing, headers={"Accept": accept}).status_code == 200


@pytest.mark.parametrize(
    "accept", ["text/html", "application/xml", "application/json;q=0", "*/*, application/json;q=0.0"]
)
def test_an_answer_that_would_not_be_accepted(seller_api, routing, accept):
    assert code(seller_api.get(routing, headers={"Accept": accept})) == (406, "not_acceptable")


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/json; charset=latin-1",
    ],
)
def test_a_body_of_another_type(seller_api, leads, kind):
    response = seller_api.post(leads, b"{}", content_type=kind)
    assert code(response) == (415, "unsupported_media_type")
    assert response["Accept-Post"] == "application/json"


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=UTF-8"])
def test_json_by_any_of_its_names(seller_api, leads, kind):
    assert code(seller_api.post(leads, b"{}", content_type=kind))[0] == 422


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate, gzip"])
def test_a_compressed_body(seller_api, leads, encoding):
    response = seller_api.post(leads, b"\x1f\x8b\x08", headers={"Content-Encoding": encoding})
    assert code(response) == (415, "unsupported_media_type")


def test_the_largest_body_and_one_byte_more(seller_api, leads):
    fits = b"{" + b" " * (65536 - 2) + b"}"
    assert code(seller_api.post(leads, fits))[0] == 422
    response = seller_api.post(leads, fits + b" ")
    assert code(response) == (413, "body_too_large")
    assert response.json()["max_bytes"] == 65536


@pytest.mark.parametrize("length", ["", "2"])
def test_a_chunked_body_is_counted_as_it_comes(seller_api, leads, length):
    """Without a length, or with one that understates it."""
    chunked = {
        "HTTP_TRANSFER_ENCODING": "chunked",
        "CONTENT_LENGTH": length,
        "CONTENT_TYPE": "application/json",
    }
    long = {"wsgi.input": io.BytesIO(b"{" + b" " * 65536 + b"}")}
    assert code(seller_api.post(leads, b"", **chunked, **long)) == (413, "body_too_large")
    short = {"wsgi.input": io.BytesIO(b'{"source": 1}')}
    response = seller_api.post(leads, b"", **chunked, **short)
    assert "source" in {fault["field"] for fault in response.json()["errors"]}


def test_a_body_that_breaks_off_is_not_taken_for_a_whole_one(seller_api, leads):
    broken = {"wsgi.input": io.BytesIO(b"{}"), "CONTENT_LENGTH": "50", "CONTENT_TYPE": "application/json"}
    assert code(seller_api.post(leads, b"", **broken)) == (400, "bad_request")


def test_a_body_far_too_large_is_not_even_read(seller_api, leads):
    class Untouched(io.BytesIO):
        def read(self, *size):
            raise AssertionError("read")

    huge = {"wsgi.input": Untouched(), "CONTENT_LENGTH": str(10**9), "CONTENT_TYPE": "application/json"}
    assert code(seller_api.post(leads, b"", **huge)) == (413, "body_too_large")


@pytest.mark.parametrize("length", ["-1", "abc", "9" * 5000])
def test_a_length_that_is_none(seller_api, leads, length):
    response = seller_api.post(leads, b"", CONTENT_LENGTH=length, CONTENT_TYPE="application/json")
    assert code(response)[0] == 400


def test_a_safe_request_id_is_kept(seller_api, routing):
    assert seller_api.get(routing, headers={"X-Request-Id": "abc-1"})["X-Request-Id"] == "abc-1"
    assert seller_api.get(routing, headers={"X-Request-Id": "a b"})["X-Request-Id"] != "a b"


@pytest.mark.parametrize("error", [OperationalError("gone"), InterfaceError("closed")])
def test_the_database_being_away(seller_api, routing, monkeypatch, error, caplog):
    def away(*args, **kwargs):
        raise error

    monkeypatch.setattr("flows.http.keys.authenticate", away)
    response = seller_api.get(routing)
    assert code(response) == (503, "unavailable")
    assert int(response["Retry-After"]) > 0
    assert "gone" not in response.content.decode()


def test_a_fault_of_ours_is_a_problem_document_and_logged(seller_api, routing, monkeypatch, caplog):
    def broken(*args, **kwargs):
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr("flows.api.routing", broken)
    response = seller_api.get(routing)
    assert code(response) == (500, "internal_error")
    assert "secret detail" not in response.content.decode()
    assert any(record.exc_info and record.levelno == logging.ERROR for record in caplog.records)


def test_work_that_breaks_halfway_leaves_nothing(world, seller_api, leads, monkeypatch):
    def broken(*args, **kwargs):
        raise ZeroDivisionError

    monkeypatch.setattr(intake.deliveries_created, "send", broken)
    body = {"source": world.source.slug, "buyer": world.buyer.slug, "lead": {"email": "maria@example.org"}}
    assert code(seller_api.post(leads, body))[0] == 500
    assert world.flow.leads.filter(email="maria@example.org").count() == 0


@pytest.mark.parametrize("path", ["/flows/a%00b/routing", "/flows/a%00b/leads", "{routing}/a%00b"])
def test_a_nul_in_the_address_finds_nothing(seller_api, routing, path):
    method = "POST" if path.endswith("leads") else "GET"
    status, problem = code(
        seller_api.send(method, path.format(routing=routing), {} if method == "POST" else None)
    )
    assert (status, problem) == (404, "not_found" if "{routing}" in path else "flow_not_found")
