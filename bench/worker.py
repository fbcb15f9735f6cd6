"""``python -m bench.worker ID``: do what that upload waits for, with all loaded that a worker loads.

Prints the most memory that the process has taken, in MiB.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from portal.celery import app

STATUS = Path("/proc/self/status")


def peak() -> float:
    """Of this process since it began. What getrusage says may be of the one that started it, but on Linux."""
    if STATUS.exists():
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)  # bytes, on macOS


if __name__ == "__main__":
    app.loader.import_default_modules()
    app.tasks["feedback.read_upload"].apply(args=[int(sys.argv[1])], throw=True)
    print(peak())
