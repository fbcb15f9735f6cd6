"""Days as a person means them: on their own clock."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils import timezone

EARLIEST, LATEST = dt.date(1900, 1, 1), dt.date(9900, 1, 1)  # dates beyond have no moment on every clock


def begins(day: dt.date, days: int = 0) -> dt.datetime:
    """The beginning of a day in the person's time zone, or of one some days later."""
    bounded = min(max(day, EARLIEST), LATEST) + dt.timedelta(days=days)
    return timezone.make_aware(dt.datetime.combine(bounded, dt.time()))


class FromDayToDay:
    """For a filter set: ``from_day`` and ``to_day`` on the column ``moment``, both days included."""

    moment: ClassVar[str]

    def from_day(self, rows: QuerySet[Any], name: str, value: dt.date) -> QuerySet[Any]:
        return rows.filter(**{f"{self.moment}__gte": begins(value)})

    def to_day(self, rows: QuerySet[Any], name: str, value: dt.date) -> QuerySet[Any]:
        return rows.filter(**{f"{self.moment}__lt": begins(value, days=1)})
