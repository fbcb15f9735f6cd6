"""How many leads were refused; of the leads themselves nothing is kept."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable

from django.db.models import Case, F, Q, Value, When

from flows.models import Flow, IntakeRefusal


def count_refusals(flow: Flow, refused: Iterable[tuple[int, dt.date, str]]) -> None:
    """Add to the counts: one entry of (source's primary key, day, reason) for each refused lead. Two queries.

    Two requests at once both count, as the database adds.
    """
    counts = Counter(refused)
    if not counts:
        return
    IntakeRefusal.objects.bulk_create(
        (
            IntakeRefusal(flow=flow, source_id=source, day=day, reason=reason)
            for source, day, reason in sorted(counts)
        ),
        ignore_conflicts=True,
    )
    cells = [(Q(source=source, day=day, reason=reason), n) for (source, day, reason), n in counts.items()]
    more = Case(*(When(cell, then=Value(n)) for cell, n in cells), default=Value(0))
    any_cell = Q(pk__in=())
    for cell, _ in cells:
        any_cell |= cell
    IntakeRefusal.objects.filter(any_cell).update(count=F("count") + more)
