"""The worker is woken soon, seldom, and never at the cost of the request; what it is woken for, it does."""

from types import SimpleNamespace

import pytest
from celery import current_app
from kombu.exceptions import OperationalError

from feedback import stale, tasks
from feedback.models import SourceDay, StaleMark
from tests import factories as make


@pytest.fixture
def sent(monkeypatch):
    """The hints that reach the broker."""
    hints = []
    monkeypatch.setattr(stale, "_next_hint", 0.0)
    monkeypatch.setattr(current_app, "send_task", lambda name, **options: hints.append((name, options)))
    return hints


def test_one_hint_after_the_commit_covers_what_follows(world, sent, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        for _ in range(5):
            stale.mark([world.delivery])
        assert sent == []
    assert len(callbacks) == 5
    ((name, options),) = sent
    # It wakes the worker when the time in which others are held back is over, not at its beginning.
    assert (name, options["countdown"]) == ("feedback.recompute", stale.HINT_EVERY)


def test_the_next_hint_goes_out_when_the_time_is_over(db, sent, monkeypatch):
    clock = iter([100.0, 100.2, 100.26])
    monkeypatch.setattr(stale, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    for _ in range(3):
        stale._send_hint()
    assert len(sent) == 2


@pytest.mark.parametrize("error", [OperationalError("away"), ConnectionRefusedError(), PermissionError()])
def test_a_broker_that_is_away_is_no_trouble_of_the_request(db, sent, monkeypatch, caplog, error):
    def away(*args, **options):
        raise error

    monkeypatch.setattr(current_app, "send_task", away)
    stale._send_hint()
    assert "sweeper" in caplog.text
    monkeypatch.setattr(current_app, "send_task", lambda *args, **options: sent.append(args))
    stale._send_hint()
    assert sent == []  # not tried again at once: every try may take seconds


def test_the_task_goes_on_until_nothing_is_left(world, monkeypatch):
    passes = []
    recompute = tasks.quality.recompute
    monkeypatch.setattr(tasks.quality, "recompute", lambda: passes.append(recompute(limit=2)) or passes[-1])
    stale.mark([world.delivery, *(make.DeliveryFactory(lead__source=world.source) for _ in range(4))])
    tasks.recompute()
    assert passes == [2, 2, 1, 0]
    assert not StaleMark.objects.exists()
    assert SourceDay.objects.exists()
