"""``make bench``: simulate, measure, print tables, exit with 1 when a limit is missed.

Absolute figures depend on the machine and move; ratios of two things measured side by side hold. Everything
happens in a folder of its own; DATABASE_URL may name a PostgreSQL database that may be filled with rubbish.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from bench import simulations


def main() -> int:
    kept = simulations.run()
    print()
    with tempfile.TemporaryDirectory(prefix="leadloop-bench-") as folder:
        os.environ.update(
            DJANGO_SETTINGS_MODULE="portal.settings",
            LEADLOOP_VAR=folder,
            LEADLOOP_RATE_LIMIT="100000000/minute",
            LOG_LEVEL="ERROR",
        )
        os.environ.setdefault("DATABASE_URL", f"sqlite:///{folder}/leadloop.sqlite3")
        import django

        django.setup()
        from bench.backtests import backtests
        from bench.lead_table import lead_table
        from bench.measures import measure_all
        from bench.memory import memory

        measured = report([*measure_all(Path(folder)), *memory(Path(folder)), *backtests(), *lead_table()])
    return measured if kept else 1


def report(results: list) -> int:
    print(f"{'':56} {'this':>14} {'against':>14} {'ratio':>8}  limit")
    for each in results:
        verdict = "" if each.holds else "   MISSED"
        print(
            f"{each.name:56} {each.this:>14} {each.against:>14} {each.ratio:>8.2f}  "
            f"{each.limit_text}{verdict}"
        )
    return 0 if all(each.holds for each in results) else 1


if __name__ == "__main__":
    sys.exit(main())
