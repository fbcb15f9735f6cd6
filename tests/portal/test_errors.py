"""Refusals and failures: a page in the look for people, a problem document for programs."""

from __future__ import annotations

import pytest
from django.db import OperationalError
from django.test import Client

from portal import views

JSON = {"Accept": "application/json"}
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def failing(monkeypatch):
    """``failing(error)``: the front page raises it."""

    def arrange(error: Exception) -> Client:
        def broken(request):
            raise error

        monkeypatch.setattr(views, "items_for", broken)
        return Client(raise_request_exception=False)

    return arrange


@pytest.mark.parametrize(
    ("path", "headers", "is_json"),
    [
        ("/nowhere/", {}, False),
        ("/nowhere/", JSON, True),
        ("/nowhere/", HTML, False),
        ("/flows/flw_1/nowhere", {}, True),
        ("/flows/flw_1/nowhere", JSON, True),
        ("/flows/flw_1/nowhere", HTML, False),
    ],
)
def test_not_found_speaks_the_language_of_who_asks(db, client, path, headers, is_json):
    response = client.get(path, headers=headers)
    assert response.status_code == 404
    if not is_json:
        assert "There is nothing here" in response.text
        return
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem["type"] == "/problems/not_found"
    assert problem["code"] == "not_found"
    assert problem["request_id"] == response.headers["X-Request-Id"]
    assert problem["errors"] == []


@pytest.mark.parametrize("headers", [HTML, JSON])
def test_a_method_that_is_not_allowed_is_said_in_words(db, client, headers):
    response = client.post("/healthz", headers=headers)
    assert response.status_code == 405
    assert response.headers["Allow"] == "GET, HEAD"
    if headers is JSON:
        assert response.json()["code"] == "method_not_allowed"
    else:
        assert "Not possible here" in response.text


@pytest.mark.parametrize("headers", [HTML, JSON])
def test_a_fault_of_ours_shows_the_request_and_no_detail(world, failing, headers):
    client = failing(ValueError("the password is hunter2"))
    client.force_login(world.owner)
    response = client.get("/", headers=headers)
    assert response.status_code == 500
    assert "hunter2" not in response.text
    assert response.headers["X-Request-Id"] in response.text


def test_a_database_that_is_away_is_503_and_says_when_to_come_back(world, failing):
    client = failing(OperationalError("server closed the connection"))
    client.force_login(world.owner)
    response = client.get("/", headers=HTML)
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert "Back in a moment" in response.text
    assert client.get("/", headers=JSON).json()["code"] == "unavailable"


def test_the_pages_of_failures_ask_the_database_nothing(django_assert_num_queries, rf, db):
    request = rf.get("/")
    with django_assert_num_queries(0):
        for view in (views.server_error, lambda request: views.bad_request(request, ValueError())):
            assert view(request).status_code in (400, 500)


def test_a_lesser_role_is_told_whom_to_ask(world, as_user):
    from flows.models import Decision

    decision = Decision.objects.create(
        flow=world.flow, source=world.source, rule_name="Rule", evaluation="1", action="pause_source"
    )
    response = as_user(world.analyst).get(f"/decisions/{decision.pk}/undo/")
    assert response.status_code == 403
    assert "Ask the owner" in response.text


def test_a_form_from_an_old_page_says_to_reload(world):
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.agent)
    response = client.post("/membership/", {"membership": "1"})
    assert response.status_code == 403
    assert "This page had grown old" in response.text


def test_a_host_that_is_not_ours_is_refused(client):
    response = client.get("/healthz", headers={"Host": "evil.example"})
    assert response.status_code == 400
    assert "did not understand" in response.text


@pytest.mark.parametrize("given", ["abc-123", "x" * 64])
def test_a_safe_request_id_is_kept(client, given):
    assert client.get("/healthz", headers={"X-Request-Id": given}).headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", ["x" * 65, "a b", "<script>", ""])
def test_any_other_request_id_is_replaced(client, given):
    answered = client.get("/healthz", headers={"X-Request-Id": given}).headers["X-Request-Id"]
    assert answered != given
    assert answered.startswith("req_")


def test_every_page_carries_the_policy(world, as_user):
    policy = as_user(world.agent).get("/leads/").headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
