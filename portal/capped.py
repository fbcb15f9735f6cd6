"""Counting that stops: beyond a limit the exact number costs more than it tells."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.db.models import IntegerField, QuerySet, Subquery
from django.utils.functional import cached_property

from portal import formats

COUNT_LIMIT = 10_000


class CappedPaginator(Paginator[Any]):
    """Counts no further than `COUNT_LIMIT` + 1: beyond that the exact number costs more than it tells."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        if isinstance(rows, QuerySet):
            return int(rows.order_by()[: COUNT_LIMIT + 1].count())
        return len(rows)


class CappedCount(Subquery):
    """How many rows a correlated query has, counted to `COUNT_LIMIT` + 1 at most."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) capped)"
    output_field = IntegerField()

    def __init__(self, queryset: QuerySet[Any]) -> None:
        super().__init__(queryset.order_by().values("pk")[: COUNT_LIMIT + 1])


def capped(number: int) -> str:
    """``12`` → ``"12"``, beyond the cap ``"10,000+"``."""
    return f"{formats.number(COUNT_LIMIT)}+" if number > COUNT_LIMIT else formats.number(number)
