"""From stale marks to cells."""

from __future__ import annotations

import datetime as dt


def recompute(*, now: dt.datetime | None = None, limit: int = 1000) -> int:
    """Claim up to ``limit`` marks and do their work; the number of marks done."""
    raise NotImplementedError
