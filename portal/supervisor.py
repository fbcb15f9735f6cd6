"""Keeps a few processes running together: starts them, restarts one that died, stops them all.

Each child leads a session of its own, so that Ctrl-C reaches only the supervisor, and so that whatever
a child has started can be ended with it. On Linux a child is told when its supervisor is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

PR_SET_PDEATHSIG = 1
GRACE = 5.0  # seconds from SIGTERM to SIGKILL
STEADY = 30.0  # seconds after which a start counts as a success
LONGEST_WAIT = 30.0  # seconds between two tries, at most

Say = Callable[[str], None]


def pause_before_try(failures: int) -> float:
    """Seconds to wait after that many deaths in a row: 0.5, 1, 2 … 30."""
    return float(min(0.5 * 2 ** max(failures - 1, 0), LONGEST_WAIT))


@dataclass
class Child:
    """A command that is to be running. ``before`` is called ahead of every start."""

    name: str
    command: Sequence[str]
    before: Callable[[], None] = lambda: None
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    next_try: float = 0.0

    def start(self, env: Mapping[str, str]) -> None:
        self.before()
        self.process = subprocess.Popen(  # noqa: S603  # the commands are our own
            self.command,
            env=dict(env),
            start_new_session=True,
            preexec_fn=_die_with_parent(),  # noqa: PLW1509  # the supervisor has one thread only
        )
        self.started = time.monotonic()

    def died(self) -> int | None:
        """The exit code when the process has just ended, else None."""
        return self.process.poll() if self.process else None

    def clear_away(self) -> None:
        """Kill what the ended process left behind, and plan the next try."""
        assert self.process is not None  # noqa: S101  # only a started child can have died
        _signal_group(self.process.pid, signal.SIGKILL)
        steady = time.monotonic() - self.started > STEADY
        self.failures = 1 if steady else self.failures + 1
        self.next_try = time.monotonic() + pause_before_try(self.failures)
        self.process = None


def _die_with_parent() -> Callable[[], None] | None:
    """What a child runs before its program, so that the kernel ends it with its parent (Linux only)."""
    if not sys.platform.startswith("linux"):
        return None
    libc, parent = ctypes.CDLL(None), os.getpid()  # loaded here: after a fork it is too late to load

    def ask() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died in between
            os._exit(1)

    return ask


def _signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # all of it has ended
        os.killpg(pid, number)


@dataclass
class Supervisor:
    """Runs the children until `stop` is called or SIGINT, SIGTERM or SIGHUP arrives.

    ``each_round`` is called a few times a second, in the supervisor's one thread.
    """

    children: Sequence[Child]
    env: Mapping[str, str]
    say: Say
    each_round: Callable[[], None] = lambda: None
    stopping: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: self.stop())
        try:
            while not self.stopping.is_set():
                self.look_after()
                self.each_round()
                self.stopping.wait(0.2)
        finally:
            self.end()

    def stop(self) -> None:
        self.stopping.set()

    def look_after(self) -> None:
        """One round: start what is due, note what died."""
        for child in self.children:
            code = child.died()
            if code is not None:
                child.clear_away()
                wait = child.next_try - time.monotonic()
                self.say(f"{child.name} ended ({_why(code)}); starting it again in {wait:.1f} s.")
            if child.process is None and time.monotonic() >= child.next_try:
                child.start(self.env)

    def end(self) -> None:
        """Ask all to stop; kill what has not stopped within the grace."""
        running = [child.process for child in self.children if child.process]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + GRACE
        for process in running:
            try:
                process.wait(max(deadline - time.monotonic(), 0))
            except subprocess.TimeoutExpired:
                self.say(f"Process {process.pid} did not stop in {GRACE:.0f} s; killing it.")
            _signal_group(process.pid, signal.SIGKILL)
            process.wait()


def _why(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
