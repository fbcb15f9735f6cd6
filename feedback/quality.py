"""From stale marks to cells, rules and actions, in one transaction."""

from __future__ import annotations

import datetime as dt
import functools
import logging
import operator
from collections import defaultdict

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from feedback import ailing
from feedback.cells import cells_from
from feedback.metrics import COLUMNS
from feedback.models import SourceDay, StaleMark
from feedback.rulings import rule_on
from flows.locks import locked
from flows.models import Delivery, Source

log = logging.getLogger(__name__)
SOURCES_A_PASS = 200  # keeps the locks few and the statements short
Days = dict[int, set[dt.date]]  # source → the days to recompute


def recompute(*, now: dt.datetime | None = None, limit: int = 1000) -> int:
    """Do the work of up to ``limit`` stale marks; the number of marks done, 0 when none is left.

    Claims the marks, recomputes their cells from the deliveries, evaluates the rules, runs their actions and
    deletes the marks, or, whatever goes wrong in between, does nothing at all. Several workers may run
    at once: each claims other marks, and a source is in one worker's hands at a time, so that the last to
    write a cell has seen every delivery that was committed before. Where that fails each source is tried by
    itself, so that one that ails holds up no other (`feedback.ailing`).
    """
    due = ailing.due(StaleMark.objects.order_by("pk"), now or timezone.now())
    if not due.exists():  # spares SQLite a write transaction every other second
        return 0
    try:
        return _pass(due, now, limit)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        log.exception("A pass over several sources failed; each is tried by itself.")
    return sum(_by_itself(due, source_id, now, limit) for source_id in _sources_of(list(due[:limit])))


def _pass(due: QuerySet[StaleMark], now: dt.datetime | None, limit: int) -> int:
    with transaction.atomic():
        marks = _claim(due, limit)
        if marks:
            _work(marks, now)
            StaleMark.objects.filter(pk__in=[mark.pk for mark in marks]).delete()
    return len(marks)


def _by_itself(due: QuerySet[StaleMark], source_id: int, now: dt.datetime | None, limit: int) -> int:
    """One source's marks; where that fails they are held. → how many were done, or held."""
    mine = due.filter(source=source_id)
    try:
        return _pass(mine, now, limit)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        log.exception("Source %s cannot be recomputed.", source_id)
        return ailing.hold(source_id, error, now=now or timezone.now())


def _claim(due: QuerySet[StaleMark], limit: int) -> list[StaleMark]:
    """The oldest marks that no other worker holds."""
    claimed = list(locked(due, skip_locked=True)[:limit])
    chosen = set(_sources_of(claimed)[:SOURCES_A_PASS])
    return [mark for mark in claimed if mark.source_id in chosen]


def _sources_of(marks: list[StaleMark]) -> list[int]:
    return list(dict.fromkeys(mark.source_id for mark in marks))


def _work(marks: list[StaleMark], at: dt.datetime | None) -> None:
    days: Days = defaultdict(set)
    for mark in marks:
        days[mark.source_id].add(mark.day)
    rows = Source.objects.filter(pk__in=days).order_by("pk").prefetch_related("flow")
    sources = list(locked(rows))
    now = at or timezone.now()  # once the locks are held, so that a source's cells only ever grow newer
    _recompute_cells(days, now)
    delivery_ids = {mark.delivery_id for mark in marks}
    rule_on(sources, delivery_ids, evaluation=str(max(mark.pk for mark in marks)), now=now)
    ailed = {mark.source_id for mark in marks if mark.attempts}
    ailing.recovered([source for source in sources if source.pk in ailed], now=now)


def _recompute_cells(days: Days, now: dt.datetime) -> None:
    """Write the cells of these days as the deliveries make them, and drop those that have none left."""
    fresh = dict(cells_from(Delivery.objects.filter(_of(days, "delivered_on"))))
    SourceDay.objects.bulk_create(
        (
            SourceDay(
                source_id=key[0],
                buyer_id=key[1],
                day=key[2],
                computed_at=now,
                **{name: getattr(totals, name) for name in COLUMNS},
            )
            for key, totals in fresh.items()
        ),
        update_conflicts=True,
        unique_fields=["source", "buyer", "day"],
        update_fields=[*COLUMNS, "computed_at"],
    )
    left = Delivery.objects.filter(
        source=OuterRef("source"), buyer=OuterRef("buyer"), delivered_on=OuterRef("day")
    )
    SourceDay.objects.filter(_of(days, "day") & ~Exists(left)).delete()


def _of(days: Days, column: str) -> Q:
    """Rows of these sources on their days."""
    each = (Q(source=source, **{f"{column}__in": dates}) for source, dates in days.items())
    return functools.reduce(operator.or_, each)
