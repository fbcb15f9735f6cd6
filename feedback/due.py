"""Leads that wait for feedback, those whose feedback is due first at the top, page by page.

Each agreement has a schedule and a window of its own, so no column holds the order. But on one agreement a
lead that was delivered later is never due earlier: each walks its own leads by time of delivery, along an
index, a page of each at most, and the pages are merged.
"""

from __future__ import annotations

import datetime as dt
import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from feedback.deadlines import INSTANT, delivered_from, feedback_due
from feedback.desk import Desk
from flows.models import Agreement, Delivery
from portal.keyset import Values, beyond

Rows = QuerySet[Delivery]
Key = tuple[dt.datetime, dt.datetime, int]  # when feedback is due, when it was delivered, primary key
NAMES = ("delivered_at", "pk")


@dataclass(frozen=True)
class DueFirst:
    """A walk (`portal.keyset.Walk`) over rows that wait for feedback; ``descending``: the last due first."""

    desk: Desk
    descending: bool = False

    @property
    def name(self) -> str:
        return "-due" if self.descending else "due"

    def ahead(self, rows: Rows, after: Values | None, limit: int) -> list[Delivery]:
        return self._walk(rows, _key(after), limit, falling=self.descending)

    def back(self, rows: Rows, before: Values | None, limit: int) -> list[Delivery]:
        return self._walk(rows, _key(before), limit, falling=not self.descending)[::-1]

    def values(self, row: Delivery) -> Values:
        due = feedback_due(self.desk.agreements[row.flow_id], row.delivered_at)
        return due.isoformat(), row.delivered_at.isoformat(), row.pk

    def _walk(self, rows: Rows, place: Key | None, limit: int, *, falling: bool) -> list[Delivery]:
        """Two queries, however many agreements: the keys of the page, then its rows."""
        open_ones = [each for each in self.desk.agreements.values() if each.flow.feedback_enabled]
        parts = [self._part(rows, each, place, falling=falling)[:limit] for each in open_ones]
        picked = (heapq.nlargest if falling else heapq.nsmallest)(limit, self._keys(parts))
        by_pk = {row.pk: row for row in rows.filter(pk__in=[pk for *_, pk in picked])}
        return [by_pk[pk] for *_, pk in picked if pk in by_pk]

    def _part(self, rows: Rows, agreement: Agreement, place: Key | None, *, falling: bool) -> Rows:
        """The waiting leads of one agreement beyond the place."""
        opened = self.desk.now - dt.timedelta(days=agreement.flow.update_window_days)
        part = rows.filter(flow=agreement.flow_id, feedback_count=0, delivered_at__gte=opened)
        if place is not None:
            part = part.filter(_beyond(agreement, place, falling=falling))
        return part.order_by(*[f"-{name}" if falling else name for name in NAMES])

    def _keys(self, parts: Iterable[Rows]) -> Iterable[Key]:
        # Each slice stands in a sub-query of its own, as SQLite takes none in a union.
        narrow = [
            Delivery.objects.filter(pk__in=part.values("pk")).values_list("pk", "flow_id", "delivered_at")
            for part in parts
        ]
        found: Iterable[Any] = narrow[0].union(*narrow[1:], all=True) if narrow else []
        for pk, flow_id, delivered_at in found:
            yield feedback_due(self.desk.agreements[flow_id], delivered_at), delivered_at, pk


def _beyond(agreement: Agreement, place: Key, *, falling: bool) -> Any:
    """Which of an agreement's leads stand behind the place: a range of (delivered at, primary key).

    Those that are due at the very moment of the place are told apart by delivery; they are a span of time.
    """
    due, delivered_at, pk = place
    first, after = delivered_from(agreement, due), delivered_from(agreement, due + INSTANT)
    if first <= delivered_at < after:
        return beyond(Delivery, NAMES, (delivered_at, pk), less=falling)
    edge = first if delivered_at < first else after
    return Q(delivered_at__lt=edge) if falling else Q(delivered_at__gte=edge)


def _key(values: Values | None) -> Key | None:
    if values is None:
        return None
    due, delivered_at, pk = values
    return dt.datetime.fromisoformat(due), dt.datetime.fromisoformat(delivered_at), int(pk)
