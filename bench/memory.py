"""The memory that a worker takes for a long file: to check it, to record it, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from django.core.files.base import File

from bench.measures import Result, make_world, silent_ids
from feedback import upload_steps
from feedback.models import Upload

ROWS = int(os.environ.get("BENCH_ROWS", "50000"))
LIMIT = 300  # MiB, for a file of any length
AGAIN = min(75_000, ROWS // 13)  # rows that an earlier one has said already: both are held for comparison


def memory(folder: Path) -> list[Result]:
    """Check and record a file of `ROWS` rows as a worker does, against the limit.

    12,000 of them are of leads without feedback, `AGAIN` say again what an earlier one said, far above, and
    all others name leads that are not there.
    """
    world, path = make_world(), folder / "long.csv"
    write(path, silent_ids(world, min(12_000, ROWS // 4)))
    with path.open("rb") as file:
        upload = upload_steps.begin(world.origin.actor, world.flow, File(file, path.name))
    upload_steps.check(upload)
    checking = in_a_worker("Check", upload)
    found = upload.findings
    upload_steps.confirm(upload)
    recording = in_a_worker("Record", upload)
    done = (upload.recorded, upload.unchanged, upload.rejected)
    assert done == (found["new"], found["unchanged"], found["refused"]), (upload.error, done, found)
    print("  {:,} recorded, {:,} unchanged, {:,} refused: as the check had said\n".format(*done))
    return [checking, recording]


def write(path: Path, known: list[str]) -> None:
    with path.open("w") as file:
        file.write("lead_id,outcome,quality_score,revenue,notes\n")
        file.writelines(f"{each},converted,4,1500.00,What the agent wrote of {each}\n" for each in ids(known))


def ids(known: list[str]) -> Iterator[str]:
    """`ROWS` ids: the known ones spread evenly among others, and at the end the first ones again."""
    yield from _once(known, ROWS - AGAIN)
    yield from islice(_once(known, ROWS - AGAIN), AGAIN)


def _once(known: list[str], count: int) -> Iterator[str]:
    every = count // len(known)
    for number in range(count):
        place, gap = divmod(number, every)
        yield known[place] if not gap and place < len(known) else f"evt_unknown{number:015}"


def in_a_worker(what: str, upload: Upload) -> Result:
    """Do what the upload waits for; the most memory that it took."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "bench.worker", str(upload.pk)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603  # ours
    spent = time.perf_counter() - start
    upload.refresh_from_db()
    peak = float(done.stdout.split()[-1])
    print(f"  {what} {ROWS:,} rows: {spent:,.0f} s, {ROWS / spent:,.0f} rows/s")
    name = f"{what} a file of {ROWS:,} rows, memory against the limit"
    return Result(name, f"{peak:.0f} MiB", f"{LIMIT} MiB", peak / LIMIT, at_most=1)
