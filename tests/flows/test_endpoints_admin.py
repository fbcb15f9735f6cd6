"""Owners manage their endpoints: made, tried, rotated, switched off and on, and what failed is sent again."""

from __future__ import annotations

import datetime as dt
import json
import re

import pytest
from django.contrib.admin.models import LogEntry
from django.core import serializers
from django.urls import reverse
from django.utils.timezone import now

from flows import endpoints, events, signing
from flows.models import Alert, Attempt, Endpoint, OutboxMessage
from flows.transports import AnsweredError
from portal import egress_allow
from tests.admin_pages import faults, filled, url

SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]{44}")
HOUR = dt.timedelta(hours=1)


def add(client, **values):
    address = url(Endpoint, "add")
    base = {"name": "CRM", "url": "https://hooks.example.com/leadloop", "kind": "webhook", "events": []}
    return client.post(address, filled(client, address, **{**base, **values}))


def make_endpoint(world, **columns):
    columns = {"name": "CRM", "url": "https://hooks.example.com/x", "secret": signing.new_salt(), **columns}
    return Endpoint.objects.create(seller=world.seller, **columns)


def make_message(endpoint, status="dead", hours_ago=0, **columns):
    at = now() - hours_ago * HOUR
    message = events.message(endpoint, "source.paused", {"name": "a", "reason": "b"}, f"msg_{hours_ago}", at)
    message.status, message.attempts = status, 10
    for name, value in columns.items():
        setattr(message, name, value)
    message.save()
    return message


@pytest.fixture
def client(world, as_user):
    return as_user(world.owner)


@pytest.fixture
def endpoint(world):
    return make_endpoint(world)


# --- Making one --------------------------------------------------------------------------------------
def test_the_secret_is_shown_once(client, world):
    response = add(client, events=["alert.raised"])
    endpoint = Endpoint.objects.get()
    (secret,) = set(SECRET.findall(response.text.replace("&#x2B;", "+")))
    assert secret == signing.secret_of(endpoint)
    assert (endpoint.seller, endpoint.enabled, endpoint.events) == (world.seller, True, ["alert.raised"])
    assert "no-store" in response.headers["Cache-Control"]
    for address in (url(endpoint, "change"), url(endpoint, "history"), url(Endpoint, "changelist")):
        assert "whsec_" not in client.get(address).text
    stored = serializers.serialize("json", [*Endpoint.objects.all(), *LogEntry.objects.all()])
    assert secret.removeprefix("whsec_") not in stored


def test_a_slack_endpoint_has_no_secret_to_show(client):
    assert add(client, kind="slack").status_code == 302
    endpoint = Endpoint.objects.get()
    assert client.get(url(endpoint, "rotate")).status_code == 404


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1/",
        "http://[::ffff:169.254.169.254]/",
        "http://a@127.0.0.1/",
        "http://2130706433/",
        "http://100.64.0.1/",
        "http://localhost:8000/",
        "ftp://hooks.example.com/",
        "hooks.example.com",
        "javascript:alert(1)",
        "https://hooks.example.com:22/",
    ],
)
def test_an_address_that_cannot_be_called_is_refused(client, address):
    assert set(faults(add(client, url=address))) == {"url"}
    assert not Endpoint.objects.exists()


def test_what_the_operator_allows_is_taken(client, settings):
    settings.EGRESS_ALLOW = egress_allow.parse(["127.0.0.1:9000"])
    assert add(client, url="http://127.0.0.1:9000/").status_code == 200
    assert Endpoint.objects.count() == 1


@pytest.mark.parametrize(
    ("values", "at"), [({"events": ["lead.eaten"]}, "events"), ({"kind": "pigeon"}, "kind")]
)
def test_wrong_choices_are_refused(client, values, at):
    assert set(faults(add(client, **values))) == {at}


def test_returns_are_offered(client):
    page = client.get(url(Endpoint, "add")).text
    assert 'value="return.requested"' in page
    assert 'value="return.decided"' in page


