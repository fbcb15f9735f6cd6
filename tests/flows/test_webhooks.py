"""Events reach the seller's endpoints: signed, the same at each attempt, tried again, given up, sent anew."""

from __future__ import annotations

import datetime as dt
import json

import pytest
import time_machine
from django.db import connection
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from flows import egress, events, outbox, signing, tidying, transports
from flows.models import Alert, Attempt, Endpoint, OutboxMessage
from portal import egress_allow
from tests.receiver import OK, answer, dripping, receiving

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("socket_enabled")]
NOON = dt.datetime(2026, 3, 12, 12, tzinfo=dt.UTC)
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


@pytest.fixture
def receiver(settings):
    with receiving() as receiver:
        settings.EGRESS_ALLOW = egress_allow.parse([receiver.place])
        yield receiver


@pytest.fixture
def endpoint(world, receiver):
    return make_endpoint(world, receiver.url)


def make_endpoint(world, url, **columns):
    columns = {"name": "CRM", "secret": signing.new_salt(), **columns}
    return Endpoint.objects.create(seller=world.seller, url=url, **columns)


def emit(world, type_="source.paused", at=NOON, *data):
    data = data or ({"name": "Facebook", "source": "facebook", "reason": "quality"},)
    events.emit(world.seller.pk, type_, lambda: data, now=at)


def deliver(at=NOON):
    return outbox.deliver(now=at)


def verify(secret, request, at):
    with time_machine.travel(at, tick=False):
        return Webhook(secret).verify(request.body, request.headers)


@pytest.fixture
def clock():
    with time_machine.travel(NOON, tick=False) as travel:
        yield travel


# --- What is sent --------------------------------------------------------------------------------
def test_a_message_is_signed_as_standard_webhooks_asks(world, endpoint, receiver, clock):
    emit(world)
    assert deliver() == 1
    (request,) = receiver.requests
    assert verify(signing.secret_of(endpoint), request, NOON) == {
        "type": "source.paused",
        "timestamp": "2026-03-12T12:00:00Z",
        "data": {"name": "Facebook", "source": "facebook", "reason": "quality"},
    }
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-id"] == OutboxMessage.objects.get().event_id
    other = make_endpoint(world, receiver.url)
    with pytest.raises(WebhookVerificationError):
        verify(signing.secret_of(other), request, NOON)


def test_the_secret_is_nowhere_in_the_database(endpoint):
    secret = signing.secret_of(endpoint)
    assert secret.startswith("whsec_")
    assert secret.removeprefix("whsec_") not in str(Endpoint.objects.values().get())
    assert signing.secret_of(Endpoint.objects.get()) == secret


def test_while_a_secret_rotates_both_sign(world, endpoint, receiver, clock):
    old = signing.secret_of(endpoint)
    new = signing.rotate(endpoint, now=NOON)
    assert new != old
    for hours in (23, 25):
        at = NOON + hours * HOUR
        clock.move_to(at)
        emit(world, at=at)
        deliver(at)
    within, after = receiver.requests
    for secret in (old, new):
        assert verify(secret, within, NOON + 23 * HOUR)
    assert verify(new, after, NOON + 25 * HOUR)
    with pytest.raises(WebhookVerificationError):
        verify(old, after, NOON + 25 * HOUR)


def test_every_attempt_and_replay_has_the_same_id_and_bytes(world, endpoint, receiver, clock):
    receiver.answers = [answer(500, b"oh no"), OK]
    emit(world)
    deliver()
    clock.move_to(NOON + HOUR)
    deliver(NOON + HOUR)
    assert outbox.send_again(OutboxMessage.objects.all(), now=NOON + DAY) == 1
    clock.move_to(NOON + DAY)
    deliver(NOON + DAY)
    assert len(receiver.requests) == 3
    assert len({(each.headers["webhook-id"], each.body) for each in receiver.requests}) == 1
    assert verify(signing.secret_of(endpoint), receiver.requests[-1], NOON + DAY)


def test_slack_is_told_in_a_sentence(world, receiver):
    make_endpoint(world, receiver.url, kind="slack")
    emit(world, "source.paused", NOON, {"name": "Face<!channel>book & co", "reason": None})
    deliver()
    (request,) = receiver.requests
    assert json.loads(request.body) == {"text": "*Face&lt;!channel&gt;book &amp; co* is paused: –"}
    assert "webhook-signature" not in request.headers


def test_only_who_wants_a_type_hears_it(world, other_world, receiver, django_assert_num_queries):
    all_of_it = make_endpoint(world, receiver.url)
    alerts = make_endpoint(world, receiver.url, events=["alert.raised"])
    make_endpoint(world, receiver.url, events=["source.resumed"])
    make_endpoint(world, receiver.url, enabled=False)
    make_endpoint(other_world, receiver.url)
    with django_assert_num_queries(2):
        emit(world, "alert.raised", NOON, {"title": "a"}, {"title": "b"})
    told = list(OutboxMessage.objects.order_by("pk").values_list("endpoint", "event_id"))
    assert sorted(endpoint for endpoint, _ in told) == sorted([all_of_it.pk, alerts.pk] * 2)
    assert len({event_id for _, event_id in told}) == 2


