"""What must leave the house leaves it once, is tried again, and in the end given up."""

import datetime as dt

import pytest
from django.core import mail
from django.utils.timezone import now

from flows import outbox, tasks, tidying, transports
from flows.models import ApiKey, IdempotentRequest, OutboxMessage
from portal.settings import CELERY_BEAT_SCHEDULE
from tests import factories as make

NOON = dt.datetime(2025, 11, 12, 12, tzinfo=dt.UTC)
MAIL = {"to": ["maria@example.com"], "subject": "Facebook paused", "body": "Look."}


@pytest.fixture
def message(db):
    return OutboxMessage.objects.create(
        seller=make.SellerFactory(), kind="email", payload=MAIL, next_attempt_at=NOON
    )


@pytest.fixture
def failing(monkeypatch):
    """A transport that fails; → the messages that were tried."""
    tried = []

    class Failing(transports.Transport):
        kind = "email"

        def send(self, message):
            tried.append(message.pk)
            raise OSError("connection refused")

    monkeypatch.setitem(transports.REGISTRY, "email", Failing())
    return tried


def test_a_message_is_sent_and_closed(message):
    assert outbox.deliver(now=NOON) == 1
    (sent,) = mail.outbox
    assert (sent.to, sent.subject) == (MAIL["to"], MAIL["subject"])
    message.refresh_from_db()
    assert (message.status, message.done_at, message.attempts) == ("done", NOON, 1)
    assert outbox.deliver(now=NOON + dt.timedelta(days=1)) == 0
    assert len(mail.outbox) == 1


def test_what_is_not_due_waits(message):
    assert outbox.deliver(now=NOON - dt.timedelta(seconds=1)) == 0
    assert not mail.outbox


def test_a_name_with_a_line_break_makes_no_second_header(message):
    OutboxMessage.objects.update(payload={**MAIL, "subject": "Face\nBcc: all@example.com"})
    assert outbox.deliver(now=NOON) == 1
    assert mail.outbox[0].subject == "Face Bcc: all@example.com"
    assert "bcc" not in {name.lower() for name, _ in mail.outbox[0].message().items()}


def test_a_failure_is_put_off_longer_each_time(message, failing):
    at, pauses = NOON, []
    for _ in range(outbox.MAX_ATTEMPTS - 1):
        outbox.deliver(now=at)
        message.refresh_from_db()
        pauses.append((message.next_attempt_at - at).total_seconds())
        at = message.next_attempt_at
    assert pauses == [5, 300, 1800, *(hours * 3600 for hours in (2, 5, 10, 14, 20, 24))]
    assert dt.timedelta(days=3) <= at - NOON < dt.timedelta(days=3, hours=4)
    assert message.last_error == "OSError: connection refused"


def test_the_tenth_failure_is_the_last(message, failing):
    at = NOON
    for _ in range(12):
        outbox.deliver(now=at)
        at += dt.timedelta(days=1)
    message.refresh_from_db()
    assert (message.status, message.attempts, len(failing)) == ("dead", 10, 10)
    assert message.done_at is None


@pytest.mark.parametrize(
    ("columns", "error"), [({"kind": "pigeon"}, "pigeon"), ({"payload": {**MAIL, "to": []}}, "nobody")]
)
def test_what_cannot_be_mended_is_given_up_at_once(message, columns, error):
    OutboxMessage.objects.update(**columns)
    outbox.deliver(now=NOON)
    message.refresh_from_db()
    assert (message.status, message.attempts) == ("dead", 1)
    assert error in message.last_error


def test_one_that_fails_does_not_hold_up_the_others(message):
    OutboxMessage.objects.update(payload={"to": ["a@example.com"]})  # no subject
    OutboxMessage.objects.create(seller=message.seller, kind="email", payload=MAIL, next_attempt_at=NOON)
    assert outbox.deliver(now=NOON) == 1
    message.refresh_from_db()
    assert message.status == "pending"


def test_of_two_workers_that_read_it_one_sends_it(message):
    one, other = OutboxMessage.objects.get(), OutboxMessage.objects.get()
    assert [outbox._claim(one, NOON), outbox._claim(other, NOON)] == [True, False]


def test_a_killed_workers_message_is_due_after_its_lease(message, monkeypatch):
    class Killed(transports.Transport):
        kind = "email"

        def send(self, message):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setitem(transports.REGISTRY, "email", Killed())
        with pytest.raises(KeyboardInterrupt):
            outbox.deliver(now=NOON)
    assert outbox.deliver(now=NOON + outbox.LEASE - dt.timedelta(seconds=1)) == 0
    assert outbox.deliver(now=NOON + outbox.LEASE) == 1


def test_who_overslept_the_lease_does_not_undo_the_others_work(message, failing, monkeypatch):
    log = outbox._log

    def meanwhile(*args):
        OutboxMessage.objects.update(attempts=2, status="done", done_at=NOON)  # by another worker
        log(*args)

    monkeypatch.setattr(outbox, "_log", meanwhile)
    outbox.deliver(now=NOON)
    message.refresh_from_db()
    assert (message.status, message.last_error) == ("done", "")


def test_every_attempt_carries_the_same_id(message):
    outbox.deliver(now=NOON)
    OutboxMessage.objects.update(status="pending")
    outbox.deliver(now=NOON + dt.timedelta(days=1))
    first, second = (sent.extra_headers["Message-ID"] for sent in mail.outbox)
    assert first == second


def test_the_task_sends_what_is_due(message):
    tasks.deliver_outbox()
    assert len(mail.outbox) == 1


def test_old_idempotent_requests_are_dropped(db):
    key = ApiKey.objects.create(name="k", seller=make.SellerFactory(), prefix="ll_live_x", digest="d")
    for name, hours in (("old", 25), ("young", 23)):
        claimed_at = now() - dt.timedelta(hours=hours)
        IdempotentRequest.objects.create(api_key=key, key=name, fingerprint="f", claimed_at=claimed_at)
    tasks.tidy()
    assert [each.key for each in IdempotentRequest.objects.all()] == ["young"]
    assert tidying.tidy() == 0


def test_the_scheduled_tasks_are_there():
    from portal.celery import app

    app.loader.import_default_modules()
    ours = {"feedback.recompute", "flows.deliver_outbox", "flows.tidy"}
    assert ours <= set(app.tasks)
    assert ours <= {entry["task"] for entry in CELERY_BEAT_SCHEDULE.values()}