def test_the_kind_stays_and_the_rest_can_change(client, endpoint):
    address = url(endpoint, "change")
    response = client.post(
        address, filled(client, address, name="Other", kind="slack", events=["alert.raised"])
    )
    assert response.status_code == 302
    changed = Endpoint.objects.get()
    assert (changed.name, changed.kind, changed.events) == ("Other", "webhook", ["alert.raised"])
    assert (changed.secret, changed.enabled) == (endpoint.secret, True)


# --- What can be done to it --------------------------------------------------------------------------
def test_rotating_shows_the_new_secret(client, endpoint):
    old = signing.secret_of(endpoint)
    response = client.post(url(endpoint, "rotate"))
    endpoint.refresh_from_db()
    (shown,) = set(SECRET.findall(response.text.replace("&#x2B;", "+")))
    assert shown == signing.secret_of(endpoint) != old
    assert signing.secret_of(endpoint, endpoint.old_secret) == old


def test_a_test_is_put_into_the_outbox(client, endpoint):
    page = client.post(url(endpoint, "ping"), follow=True)
    message = OutboxMessage.objects.get()
    assert (message.event, message.endpoint, message.status) == ("test.ping", endpoint, "pending")
    assert url(message, "change") in page.text


def test_it_is_switched_off_and_on(client, endpoint):
    assert client.get(url(endpoint, "on")).status_code == 404
    client.post(url(endpoint, "off"))
    endpoint.refresh_from_db()
    assert not endpoint.enabled
    Endpoint.objects.update(disabled_at=now(), disabled_reason="It answered 410.", failing_since=now())
    assert "It answered 410." in client.get(url(endpoint, "change")).text
    client.post(url(endpoint, "on"))
    endpoint.refresh_from_db()
    assert (endpoint.enabled, endpoint.disabled_reason, endpoint.failing_since) == (True, "", None)


def test_once_it_is_deleted_no_alert_stands_of_it(client, world, endpoint):
    """At once, and told as such; with what was sent and what waits for it."""
    other = make_endpoint(world, name="Other")
    for each in (endpoint, other):
        message = make_message(each)
        Attempt.objects.create(message=message, ok=False, status_code=410)
        endpoints.failed(each, AnsweredError(410, ""), now=now())
    assert Alert.objects.filter(resolved_at=None).count() == 2
    page = url(endpoint, "delete")
    assert client.get(page).status_code == 200
    assert client.post(page, {"post": "yes"}).status_code == 302
    assert list(Endpoint.objects.all()) == [other]
    standing = Alert.objects.get(resolved_at=None, condition__startswith="endpoint:")
    assert standing.condition == f"endpoint:{other.pk}"
    told = Alert.objects.get(resolves__condition=f"endpoint:{endpoint.pk}")
    assert (told.title, told.body) == ("Resolved: Endpoint “CRM” was switched off", "It was deleted.")
    assert not OutboxMessage.objects.filter(endpoint=None, kind="webhook").exists()


def test_several_are_not_deleted_at_once(client, world, endpoint):
    client.post(
        url(Endpoint, "changelist"),
        {"action": "delete_selected", "post": "yes", "_selected_action": [endpoint.pk]},
    )
    assert Endpoint.objects.exists()


# --- What was sent, and what was not ----------------------------------------------------------------
def test_the_log_of_attempts(client, endpoint):
    message = make_message(endpoint)
    Attempt.objects.create(message=message, ok=False, status_code=503, duration_ms=1234, detail="<b>busy</b>")
    text = client.get(url(message, "change")).text
    for part in ("503", "1,234 ms", "&lt;b&gt;busy", message.event_id, "source.paused"):
        assert part in text
    assert "<b>busy" not in text


