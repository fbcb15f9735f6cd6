"""A whole installation as real processes, with a folder, a database and a port of its own; loopback only."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from psycopg import sql

ROOT = Path(__file__).parent.parent
CELERY = ("celery", "-q", "-A", "portal")
SET_UP = "import django; django.setup()\n"


class House:
    """Starts and kills the parts of one installation; everything ends with `close`.

    ``settings``: further variables of its environment.
    """

    def __init__(self, var: Path, database_url: str, **settings: str) -> None:
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "REDIS_URL")}
        self.port = free_port()
        self.env = {
            **kept,
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "DATABASE_URL": database_url,
            "LEADLOOP_VAR": str(var),
            "LEADLOOP_RATE_LIMIT": "1000000/minute",
            "LOG_LEVEL": "ERROR",
            "PYTHONPATH": str(ROOT),
            **settings,
        }
        self.log = (var / "processes.log").open("ab")
        self.running: list[subprocess.Popen[bytes]] = []

    def run(self, *arguments: str) -> str:
        """Run Python to its end; its output. AssertionError with what it said when it fails."""
        command = [sys.executable, *arguments]
        done = subprocess.run(command, env=self.env, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ask(self, code: str) -> Any:
        """What the code prints, as JSON; it runs against the installation's database."""
        return json.loads(self.run("-c", SET_UP + code))

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            env=self.env,
            cwd=ROOT,
            start_new_session=True,
            stdout=self.log,
            stderr=self.log,
        )
        self.running.append(process)
        return process

    def start_web(self) -> subprocess.Popen[bytes]:
        """Granian, once it answers."""
        options = f"--interface wsgi --host 127.0.0.1 --port {self.port} --no-ws --blocking-threads 4"
        process = self.start(
            "granian", *options.split(), "--log-level", "critical", "portal.wsgi:application"
        )
        wait_until(self.answers, 60)
        return process

    def start_worker(
        self, *queues: str, pool: str = "threads", concurrency: int = 2
    ) -> subprocess.Popen[bytes]:
        """A worker for these queues, or for all."""
        quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
        chosen = ("--queues", ",".join(queues), "--hostname", f"{queues[0]}@%h") if queues else ()
        size = ("--pool", pool, "--concurrency", str(concurrency))
        return self.start(*CELERY, "worker", *size, *quiet, *chosen)

    def start_scheduler(self) -> subprocess.Popen[bytes]:
        return self.start(*CELERY, "beat", "--pidfile=")

    def answers(self) -> bool:
        try:
            return self.call("GET", "/healthz")[0] == 200
        except OSError:
            return False

    def call(self, method: str, path: str, key: str = "", body: Any = None) -> tuple[int, Any]:
        """Status and data of `request`."""
        status, data, _ = self.request(method, path, key, body)
        return status, data

    def request(
        self, method: str, path: str, key: str = "", body: Any = None, **more: str
    ) -> tuple[int, Any, http.client.HTTPMessage]:
        """One request on a connection of its own; ``more``: headers, with _ for -.

        OSError or HTTPException where no whole answer came.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            headers = {"X-API-Key": key, "Content-Type": "application/json"}
            headers |= {name.replace("_", "-"): value for name, value in more.items()}
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read()), response.headers

    def close(self) -> None:
        for process in self.running:
            kill(process)
        self.log.close()


def kill(process: subprocess.Popen[bytes]) -> None:
    """``kill -9`` of the process and all it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"did not happen within {seconds:.0f} s"
        time.sleep(0.05)


@contextlib.contextmanager
def fresh_database(var: Path) -> Iterator[str]:
    """The address of an empty database of the kind that the tests run on, dropped at the end."""
    here = settings.DATABASES["default"]
    if not here["ENGINE"].endswith("postgresql"):
        yield f"sqlite:///{var}/leadloop.sqlite3"
        return
    name = f"leadloop_processes_{os.getpid()}"
    account = here["USER"] + (f":{here['PASSWORD']}" if here["PASSWORD"] else "")
    server = f"postgres://{account}@{here['HOST']}:{here['PORT'] or 5432}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield f"{server}/{name}"
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
