"""Sources on which the recompute fails: tried again later and later, and told of after ten attempts.

That is a fault of ours or of the database's content, never of the seller's feedback, which is on record.
Their marks stay until their work is done, so nothing is lost; the cells are as they were.
"""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.db.models import F, Max, QuerySet

from feedback.models import StaleMark
from flows import conditions
from flows.models import Alert, Source

MANY = 10  # attempts, after which the seller is told
LONGEST = dt.timedelta(hours=1)


def due(marks: QuerySet[StaleMark], now: dt.datetime) -> QuerySet[StaleMark]:
    """Without those of a source that is held: what came in meanwhile waits with the rest."""
    held = StaleMark.objects.filter(attempts__gt=0, held_until__gt=now)
    return marks.exclude(source__in=held.values("source"))


@transaction.atomic
def hold(source_id: int, error: Exception, *, now: dt.datetime) -> int:
    """Hold the source's marks, twice as long as the last time, for an hour at most. → how many."""
    marks = StaleMark.objects.filter(source=source_id)
    attempts = (marks.aggregate(most=Max("attempts"))["most"] or 0) + 1
    wait = min(dt.timedelta(seconds=2**attempts), LONGEST)
    held = marks.update(attempts=F("attempts") + 1, held_until=now + wait)
    if attempts >= MANY:
        source = Source.objects.select_related("flow").get(pk=source_id)
        conditions.hold(source.flow.seller_id, _condition(source), lambda: _alert(source, error, now))
    return held


def recovered(sources: list[Source], *, now: dt.datetime) -> None:
    """Their work was done: where it had been told that it was not, tell that it is."""
    for source in sources:
        conditions.clear(
            source.flow.seller_id, _condition(source), now=now, why="Its numbers are up to date."
        )


def _condition(source: Source) -> str:
    return f"recompute:{source.pk}"


def _alert(source: Source, error: Exception, now: dt.datetime) -> Alert:
    return Alert(
        flow=source.flow,
        source=source,
        level=Alert.Level.BAD,
        title=f"The numbers of {source} are not up to date"[:160],
        body=f"Working them out failed {MANY} times ({type(error).__name__}). Feedback is kept all the same, "
        "and it is tried again every hour. Ask whoever runs this installation for the worker's log.",
        created_at=now,
    )