def test_one_is_sent_again(client, endpoint):
    message = make_message(endpoint, last_error="The receiver answered 500.")
    client.post(url(message, "again"))
    again = OutboxMessage.objects.get()
    assert (again.status, again.attempts, again.last_error) == ("pending", 0, "")
    assert (again.event_id, again.payload) == (message.event_id, message.payload)
    assert client.get(url(message, "again")).status_code == 404  # it waits already


def test_what_failed_since_is_counted_then_sent_again(client, endpoint):
    for hours in (1, 5, 30):
        make_message(endpoint, hours_ago=hours)
    make_message(endpoint, "done", hours_ago=2)
    address = reverse("admin:flows_endpoint_resend", args=(endpoint.pk,))
    assert "3 messages" in client.get(address).text
    since = f"{now() - 10 * HOUR:%Y-%m-%dT%H:%M}"
    asked = client.get(address, {"since": since})
    assert asked.context["count"] == 2
    assert "Send 2 again" in asked.text
    assert OutboxMessage.objects.filter(status="pending").count() == 0
    client.post(address, {"since": since})
    assert sorted(OutboxMessage.objects.filter(status="pending").values_list("event_id", flat=True)) == [
        "msg_1",
        "msg_5",
    ]
    assert OutboxMessage.objects.get(event_id="msg_30").status == "dead"


@pytest.mark.parametrize("since", ["", "yesterday", "\0", "9999-99-99T00:00"])
def test_a_time_that_is_none_sends_nothing(client, endpoint, since):
    make_message(endpoint)
    address = reverse("admin:flows_endpoint_resend", args=(endpoint.pk,))
    for response in (client.get(address, {"since": since}), client.post(address, {"since": since})):
        assert response.status_code == 200
        assert response.context["form"].errors
    assert client.post(address).status_code == 200
    assert OutboxMessage.objects.get().status == "dead"


def test_the_list_leads_to_the_dead_letters(client, endpoint):
    dead, done = make_message(endpoint), make_message(endpoint, "done", hours_ago=1)
    link = re.search(
        r'href="(/admin/flows/outboxmessage/\?[^"]*dead)"', client.get(url(Endpoint, "changelist")).text
    )
    rows = client.get(link[1].replace("&amp;", "&")).context["cl"].queryset
    assert (list(rows), done in rows) == ([dead], False)


# --- Who may -------------------------------------------------------------------------------------------
def test_an_analyst_looks_at_the_host_only(world, as_user, endpoint):
    message = make_message(endpoint)
    analyst = as_user(world.analyst)
    text = analyst.get(url(endpoint, "change")).text
    assert "hooks.example.com" in text
    assert endpoint.url not in text
    for address in (url(endpoint, "ping"), url(endpoint, "rotate"), url(message, "again")):
        assert analyst.post(address).status_code == 403
    resend = reverse("admin:flows_endpoint_resend", args=(endpoint.pk,))
    assert analyst.post(resend, {"since": "2020-01-01T00:00"}).status_code == 403
    assert OutboxMessage.objects.get().status == "dead"
    assert analyst.get(url(Endpoint, "add")).status_code == 403


def test_anothers_endpoint_is_not_there(client, other_world):
    theirs = make_endpoint(other_world)
    message = make_message(theirs)
    resend = reverse("admin:flows_endpoint_resend", args=(theirs.pk,))
    for address in (
        url(theirs, "change"),
        url(theirs, "ping"),
        url(theirs, "rotate"),
        url(message, "again"),
        resend,
    ):
        assert client.get(address).status_code == 404
        assert client.post(address, {"since": "2020-01-01T00:00"}).status_code == 404
    assert OutboxMessage.objects.get().status == "dead"
    assert "hooks.example.com" not in client.get(url(Endpoint, "changelist")).text


def test_the_content_is_shown_as_it_is_sent(client, endpoint):
    message = make_message(endpoint)
    assert json.loads(message.payload["body"])["type"] == "source.paused"
    assert "&quot;type&quot;: &quot;source.paused&quot;" in client.get(url(message, "change")).text