def test_where_nobody_listens_nothing_is_made(world, django_assert_num_queries):
    def never():
        raise AssertionError("asked for the data")

    with django_assert_num_queries(1):
        events.emit(world.seller.pk, "source.paused", never, now=NOON)


# --- What comes of it ------------------------------------------------------------------------------
def test_each_attempt_is_logged(world, endpoint, receiver):
    receiver.answers = [answer(500, b"oh \0 no" + b"x" * 1000), OK]
    emit(world)
    deliver()
    deliver(NOON + HOUR)
    last, first = Attempt.objects.all()
    assert (first.ok, first.status_code, first.at) == (False, 500, NOON)
    assert first.detail.startswith("oh \N{REPLACEMENT CHARACTER} nox")
    assert len(first.detail) == 500
    assert (last.ok, last.status_code, last.detail) == (True, 200, "fine\n")
    assert first.duration_ms is not None


@pytest.mark.parametrize(
    ("reply", "code", "said"),
    [
        (answer(302, Location="http://127.0.0.1/"), 302, "redirect"),
        (answer(404), 404, "answered 404"),
        (answer(100)[:-2], None, "did not answer in HTTP"),
        (dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"), None, "no whole answer"),
    ],
    ids=["redirect", "not found", "cut off", "drip"],
)
def test_what_is_no_success_is_tried_again_and_says_why(
    world, endpoint, receiver, monkeypatch, reply, code, said
):
    monkeypatch.setattr(egress, "TOTAL_SECONDS", 0.4)
    receiver.answers = [reply]
    emit(world)
    assert deliver() == 0
    message = OutboxMessage.objects.get()
    assert (message.status, message.attempts) == ("pending", 1)
    assert said in message.last_error
    assert Attempt.objects.get().status_code == code


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/latest", "http://a@127.0.0.1/", "http://2130706433/"]
)
def test_24_an_inward_address_is_blocked_and_logged(world, url):
    """However it came into the database: it is checked at each sending."""
    make_endpoint(world, url)
    emit(world)
    deliver()
    attempt = Attempt.objects.get()
    assert (attempt.ok, attempt.status_code) == (False, None)
    assert attempt.detail == OutboxMessage.objects.get().last_error != ""


def test_ten_attempts_within_three_days_then_a_dead_letter(world, endpoint, receiver):
    receiver.answers = [answer(500)]
    emit(world)
    at = NOON
    for _ in range(12):
        deliver(at)
        message = OutboxMessage.objects.get()
        at = max(at, message.next_attempt_at)
    assert (message.status, len(receiver.requests), Attempt.objects.count()) == ("dead", 10, 10)
    last = Attempt.objects.first().at
    assert 3 * DAY <= last - NOON <= 3 * DAY + 4 * HOUR


@pytest.mark.parametrize(
    ("status", "wish", "pause"),
    [
        (429, "600", dt.timedelta(minutes=10)),
        (503, "Thu, 12 Mar 2026 13:00:00 GMT", HOUR),
        (503, "Thu, 12 Mar 2026 13:00:00", HOUR),
        (429, "1", dt.timedelta(seconds=5)),
        (429, "99999999999999999999", DAY),
        (503, "Fri, 31 Dec 9999 23:59:59 GMT", DAY),
        (503, "Thu, 12 Mar 2020 13:00:00 GMT", dt.timedelta(seconds=5)),
        (429, "-5", dt.timedelta(seconds=5)),
        (429, "soon", dt.timedelta(seconds=5)),
        (500, "600", dt.timedelta(seconds=5)),
    ],
)
def test_retry_after_is_kept_within_bounds(world, endpoint, receiver, status, wish, pause):
    receiver.answers = [answer(status, Retry_After=wish)]
    emit(world)
    deliver()
    assert OutboxMessage.objects.get().next_attempt_at - NOON == pause


def test_a_410_switches_the_endpoint_off_and_tells_the_team_once(world, endpoint, receiver):
    receiver.answers = [answer(410)]
    emit(world, "source.paused", NOON, {"name": "a", "reason": "x"}, {"name": "b", "reason": "x"})
    deliver()
    deliver(NOON + HOUR)
    endpoint.refresh_from_db()
    assert (endpoint.enabled, endpoint.disabled_at) == (False, NOON)
    assert "410" in endpoint.disabled_reason
    alert = Alert.objects.get()
    assert (alert.level, alert.seller) == ("warn", world.seller)
    assert "CRM" in alert.title
    assert len(receiver.requests) == 1
    emit(world)
    waiting = OutboxMessage.objects.filter(endpoint=endpoint)
    assert sorted(waiting.values_list("status", flat=True)) == ["dead", "dead"]  # nothing new was written


