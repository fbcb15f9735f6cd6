"""The endpoints that SuppressionList clients use, sentence by sentence of the contract."""

from __future__ import annotations

import datetime as dt
import json
import logging

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows import keys, suppression, tidying
from flows.models import Decision, RequestLog, SuppressionEntry, SuppressionList
from flows.suppression import add_all, suppressed

PHONE = "+15125550147"


@pytest.fixture
def returns(world) -> SuppressionList:
    return SuppressionList.objects.create(seller=world.seller, name="Returns", slug="returns")


@pytest.fixture
def bad(world) -> SuppressionList:
    return SuppressionList.objects.create(seller=world.seller, name="Bad", slug="bad")


@pytest.fixture
def key(world) -> str:
    return keys.issue(name="Router", seller=world.seller)[1]


@pytest.fixture
def call(key):
    """``call("GET", "/exists/returns/x")`` with the seller's key."""

    def one(method: str, path: str, data=None, **headers: str):
        body = b"" if data is None else json.dumps(data)
        sent = {"X-API-Key": key, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return Client().generic(method, path, body, content_type="application/json", headers=sent)

    return one


def standing(listed: SuppressionList) -> set[tuple[str, str]]:
    return set(listed.entries.values_list("kind", "value"))


def test_a_value_on_two_lists_is_found_with_its_entries(call, returns, bad):
    for listed in (returns, bad):
        add_all(listed, [("email", "a@example.com")], origin="person")
    response = call("GET", "/exists/returns|bad/A@Example.com")
    entry = returns.entries.get()
    assert response.status_code == 200
    data = response.json()
    assert (data["specified_lists"], data["key"], data["found"]) == (
        ["returns", "bad"],
        "a@example.com",
        True,
    )
    assert data["exists_in_lists"] == ["returns", "bad"]
    assert data["entries"][0]["list_id"] == str(returns.pk)
    assert data["entries"][0]["list_url_name"] == "returns"
    assert dt.datetime.fromisoformat(data["entries"][0]["added_at"]) == entry.added_at.replace(microsecond=0)


def test_a_value_on_none_is_404_in_its_own_shape(call, returns):
    response = call("GET", "/exists/returns/nobody@example.com")
    assert response.status_code == 404
    assert response.json() == {
        "specified_lists": ["returns"],
        "key": "nobody@example.com",
        "found": False,
    }


@pytest.mark.parametrize("asked", ["(512) 555-0147", "+15125550147", "512.555.0147", "%2B15125550147"])
def test_a_number_is_one_however_it_is_written(call, returns, asked):
    add_all(returns, [("phone", PHONE)], origin="person")
    assert call("GET", f"/exists/returns/{asked}").json()["key"] == PHONE


def test_a_source_can_be_asked_after(call, returns, world):
    call("POST", "/lists/returns/items", {"values": [f"{world.flow.public_id}/{world.source.slug}"]})
    assert call("GET", f"/exists/returns/{world.flow.public_id}/{world.source.slug}").status_code == 200


@pytest.mark.parametrize("values", [["A@example.com", "512 555 0147", "x"], "A@example.com|512 555 0147|x"])
def test_values_are_put_on_a_list_and_taken_off(call, returns, values):
    response = call("POST", "/lists/returns/items", {"values": values})
    assert (response.status_code, response.json()) == (200, {"accepted": 2, "rejected": 1})
    assert standing(returns) == {("email", "a@example.com"), ("phone", PHONE)}
    assert set(returns.entries.values_list("origin", flat=True)) == {"api"}
    again = call("POST", "/lists/returns/items", {"values": values})
    assert again.json() == {"accepted": 2, "rejected": 1}
    gone = call("DELETE", "/lists/returns/items", {"values": values})
    assert gone.json() == {"deleted": 2, "rejected": 1}
    assert not standing(returns)


def test_what_is_added_is_suppressed_at_once(call, returns, world):
    call("POST", "/lists/returns/items", {"values": "blocked@example.com"})
    assert suppressed(world.seller, [("email", "blocked@example.com")])


def test_another_sellers_list_is_like_none(call, other_world, returns):
    SuppressionList.objects.create(seller=other_world.seller, name="Theirs", slug="theirs")
    theirs = call("GET", "/exists/theirs/a@example.com")
    nobodys = call("GET", "/exists/theirz/a@example.com")
    assert theirs.status_code == nobodys.status_code == 404
    assert theirs.json() == {"error": "There is no list “theirs”, or it is not yours."}
    assert call("POST", "/lists/theirs/items", {"values": "a@example.com"}).status_code == 404
    assert not SuppressionEntry.objects.exists()


@pytest.mark.parametrize(
    ("method", "path", "data", "status"),
    [
        ("POST", "/lists/returns/items", {}, 422),
        ("POST", "/lists/returns/items", {"values": []}, 422),
        ("POST", "/lists/returns/items", {"values": [1]}, 422),
        ("POST", "/lists/returns/items", {"values": ["a"] * 10_001}, 422),
        ("POST", "/lists/returns/items", None, 415),
        ("POST", "/lists/returns|bad/items", {"values": "a@example.com"}, 422),
        ("DELETE", "/lists/returns|bad/items", {"values": "a@example.com"}, 422),
        ("PUT", "/lists/returns/items", {"values": "a"}, 405),
        ("POST", "/exists/returns/a", {"values": "a"}, 405),
        ("GET", "/exists/|/a", None, 404),
        ("GET", "/exists/returns/", None, 404),
        ("GET", "/exists/returns", None, 404),
        ("GET", "/exists/", None, 404),
        ("GET", "/exists", None, 404),
        ("POST", "/exists//", {"values": "a"}, 404),
        ("GET", "/exists//maria@example.com", None, 404),
        ("GET", "/exists/returns/maria@example.com%0A", None, 404),
        ("GET", "/lists", None, 404),
        ("GET", "/lists/", None, 404),
        ("POST", "/lists/returns/items/", {"values": "a@example.com"}, 404),
        ("DELETE", "/lists/returns/items/maria@example.com", None, 404),
        ("PATCH", "/lists/returns", {"values": "a@example.com"}, 404),
    ],
)
def test_errors_are_in_the_clients_own_shape(call, returns, bad, method, path, data, status):
    response = call(method, path, data)
    assert response.status_code == status
    assert list(response.json()) == ["error"]
    assert response.json()["error"]


def test_an_address_that_is_none_needs_a_key_too_and_is_logged_masked(call, returns):
    assert Client().get("/exists/returns/").status_code == 401
    call("GET", "/lists/returns/maria@example.com", HTTP_ACCEPT="text/html")
    assert "maria" not in repr(list(RequestLog.objects.values()))
    assert RequestLog.objects.get().status == 404


def test_a_slash_at_the_end_does_not_make_it_another_value(call, returns):
    add_all(returns, [("email", "a@example.com"), ("phone", PHONE)], origin="person")
    for value in ("a@example.com/", "5125550147//"):
        assert call("GET", f"/exists/returns/{value}").json()["found"] is True
    assert call("GET", "/exists/returns/b@example.com/").json()["key"] == "b@example.com"


def test_only_what_still_holds_counts_as_deleted(call, returns, world):
    past, later = (timezone.now() + dt.timedelta(days=days) for days in (-1, 1))
    add_all(returns, [("email", "old@example.com")], origin="person", expires_at=past)
    add_all(returns, [("email", "new@example.com")], origin="person", expires_at=later)
    trying = keys.issue(name="Trying", seller=world.seller, livemode=False)[1]
    sent = {"values": "old@example.com|new@example.com|never@example.com"}
    for key in (trying, None):
        headers = {"X_API_Key": key} if key else {}
        answer = call("DELETE", "/lists/returns/items", sent, **headers)
        assert answer.json() == {"deleted": 1, "rejected": 0}
    assert not standing(returns)


def test_who_may_not(call, world, returns):
    assert Client().get("/exists/returns/a").json() == {
        "error": "Send your API key in the header X-API-Key. A key in the address is not accepted."
    }
    buyers = keys.issue(name="CRM", buyer=world.buyer)[1]
    assert call("GET", "/exists/returns/a", X_API_Key=buyers).status_code == 403
    limited = keys.issue(name="Limited", seller=world.seller, flows=[world.flow])[1]
    assert call("GET", "/exists/returns/a", X_API_Key=limited).status_code == 403


def test_a_test_key_is_answered_alike_and_changes_nothing(call, world, returns):
    key = keys.issue(name="Trying", seller=world.seller, livemode=False)[1]
    add_all(returns, [("email", "a@example.com")], origin="person")
    added = call("POST", "/lists/returns/items", {"values": "b@example.com"}, X_API_Key=key)
    gone = call("DELETE", "/lists/returns/items", {"values": "a@example.com|b@example.com"}, X_API_Key=key)
    assert (added.json(), gone.json()) == ({"accepted": 1, "rejected": 0}, {"deleted": 1, "rejected": 0})
    assert standing(returns) == {("email", "a@example.com")}


def test_the_value_asked_after_is_in_no_log(call, returns, caplog):
    with caplog.at_level(logging.DEBUG):
        call("GET", "/exists/returns/5125550147")
        call("GET", "/exists/returns/maria@example.com")
        call("POST", "/lists/returns/items", {"values": "maria@example.com"})
    assert "5125550147" not in caplog.text
    assert "maria@" not in caplog.text
    logged = repr(list(RequestLog.objects.values()))
    assert "5125550147" not in logged
    assert "maria@" not in logged
    assert RequestLog.objects.count() == 3


def test_head_and_options(call, returns):
    add_all(returns, [("email", "a@example.com")], origin="person")
    head = call("HEAD", "/exists/returns/a@example.com")
    assert (head.status_code, head.content) == (200, b"")
    options = call("OPTIONS", "/lists/returns/items")
    assert (options.status_code, options["Allow"]) == (204, "DELETE, OPTIONS, POST")


def test_an_idempotency_key_gets_the_first_answer_again(call, returns):
    first, again = (
        call("POST", "/lists/returns/items", {"values": "a@example.com"}, Idempotency_Key="k1") for _ in "ab"
    )
    assert first.json() == again.json()
    assert again["Idempotent-Replayed"] == "true"
    other = call("POST", "/lists/returns/items", {"values": "b@example.com"}, Idempotency_Key="k1")
    assert other.status_code == 422
    assert standing(returns) == {("email", "a@example.com")}


@pytest.mark.parametrize("count", [1, 200])
def test_a_call_of_many_values_takes_as_many_queries_as_of_one(
    call, returns, count, django_assert_max_num_queries
):
    values = [f"a{number}@example.com" for number in range(count)]
    with django_assert_max_num_queries(15):
        call("POST", "/lists/returns/items", {"values": values})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(st.lists(st.text(max_size=40), min_size=1, max_size=5))
def test_whatever_is_sent_is_counted(call, returns, values):
    response = call("POST", "/lists/returns/items", {"values": values})
    if response.status_code == 200:
        assert sum(response.json().values()) == len(values)
    else:
        assert response.status_code == 400  # lone surrogates and the like


# --- For how long -------------------------------------------------------------------------------------

NOON = dt.datetime(2026, 11, 2, 12, tzinfo=dt.UTC)


def test_an_entry_holds_until_the_moment_it_expires(world, returns, call):
    add_all(returns, [("email", "a@example.com")], origin="person", expires_at=NOON)
    with time_machine.travel(NOON - dt.timedelta(seconds=1), tick=False):
        assert call("GET", "/exists/returns/a@example.com").status_code == 200
        assert suppressed(world.seller, [("email", "a@example.com")])
    with time_machine.travel(NOON, tick=False):
        assert call("GET", "/exists/returns/a@example.com").status_code == 404
        assert not suppressed(world.seller, [("email", "a@example.com")])


def test_what_expired_can_be_added_again_and_what_stands_is_never_shortened(returns):
    value = [("email", "a@example.com")]
    past, later = (timezone.now() + dt.timedelta(days=days) for days in (-1, 5))
    add_all(returns, value, origin="person", expires_at=past)
    assert add_all(returns, value, origin="api", expires_at=later) == 1
    assert add_all(returns, value, origin="api", expires_at=later - dt.timedelta(days=3)) == 0
    assert returns.entries.get().expires_at == later
    assert add_all(returns, value, origin="api") == 0
    assert returns.entries.get().expires_at is None


def test_what_expired_long_ago_is_dropped(returns):
    now = timezone.now()
    for number, days in enumerate((-31, -29, 5)):
        until = now + dt.timedelta(days=days)
        add_all(returns, [("email", f"a{number}@example.com")], origin="file", expires_at=until)
    assert tidying.tidy() == 1
    assert returns.entries.count() == 2


def test_a_list_of_another_country_reads_numbers_its_way(world, call):
    SuppressionList.objects.create(seller=world.seller, name="UK", slug="uk", country="GB")
    call("POST", "/lists/uk/items", {"values": "020 7946 0018"})
    assert call("GET", "/exists/uk/02079460018").json()["key"] == "+442079460018"


def test_values_of_lists_are_the_sellers_own(other_world, world, returns):
    add_all(returns, [("email", "a@example.com")], origin="person")
    assert not suppressed(other_world.seller, [("email", "a@example.com")])
    assert suppression.find([returns], ("email", "a@example.com"))


# --- A rule's entries and other people's ----------------------------------------------------------------


def test_what_somebody_adds_too_is_no_longer_the_rules(world, returns, call):
    decision = Decision.objects.create(
        flow=world.flow, source=world.source, rule_name="R", evaluation="1", action="suppress_contact"
    )
    value = ("email", "a@example.com")
    soon = timezone.now() + dt.timedelta(days=1)
    add_all(returns, [value], origin="rule", decision=decision, expires_at=soon)
    call("POST", "/lists/returns/items", {"values": "a@example.com"})
    entry = returns.entries.get()
    assert (entry.decision, entry.origin, entry.expires_at) == (None, "api", None)
    add_all(returns, [value], origin="rule", decision=decision)
    assert returns.entries.get().origin == "api"


@pytest.mark.parametrize("path", ["/exists/returns/maria@example.com%0A", "/exists//maria@example.com"])
def test_a_value_in_an_address_that_is_none_is_in_no_line_of_ours(call, returns, path, caplog):
    with caplog.at_level(logging.INFO, logger="leadloop.request"):
        call("GET", path)
    lines = [each.getMessage() for each in caplog.records if each.name == "leadloop.request"]
    assert lines
    assert "maria" not in "".join(lines)
