"""The house itself: its commands, its locks, its supervisor, its documents."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from portal import demo_card
from portal.management.commands import up
from portal.supervisor import Child, Supervisor, pause_before_try

ROOT = Path(__file__).parent.parent
SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def text_of(name: str) -> str:
    return (ROOT / name).read_text()


def lines(pattern: str, name: str) -> list:
    return re.findall(pattern, text_of(name), re.MULTILINE)


# --- Commands and locks -----------------------------------------------------------------------
def test_make_lists_every_target():
    targets = re.search(r"^\.PHONY: (.*)$", text_of("Makefile"), re.MULTILINE)[1].split()
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"make (\w+)", listed) == targets


@pytest.mark.parametrize("name", ["run", "dev"])
def test_locks_carry_hashes_and_no_addresses(name):
    lock = text_of(f"requirements/{name}.txt")
    assert "://" not in lock
    for entry in re.split(r"\n(?=\S)", lock.strip()):
        assert re.match(r"[a-z0-9.-]+==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry


def test_the_developers_lock_holds_the_same_versions():
    run, dev = (
        set(re.findall(r"^\S+==\S+", text_of(f"requirements/{n}.txt"), re.MULTILINE)) for n in ("run", "dev")
    )
    assert run <= dev


# --- The supervisor ---------------------------------------------------------------------------
def supervise(*children: Child) -> tuple[Supervisor, list[str]]:
    said: list[str] = []
    return Supervisor(children, os.environ, said.append), said


def wait_until(condition, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_child_that_died_is_started_again_and_it_is_said():
    child = Child("Worker", SLEEP)
    supervisor, said = supervise(child)
    supervisor.look_after()
    first = child.process.pid
    os.kill(first, signal.SIGKILL)
    child.process.wait()
    supervisor.look_after()
    assert said == ["Worker ended (signal SIGKILL); starting it again in 0.5 s."]
    child.next_try = 0
    supervisor.look_after()
    assert child.process.pid != first
    supervisor.end()


def test_a_child_that_keeps_dying_is_tried_more_and_more_seldom():
    assert [pause_before_try(failures) for failures in (1, 2, 3, 4, 9)] == [0.5, 1, 2, 4, 30]


def test_stopping_ends_the_children_and_what_they_started(tmp_path):
    note = tmp_path / "pid"
    script = (
        "import pathlib, subprocess, sys, time\n"
        "grandchild = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(note)!r}).write_text(f'{{grandchild.pid}} ')\n"
        "time.sleep(60)"
    )
    supervisor, _ = supervise(Child("Parent", [sys.executable, "-c", script]))
    supervisor.look_after()
    wait_until(lambda: note.exists() and note.read_text().endswith(" "))
    grandchild = int(note.read_text())
    assert alive(grandchild)
    supervisor.end()
    wait_until(lambda: not alive(grandchild))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's help is Linux's")
def test_children_end_when_the_supervisor_is_killed():
    script = (
        "import os, sys; from portal.supervisor import Child, Supervisor\n"
        "child = Child('c', [sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "Supervisor([child], os.environ, print, lambda: print(child.process.pid, flush=True)).run()"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE) as parent:
        child = int(parent.stdout.readline())
        assert alive(child)
        parent.kill()
    wait_until(lambda: not alive(child))


def test_a_taken_port_is_told_with_what_to_do(socket_enabled):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=rf"Cannot serve on 127.0.0.1:{port}.*PORT={port + 1}"):
            call_command("up", port=port, check_only=True)


def test_nonsense_in_the_environment_is_named(monkeypatch):
    monkeypatch.setenv("LEADLOOP_WORKERS", "many")
    with pytest.raises(CommandError, match="LEADLOOP_WORKERS must be a whole number"):
        up.worker()


def test_leftovers_of_a_killed_scheduler_are_cleared(settings, tmp_path):
    settings.CELERY_BEAT_SCHEDULE_FILENAME = str(tmp_path / "celerybeat-schedule")
    for name in ("celerybeat-schedule", "celerybeat-schedule.db", "else"):
        (tmp_path / name).write_text("half a page")
    up.scheduler().before()
    assert [path.name for path in tmp_path.iterdir()] == ["else"]
    assert "--pidfile=" in up.scheduler().command


# --- The card of the demo world ------------------------------------------------------------------
CARD = {
    "base_url": "http://127.0.0.1:8000",
    "admin": {"username": "admin", "password": "two-words-1234"},
    "sellers": [{"name": "Brightline", "username": "brightline", "password": "x", "key": "k", "flows": []}],
    "buyers": [
        {
            "name": "Alpine",
            "id": "byr_1",
            "username": "alpine",
            "password": "x",
            "key": "ll_live_abc",
            "test_key": "ll_test_abc",
            "flows": ["flw_auto"],
            "leads": ["evt_1"],
        }
    ],
}


def test_the_card_is_private_and_follows_the_address(settings, tmp_path):
    settings.VAR_DIR = tmp_path
    demo_card.write(CARD)
    shown = demo_card.text("http://127.0.0.1:8123")
    assert stat.S_IMODE(demo_card.path().stat().st_mode) == 0o600
    assert json.loads(demo_card.path().read_text()) == {**CARD, "base_url": "http://127.0.0.1:8123"}
    for part in (
        "two-words-1234",
        "alpine",
        "ll_live_abc",
        "curl -i http://127.0.0.1:8123/flows/flw_auto/feedback",
    ):
        assert part in shown


def test_without_a_demo_world_nothing_is_shown(settings, tmp_path):
    settings.VAR_DIR = tmp_path
    assert demo_card.text("http://127.0.0.1:8000") == ""


# --- Documents ------------------------------------------------------------------------------------
def test_every_variable_that_is_read_is_documented():
    read = set()
    for path in [*ROOT.glob("portal/**/*.py")]:
        source = path.read_text()
        read |= set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', source))
        read |= set(re.findall(r'number_from\(\s*"([A-Z_]+)"', source))
    documented = set(lines(r"^\| `([A-Z_]+)`", "docs/operations.md"))
    assert read == documented


def test_every_dependency_is_documented_with_its_licence():
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    wanted = {re.match(r"[a-z0-9-]+", each)[0] for each in project["dependencies"]}
    rows = re.findall(
        r"^\| `([a-z0-9-]+)` \| ([^|]+) \| ([^|]+) \|", text_of("docs/architecture.md"), re.MULTILINE
    )
    assert {name for name, why, licence in rows if why.strip() and licence.strip()} >= wanted


def test_documents_link_to_what_is_there():
    for document in [ROOT / "README.md", *ROOT.glob("docs/*.md")]:
        text = document.read_text()
        for link in re.findall(r'(?:\]\(|src="|srcset=")([^)"#:]+)(?:#[^)]*)?[)"]', text):
            assert (document.parent / link).exists(), f"{document.name} links to {link}"


def test_up_says_so_when_the_command_line_is_wrong():
    with pytest.raises(CommandError):
        call_command("up", "--port", "eight", stderr=io.StringIO())