def test_five_days_of_failure_switch_it_off_and_a_success_counts_anew(world, endpoint, receiver):
    receiver.answers = [answer(500)]
    emit(world)
    deliver()
    endpoint.refresh_from_db()
    assert endpoint.failing_since == NOON
    receiver.answers = [OK]
    deliver(NOON + HOUR)
    endpoint.refresh_from_db()
    assert endpoint.failing_since is None
    receiver.answers = [answer(500)]
    for days, enabled in ((1, True), (5.9, True), (6.1, False)):
        OutboxMessage.objects.all().delete()
        at = NOON + days * DAY
        emit(world, at=at)
        deliver(at)
        endpoint.refresh_from_db()
        assert endpoint.enabled is enabled, days
    assert "5 days" in endpoint.disabled_reason
    assert Alert.objects.count() == 1


def test_a_test_is_sent_also_while_it_is_switched_off(world, endpoint, receiver, clock):
    Endpoint.objects.update(enabled=False)
    endpoint.refresh_from_db()
    events.ping(endpoint, now=NOON)
    assert deliver() == 1
    assert verify(signing.secret_of(endpoint), receiver.requests[0], NOON)["type"] == "test.ping"


# --- In turns, and outside transactions ----------------------------------------------------------
def test_a_dead_endpoint_holds_up_no_other(world, endpoint, receiver, settings, monkeypatch):
    """It is tried once in a sweep, however much waits for it; the others are served meanwhile."""
    monkeypatch.setattr(egress, "TOTAL_SECONDS", 0.5)
    with receiving() as slow:
        slow.answers = [dripping()]
        settings.EGRESS_ALLOW = egress_allow.parse([receiver.place, slow.place])
        Endpoint.objects.update(events=["source.paused"])
        make_endpoint(world, slow.url, events=["source.resumed"])
        many = [{"name": "Facebook", "reason": "x"}] * 20
        emit(world, "source.resumed", NOON - HOUR, *many)
        emit(world, "source.paused", NOON, *many)
        assert deliver() == 20
        assert (len(receiver.requests), len(slow.requests)) == (20, 1)


def test_each_endpoint_gets_its_share_of_a_sweep(world, endpoint, receiver):
    """Also beside one for which much waits longer; what is for one endpoint goes in order."""
    Endpoint.objects.update(events=["source.paused"])
    make_endpoint(world, receiver.url, events=["source.resumed"])
    for type_, at in (("source.paused", NOON - HOUR), ("source.resumed", NOON)):
        emit(world, type_, at, *[{"name": str(number), "reason": "x"} for number in range(5)])
    assert [outbox.deliver(now=NOON, limit=6) for _ in range(3)] == [6, 4, 0]
    told = [json.loads(each.body) for each in receiver.requests]
    for type_ in ("source.paused", "source.resumed"):
        names = [each["data"]["name"] for each in told if each["type"] == type_]
        assert names == ["0", "1", "2", "3", "4"]
        assert {each["type"] for each in told[:6]} >= {type_}


@pytest.mark.django_db(transaction=True)
def test_nothing_is_sent_within_a_transaction(world, endpoint, receiver, monkeypatch):
    open_ = []
    wait = outbox.wait

    def waiting(*args, **kwargs):
        open_.append(connection.in_atomic_block)
        return wait(*args, **kwargs)

    monkeypatch.setattr(outbox, "wait", waiting)
    emit(world)
    assert deliver() == 1
    assert open_ == [False]


def test_an_endpoint_that_is_deleted_meanwhile_stops_no_sweep(world, endpoint, receiver, monkeypatch):
    other = make_endpoint(world, receiver.url)
    emit(world)
    wait = outbox.wait

    def waiting(*args, **kwargs):
        Endpoint.objects.filter(pk=endpoint.pk).delete()
        return wait(*args, **kwargs)

    monkeypatch.setattr(outbox, "wait", waiting)
    assert deliver() == 2
    assert [(each.endpoint, each.status) for each in OutboxMessage.objects.all()] == [(other, "done")]


def test_a_transport_asks_the_database_nothing(world, endpoint, receiver, django_assert_num_queries):
    emit(world)
    message = OutboxMessage.objects.select_related("endpoint").get()
    with django_assert_num_queries(0):
        assert transports.get(message.kind).send(message).status_code == 200


def test_what_left_long_ago_is_dropped_with_its_log(world, endpoint, receiver):
    emit(world)
    deliver()
    emit(world)
    OutboxMessage.objects.filter(attempts=0).update(status="dead")
    for days, left in ((29, ["dead", "done"]), (31, ["dead"]), (91, [])):
        tidying.tidy(now=NOON + days * DAY)
        assert sorted(OutboxMessage.objects.values_list("status", flat=True)) == left
    assert not Attempt.objects.exists()


@pytest.mark.parametrize("type_", events.TYPES)
def test_every_type_has_a_sentence(world, type_):
    make_endpoint(world, "https://hooks.example.com", kind="slack")
    emit(world, type_, NOON, {"lead": {}, "before": {}, "after": {}})
    assert json.loads(OutboxMessage.objects.get().payload["body"])["text"]
