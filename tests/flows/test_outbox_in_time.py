"""Whatever receivers and mail servers do, a sweep of the outbox ends, and what could leave has left."""

from __future__ import annotations

import datetime as dt
import threading
import time

import pytest
from django.db import transaction

from flows import events, outbox, signing, transports
from flows.models import Attempt, Endpoint, OutboxMessage
from portal import egress_allow
from tests import factories as make
from tests.receiver import dripping, receiving, silent, taking_mail

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("socket_enabled")]
NOON = dt.datetime(2026, 3, 12, 12, tzinfo=dt.UTC)
MAIL = {"to": ["maria@example.com"], "subject": "Facebook paused", "body": "Look."}


@pytest.fixture
def mail_server(settings):
    """Says nothing, unless it is told what to do."""
    with receiving(speaks_first=True) as server:
        server.answers = [silent]
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", server.port, 0.3
        yield server


@pytest.fixture
def webhooks(settings):
    """``webhooks(seller, 3)`` lets so many wait; → where they arrive."""
    with receiving() as receiver:
        settings.EGRESS_ALLOW = egress_allow.parse([receiver.place])

        def wait_for(seller, count):
            endpoint = Endpoint.objects.create(
                seller=seller, name="CRM", url=receiver.url, secret=signing.new_salt()
            )
            for number in range(count):
                events.message(endpoint, "source.paused", {"name": "a"}, f"msg_{number}", NOON).save()
            return receiver

        yield wait_for


@pytest.fixture
def hanging(monkeypatch):
    """E-mails hang for as long as the test lasts; → those that do."""
    begun, over = [], threading.Event()

    class Hanging(transports.Transport):
        kind = "email"

        def send(self, message):
            begun.append(message.pk)
            over.wait(20)
            return transports.Sent()

    monkeypatch.setitem(transports.REGISTRY, "email", Hanging())
    yield begun
    over.set()


def mails(count):
    seller = make.SellerFactory()
    for _ in range(count):
        OutboxMessage.objects.create(seller=seller, kind="email", payload=MAIL, next_attempt_at=NOON)
    return seller


def outcome(message):
    message.refresh_from_db()
    return message.status, message.attempts, message.last_error


def test_a_mail_server_that_says_nothing_holds_up_no_webhook(mail_server, webhooks):
    """It is tried by as many as are under way when that shows; the rest waits for the next sweep."""
    receiver = webhooks(mails(20), 10)
    begun = time.monotonic()
    assert outbox.deliver(now=NOON) == 10
    assert time.monotonic() - begun < 3
    assert len(receiver.requests) == 10
    tried = OutboxMessage.objects.filter(kind="email", attempts=1)
    assert tried.count() == outbox.MAILS_AT_ONCE
    said = {each.last_error for each in tried}
    assert said == {"The mail server cannot be reached: Connection unexpectedly closed: timed out"}
    assert not OutboxMessage.objects.filter(kind="email", attempts__gt=1).exists()


def test_a_mail_server_that_dwells_on_its_first_word(mail_server, monkeypatch):
    """Each byte comes in time, so no time-out of the socket ends it."""
    monkeypatch.setattr(outbox, "LONGEST_ATTEMPT", 0.6)
    mail_server.answers = [dripping(b"220 ")]
    mails(1)
    begun = time.monotonic()
    assert outbox.deliver(now=NOON) == 0
    assert 0.5 < time.monotonic() - begun < 3
    assert outcome(OutboxMessage.objects.get()) == ("pending", 1, "It had not ended after 1 seconds.")


def test_a_mail_that_was_taken_is_not_sent_again_for_want_of_a_good_bye(mail_server):
    letters = []
    mail_server.answers = [taking_mail(letters, at_quit=b"")]
    mails(1)
    assert outbox.deliver(now=NOON) == 1
    assert len(letters) == 1
    assert b"Subject: Facebook paused" in letters[0]


def test_what_hangs_is_given_up_for_this_time_and_the_sweep_ends(hanging, webhooks, monkeypatch):
    monkeypatch.setattr(outbox, "LONGEST_ATTEMPT", 0.4)
    receiver = webhooks(mails(10), 5)
    begun = time.monotonic()
    assert outbox.deliver(now=NOON) == 5
    assert time.monotonic() - begun < 3
    assert (len(receiver.requests), len(hanging)) == (5, outbox.MAILS_AT_ONCE)
    attempts = Attempt.objects.filter(message__kind="email")
    assert {(each.ok, each.detail, each.duration_ms) for each in attempts} == {
        (False, "It had not ended after 0 seconds.", 400)
    }
    assert outcome(OutboxMessage.objects.get(pk=hanging[0]))[:2] == ("pending", 1)


def test_a_lease_outlasts_every_attempt():
    assert dt.timedelta(seconds=outbox.LONGEST_ATTEMPT) < outbox.LEASE


@pytest.mark.django_db(transaction=True)
def test_within_a_transaction_nothing_is_sent(webhooks):
    receiver = webhooks(make.SellerFactory(), 1)
    with pytest.raises(RuntimeError, match="outside of transactions"), transaction.atomic():
        outbox.deliver(now=NOON)
    assert not receiver.requests
    assert outcome(OutboxMessage.objects.get()) == ("pending", 0, "")
    assert outbox.deliver(now=NOON) == 1
