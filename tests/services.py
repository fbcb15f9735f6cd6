"""A PostgreSQL cluster and a Redis of the test's own, to be killed with ``kill -9`` and started again."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

import psycopg
import redis

from tests.processes import free_port, wait_until

NAME = "leadloop"
ACCOUNT = "postgres"  # whom PostgreSQL runs as where we are root, which it refuses to be


class Service(ABC):
    """A server process in a folder and at a port of its own; it comes back with what it keeps on disk."""

    ends_by = signal.SIGKILL

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.account = ACCOUNT if os.geteuid() == 0 else None
        self.log = (folder / "server.log").open("ab")
        self.process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str: ...

    @abstractmethod
    def command(self) -> Sequence[str]: ...

    @abstractmethod
    def answers(self) -> bool: ...

    def start(self) -> None:
        """Start the server; → once it answers."""
        self.process = subprocess.Popen(
            self.command(),
            cwd=self.folder,
            user=self.account,
            group=self.account,
            extra_groups=[] if self.account else None,
            start_new_session=True,
            stdout=self.log,
            stderr=self.log,
        )
        wait_until(self.answers, 60)

    def kill(self) -> None:
        """``kill -9`` of the server, then of all it had started, until nothing of it is left."""
        assert self.process is not None
        started = children_of(self.process.pid)
        for pid in (self.process.pid, *started):  # the postmaster first: it would start anew what it misses
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.process = None
        wait_until(lambda: not any(runs(pid) for pid in started), 10)

    def close(self) -> None:
        """Let it end at once."""
        if self.process is not None:
            self.process.send_signal(self.ends_by)
            self.process.wait(20)
        self.log.close()


class Postgres(Service):
    """A fresh cluster that keeps every promise about the disk, with an empty database in it."""

    ends_by = signal.SIGQUIT  # an immediate shutdown, which leaves no shared memory behind

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        options = f"--pgdata {folder}/data --username postgres --auth trust --encoding UTF8 --no-locale"
        subprocess.run(
            [found("initdb"), *options.split(), "--no-sync"],
            user=self.account,
            group=self.account,
            extra_groups=[] if self.account else None,
            cwd=folder,
            stdout=self.log,
            stderr=self.log,
            check=True,
        )
        self.start()
        with psycopg.connect(self.server, autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {NAME}")

    @property
    def server(self) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/postgres"

    @property
    def url(self) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/{NAME}"

    def command(self) -> Sequence[str]:
        kept = ("fsync=on", "full_page_writes=on", "synchronous_commit=on")
        sizes = ("shared_buffers=32MB", "max_connections=60")
        where = (f"port={self.port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={self.folder}")
        options = [part for setting in (*kept, *sizes, *where) for part in ("-c", setting)]
        return [found("postgres"), "-D", f"{self.folder}/data", *options]

    def answers(self) -> bool:
        try:
            psycopg.connect(self.server, connect_timeout=2).close()
        except psycopg.Error:
            return False
        return True


class Redis(Service):
    """Keeps nothing: after a kill it comes back empty."""

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> Sequence[str]:
        options = f"--port {self.port} --bind 127.0.0.1 --appendonly no --dir {self.folder}"
        return [found("redis-server"), *options.split(), "--save", ""]

    def answers(self) -> bool:
        try:
            with redis.from_url(self.url, socket_connect_timeout=2) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


@contextlib.contextmanager
def own_folder() -> Iterator[Path]:
    """A folder that the servers' account can reach and write, gone afterwards. (Those of pytest are ours
    alone.)"""
    folder = Path(tempfile.mkdtemp(prefix="leadloop-services-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, ACCOUNT, ACCOUNT)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def folder_in(folder: Path, name: str) -> Path:
    """One in it for a server."""
    made = folder / name
    made.mkdir()
    if os.geteuid() == 0:
        shutil.chown(made, ACCOUNT, ACCOUNT)
    return made


def missing() -> str:
    """Why such servers cannot be started here; "" where they can."""
    absent = [name for name in ("initdb", "postgres", "redis-server") if not _look_for(name)]
    if absent:
        return f"{', '.join(absent)} not found: make services installs PostgreSQL and Redis"
    if os.geteuid() == 0 and ACCOUNT not in {each.pw_name for each in pwd.getpwall()}:
        return f"no account {ACCOUNT}, and PostgreSQL does not run as root"
    return ""


def found(name: str) -> str:
    path = _look_for(name)
    assert path, f"{name} not found"
    return path


def children_of(pid: int) -> list[int]:
    """What the process has started itself. (On Linux.)"""
    every = (int(folder.name) for folder in Path("/proc").glob("[0-9]*"))
    return [each for each in every if _state_and_parent(each)[1] == pid]


def runs(pid: int) -> bool:
    """Whether there is more of the process than what its parent has yet to take note of. (On Linux.)"""
    return _state_and_parent(pid)[0] not in ("", "Z")


def _look_for(name: str) -> str:
    """On the path, or where Debian keeps PostgreSQL's own programs, the newest first."""
    if path := shutil.which(name):
        return path
    kept = sorted(
        Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]), reverse=True
    )
    return str(kept[0]) if kept else ""


def _state_and_parent(pid: int) -> tuple[str, int]:
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:  # it has ended
        return "", 0
    return state, int(parent)
