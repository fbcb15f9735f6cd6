"""Logging in and out, and passwords: what a person meets on the way."""

from __future__ import annotations

import re

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client

from tests import factories as make

PASSWORD = "correct horse"
LOG_IN = "/accounts/login/"


@pytest.fixture(autouse=True)
def fresh_limits():
    """No test uses up another one's tries."""
    cache.clear()


def log_in(client: Client, login: str, password: str = PASSWORD, **query: str):
    return client.post(LOG_IN, {"login": login, "password": password, **query})


def logged_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_by_username(world, client):
    response = log_in(client, world.agent.username)
    assert (response.status_code, response.headers["Location"]) == (302, "/")
    assert client.get("/", follow=True).redirect_chain[-1][0] == "/leads/"


def test_by_e_mail_in_any_case(world, client):
    log_in(client, world.owner.email.upper())
    assert logged_in(client)


@pytest.mark.parametrize(
    ("login", "password"), [("{user}", "wrong"), ("nobody", PASSWORD), ("no@example.com", PASSWORD)]
)
def test_a_wrong_log_in_says_the_same_whatever_was_wrong(world, client, login, password):
    response = log_in(client, login.format(user=world.agent.username), password)
    assert response.status_code == 200
    assert "Wrong username, e-mail or password." in response.text
    assert 'role="alert"' in response.text
    assert not logged_in(client)


def test_an_empty_form_says_what_is_missing_beside_the_fields(world, client):
    response = log_in(client, "", "")
    assert response.text.count("This field is required.") == 2
    assert 'aria-describedby="id_login_error"' in response.text


def test_a_closed_account_is_not_let_in(world, client):
    world.agent.is_active = False
    world.agent.save()
    log_in(client, world.agent.username)
    assert not logged_in(client)


def test_after_five_wrong_tries_even_the_right_password_waits(world, client):
    for _ in range(5):
        log_in(client, world.agent.username, "wrong")
    response = log_in(client, world.agent.username)
    assert "Too many wrong tries." in response.text
    assert not logged_in(client)


def test_one_address_may_try_thirty_times_a_minute(world, client):
    statuses = [client.post(LOG_IN).status_code for _ in range(31)]
    assert statuses == [200] * 30 + [429]
    assert "Too many tries" in client.post(LOG_IN).text
    assert client.get(LOG_IN).status_code == 200


def test_one_goes_on_where_one_wanted_to(world, client):
    wanted = f"/leads/{world.delivery.public_id}/?from=mail"
    response = client.get(wanted)
    assert response.status_code == 302
    form = client.get(response.headers["Location"])
    given = re.search(r'name="next" value="([^"]+)"', form.text)
    assert given
    assert log_in(client, world.agent.username, next=given[1]).headers["Location"] == wanted


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
def test_nobody_is_sent_to_another_site(world, client, target):
    assert log_in(client, world.agent.username, next=target).headers["Location"] == "/"


def test_whoever_is_logged_in_is_sent_on_from_the_log_in_page(world, as_user):
    response = as_user(world.agent).get(LOG_IN)
    assert (response.status_code, response.headers["Location"]) == (302, "/")


def test_there_is_no_signing_up(world, client):
    assert client.get("/accounts/signup/").status_code == 404
    assert "sign up" not in client.get(LOG_IN).text.lower()


def test_logging_out_takes_a_post_and_says_so(world, as_user):
    client = as_user(world.agent)
    assert client.get("/accounts/logout/").status_code == 200
    assert logged_in(client)
    client.post("/accounts/logout/")
    assert not logged_in(client)
    assert "You are logged out." in client.get(LOG_IN).text


def test_an_expired_session_under_htmx_moves_the_whole_page_to_the_log_in(world, client):
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/leads/?outcome=returned"}
    response = client.get("/leads/?page=2", headers=headers)
    assert response.status_code == 204
    assert response.headers["HX-Redirect"] == "/accounts/login/?next=/leads/%3Foutcome%3Dreturned"
    assert not response.content


def test_changing_the_password_asks_for_the_present_one(world, as_user):
    client = as_user(world.agent)
    new = {"password1": "a longer phrase 7", "password2": "a longer phrase 7"}
    refused = client.post("/accounts/password/change/", {"oldpassword": "wrong", **new})
    assert "This is not your present password." in refused.text
    done = client.post("/accounts/password/change/", {"oldpassword": PASSWORD, **new}, follow=True)
    assert "Your password is changed." in done.text
    world.agent.refresh_from_db()
    assert world.agent.check_password("a longer phrase 7")
    assert logged_in(client)


def test_changing_the_password_ends_the_other_sessions(world, as_user):
    here, elsewhere = as_user(world.agent), as_user(world.agent)
    data = {"oldpassword": PASSWORD, "password1": "a longer phrase 7", "password2": "a longer phrase 7"}
    here.post("/accounts/password/change/", data)
    assert here.get("/leads/").status_code == 200
    assert elsewhere.get("/leads/").status_code == 302


def test_resetting_a_forgotten_password(world, client):
    response = client.post("/accounts/password/reset/", {"email": world.agent.email}, follow=True)
    assert "Look into your e-mail" in response.text
    (message,) = mail.outbox
    assert message.to == [world.agent.email]
    link = re.search(r"http://testserver(/\S+)", message.body)
    assert link
    form = client.get(link[1], follow=True)
    address = form.redirect_chain[-1][0]
    new = {"password1": "a longer phrase 7", "password2": "a longer phrase 7"}
    assert "Password saved" in client.post(address, new, follow=True).text
    assert "This link no longer works" in Client().get(link[1], follow=True).text
    log_in(client, world.agent.username, "a longer phrase 7")
    assert logged_in(client)


def test_a_reset_does_not_tell_whether_an_account_exists(world, client):
    known, unknown = (
        client.post("/accounts/password/reset/", {"email": email}, follow=True)
        for email in (world.agent.email, "nobody@example.com")
    )
    assert known.redirect_chain == unknown.redirect_chain
    token = re.compile(r'"X-CSRFToken": "\w+"')
    assert token.sub("", known.text) == token.sub("", unknown.text)


def test_a_person_without_a_company_is_told_so(db, as_user):
    response = as_user(make.UserFactory()).get("/")
    assert response.status_code == 403
    assert "You do not work for any company here." in response.text
