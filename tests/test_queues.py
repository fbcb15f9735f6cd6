"""Every task has a queue, every queue has work, and a worker: in ``up`` and in the documented units."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

from portal.celery import app
from portal.management.commands import up

OPERATIONS = Path(__file__).parent.parent / "docs" / "operations.md"


@pytest.fixture
def started(monkeypatch) -> list[list[str]]:
    """The commands that ``up`` keeps running."""
    commands: list[list[str]] = []

    class Noting:
        def __init__(self, *, children, **more) -> None:
            commands.extend(list(child.command) for child in children)

        def run(self) -> None: ...

    monkeypatch.setattr(up, "Supervisor", Noting)
    monkeypatch.setattr(up, "require_free_port", lambda host, port: None)
    monkeypatch.setattr(up, "clear_hints", lambda: None)
    call_command("up")
    return commands


@pytest.fixture
def queue_of() -> dict[str, str]:
    """Where each of our tasks goes."""
    app.loader.import_default_modules()
    ours = [name for name in app.tasks if not name.startswith("celery.")]
    routes = settings.CELERY_TASK_ROUTES
    return {name: routes.get(name, {"queue": settings.CELERY_TASK_DEFAULT_QUEUE})["queue"] for name in ours}


def option(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


def workers_in(commands: list[list[str]]) -> list[tuple[str, str]]:
    """Queues and name of each worker."""
    workers = [command for command in commands if "worker" in command]
    return sorted((option(each, "--queues"), option(each, "--hostname")) for each in workers)


def test_up_starts_one_worker_for_every_queue(started):
    queues, names = zip(*workers_in(started), strict=True)
    assert list(queues) == sorted(settings.CELERY_TASK_QUEUES)
    assert len(set(names)) == len(names)


def test_up_starts_one_server_and_one_scheduler(started):
    assert sum("granian" in command for command in started) == 1
    assert sum("beat" in command for command in started) == 1
    assert len(started) == len(settings.CELERY_TASK_QUEUES) + 2


def test_the_documented_units_start_the_same_workers(started):
    lines = re.findall(r"^    (celery .*)$", OPERATIONS.read_text(), re.MULTILINE)
    units = [line.split() for line in lines]
    assert workers_in(units) == workers_in(started)
    assert sum("beat" in unit for unit in units) == 1


def test_every_task_goes_to_a_queue_and_every_queue_has_tasks(queue_of):
    assert set(queue_of.values()) == set(settings.CELERY_TASK_QUEUES)


def test_routes_and_schedule_name_tasks_that_there_are(queue_of):
    scheduled = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert {*settings.CELERY_TASK_ROUTES, *scheduled} <= set(queue_of)


def test_what_may_take_long_shares_no_queue_with_what_should_happen_at_once(queue_of):
    assert queue_of["feedback.recompute"] == "leadloop"
    assert queue_of["feedback.read_upload"] == "leadloop-long"
    assert queue_of["flows.deliver_outbox"] == "leadloop-outbox"
    assert [name for name, queue in queue_of.items() if queue == "leadloop-outbox"] == [
        "flows.deliver_outbox"
    ]
