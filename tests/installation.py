"""A whole installation as in production, each part of which can be killed and started again."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from tests import services
from tests.processes import House, kill


@dataclass
class Installation:
    """PostgreSQL, Redis, web server, workers and scheduler, by these names."""

    house: House
    postgres: services.Postgres
    redis: services.Redis
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def starters(self) -> dict[str, Callable[[], subprocess.Popen[bytes] | None]]:
        return {
            "PostgreSQL": self.postgres.start,
            "Redis": self.redis.start,
            "web": self.house.start_web,
            "worker": lambda: self.house.start_worker("leadloop", pool="prefork"),
            "outbox": lambda: self.house.start_worker("leadloop-outbox", pool="prefork", concurrency=1),
            "scheduler": self.house.start_scheduler,
        }

    def start(self, *parts: str) -> None:
        for part in parts:
            if process := self.starters[part]():
                self.processes[part] = process

    def kill(self, part: str) -> None:
        """``kill -9`` of all of it."""
        if process := self.processes.pop(part, None):
            kill(process)
        else:
            {"PostgreSQL": self.postgres, "Redis": self.redis}[part].kill()

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def count(self, rows: str) -> int:
        """How many there are of ``table``, or of ``table WHERE …``."""
        ((number,),) = self.sql(f"SELECT count(*) FROM {rows}")  # noqa: S608  # ours
        return number


@contextlib.contextmanager
def installed(var: Path, **settings: str) -> Iterator[Installation]:
    """PostgreSQL, migrated, and Redis run; the other parts are to be started."""
    with services.own_folder() as folder, contextlib.ExitStack() as stack:
        postgres = services.Postgres(services.folder_in(folder, "postgres"))
        stack.callback(postgres.close)
        redis = services.Redis(services.folder_in(folder, "redis"))
        stack.callback(redis.close)
        redis.start()
        house = House(var, postgres.url, REDIS_URL=redis.url, **settings)
        stack.callback(house.close)
        house.run("manage.py", "migrate", "--verbosity", "0")
        yield Installation(house, postgres, redis)
