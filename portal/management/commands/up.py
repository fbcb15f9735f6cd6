"""``manage.py up``: web, worker and scheduler under one supervisor."""

from __future__ import annotations

import os
import socket
import sys
import urllib.error
import urllib.request
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from portal import demo_card
from portal.supervisor import Child, Supervisor

CELERY = (sys.executable, "-m", "celery", "-q", "-A", "portal")


class Command(BaseCommand):
    """Serve until Ctrl-C."""

    help = "Starts the web server, the worker and the scheduler, and keeps them running until Ctrl-C."
    greeting: tuple[str, str] | None = None  # where to ask for health, what address to show
    requires_system_checks = []  # the children check; a taken port should be told at once

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument(
            "--check-only", action="store_true", help="Only say whether the port is free, and end."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        host, port = options["host"], options["port"]
        require_free_port(host, port)
        if options["check_only"]:
            return
        url = os.environ.get("LEADLOOP_BASE_URL", f"http://{shown_host(host)}:{port}").rstrip("/")
        clear_hints()
        self.greeting = (f"http://{shown_host(host)}:{port}/healthz", url)
        Supervisor(
            children=[web(host, port), worker(), long_worker(), outbox_worker(), scheduler()],
            env={**os.environ, "LEADLOOP_BASE_URL": url, "DJANGO_SETTINGS_MODULE": "portal.settings"},
            say=self.say,
            each_round=self.greet,
        ).run()
        self.say("Stopped.")

    def say(self, text: str) -> None:
        self.stdout.write(f"{text}\n", ending="")
        self.stdout.flush()

    def greet(self) -> None:
        """Once the server answers, say where, and who may log in."""
        if self.greeting is None or not answers(self.greeting[0]):
            return
        url, self.greeting = self.greeting[1], None
        self.say(f"\nLeadloop is running: {url}\n")
        self.say(demo_card.text(url))
        self.say("Ctrl-C stops everything.\n")


def require_free_port(host: str, port: int) -> None:
    """Raise a CommandError that says what to do when the address cannot be bound."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            raise CommandError(
                f"Cannot serve on {host}:{port}: {error}. "
                f"Stop what uses it, or choose another: make run PORT={port + 1}"
            ) from error


def shown_host(host: str) -> str:
    """The host as a browser on this machine would name it."""
    if host in ("0.0.0.0", "::"):  # noqa: S104  # compared, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310  # our own address
            return bool(response.status == 200)
    except urllib.error.HTTPError:
        return True  # an https-only installation redirects; it is up
    except OSError:
        return False


def number_from(name: str, default: int) -> int:
    """A positive whole number from the environment, or a CommandError that names the variable."""
    given = os.environ.get(name, "") or str(default)
    if not given.isdecimal() or int(given) < 1:
        raise CommandError(f"{name} must be a whole number of 1 or more, not “{given}”.")
    return int(given)


def embedded() -> bool:
    return not settings.REDIS_URL


def web(host: str, port: int) -> Child:
    on_sqlite = settings.DATABASES["default"]["ENGINE"].endswith("sqlite3")
    processes = number_from("LEADLOOP_WEB_PROCESSES", 1 if on_sqlite else 2)
    threads = number_from("LEADLOOP_WEB_THREADS", 4)
    command = f"-m granian --interface wsgi --host {host} --port {port} --no-ws --log-level warning"
    sizes = f"--workers {processes} --blocking-threads {threads} --workers-kill-timeout 3"
    return Child("Web server", [sys.executable, *command.split(), *sizes.split(), "portal.wsgi:application"])


def worker() -> Child:
    """Recomputes and decides: what should happen within seconds."""
    return _worker("Worker", "leadloop", number_from("LEADLOOP_WORKERS", 2))


def long_worker() -> Child:
    """Reads files, which may take minutes and must hold up nothing else."""
    return _worker("Worker for files", "leadloop-long", number_from("LEADLOOP_LONG_WORKERS", 1))


def outbox_worker() -> Child:
    """Sends what must leave. One sweep at a time, which has several messages on their way side by side."""
    return _worker("Worker for the outbox", "leadloop-outbox", 1)


def _worker(name: str, queue: str, count: int) -> Child:
    """Threads suit the embedded broker and SQLite; processes use the cores where there is PostgreSQL."""
    pool = "threads" if embedded() else "prefork"
    sizes = f"--queues {queue} --hostname {queue}@%h --pool {pool} --concurrency {count} --loglevel WARNING"
    quiet = "--without-gossip --without-mingle --without-heartbeat"
    return Child(name, [*CELERY, "worker", *sizes.split(), *quiet.split()])


def scheduler() -> Child:
    """Beat without a pid file, and from a fresh schedule: nothing left over can block a start."""
    return Child(
        "Scheduler",
        [*CELERY, "beat", "--loglevel", "WARNING", "--pidfile="],
        before=forget_schedule,
    )


def forget_schedule() -> None:
    path = Path(settings.CELERY_BEAT_SCHEDULE_FILENAME)
    for leftover in path.parent.glob(f"{path.name}*"):
        leftover.unlink(missing_ok=True)


def clear_hints() -> None:
    """Drop old wake-up hints of the embedded broker; the sweepers find all work without them."""
    if embedded():
        for hint in (settings.VAR_DIR / "queue").glob("*.msg"):
            hint.unlink(missing_ok=True)
