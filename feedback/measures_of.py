"""What metrics are measured on: totals per source, buyer or both over days; scores; times. Queries only.

Rules, routing, reports and the API all ask here, each with the rows that it may see; what the answers mean
stands in ``feedback/metrics.py``. Days are delivery days in the flow's time zone, both ends included.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db.models import Count, DurationField, ExpressionWrapper, F, QuerySet, Window
from django.db.models.expressions import Combinable
from django.db.models.functions import RowNumber

from feedback.cells import totals_of_cells
from feedback.metrics import Middle, Totals
from feedback.models import SourceDay
from flows.models import ConversionStatus, Delivery
from flows.sequences import SCORES
from flows.survival import Curve, curve

Key = tuple[Any, ...]
SOURCE, BUYER, SOURCE_AND_BUYER = ("source_id",), ("buyer_id",), ("source_id", "buyer_id")
_A_DAY = dt.timedelta(days=1)


def totals_over(
    cells: QuerySet[SourceDay],
    sources: Collection[int],
    first: dt.date,
    last: dt.date,
    *by: str,
    **by_expression: Combinable,
) -> dict[Key, Totals]:
    """Totals of the sources' deliveries of those days, per value of the named look-ups. One query.

    ``totals_over(cells, ids, first, last, *SOURCE_AND_BUYER, "day")``. What has no deliveries is left out.
    """
    return totals_of_cells(between(cells, sources, first, last), *by, **by_expression)


def between(
    cells: QuerySet[SourceDay], sources: Collection[int], first: dt.date, last: dt.date
) -> QuerySet[SourceDay]:
    """The cells of the sources' deliveries of those days."""
    return cells.filter(source__in=sources, day__range=(first, last))


def delivered_between(
    deliveries: QuerySet[Delivery], sources: Collection[int], first: dt.date, last: dt.date
) -> QuerySet[Delivery]:
    """The sources' deliveries of those days: those that the cells of `between` are made of."""
    return deliveries.filter(source__in=sources, delivered_on__range=(first, last))


def score_counts(deliveries: QuerySet[Delivery], *by: str) -> dict[Key, tuple[int, ...]]:
    """How often each score 1 … 5 was given, for `flows.sequences.confident_score`. One query.

    Cells keep only the sums of scores and of their squares. ``by`` as in `totals_over`; without any, one key
    ``()``.
    """
    rows = deliveries.filter(quality_score__isnull=False).order_by().values_list(*by, "quality_score")
    counts: dict[Key, list[int]] = defaultdict(lambda: [0] * len(SCORES))
    for *key, score, count in rows.annotate(count=Count("pk")):
        counts[tuple(key)][score - 1] = count
    return {key: tuple(each) for key, each in counts.items()}


def days_to_conversion(deliveries: QuerySet[Delivery], *by: str) -> dict[Key, list[float]]:
    """How many days after delivery each sold one became so, for `metrics.measure_days`. One query.

    A buyer who dates a sale before the delivery is taken to have sold at once.
    """
    days: dict[Key, list[float]] = defaultdict(list)
    for *key, delivered, converted in _sold(deliveries).values_list(*by, "delivered_at", "converted_at"):
        days[tuple(key)].append(_days(converted - delivered))
    return dict(days)


def middle_days_to_conversion(deliveries: QuerySet[Delivery], *by: str) -> dict[Key, Middle]:
    """Of `days_to_conversion`, what its median and the interval of that need, for `metrics.measure_ordered`.
    One query, which fetches some 4 √n of n times: for who asks often.
    """
    apart = [F(name) for name in by] or None
    took = ExpressionWrapper(F("converted_at") - F("delivered_at"), output_field=DurationField())
    ranked = _sold(deliveries).annotate(
        took=took,
        rank=Window(RowNumber(), partition_by=apart, order_by="took"),
        n=Window(Count("pk"), partition_by=apart),
    )
    # The ranks of the interval lie √n off the middle, about (`flows.evidence.median_interval`): twice as far.
    off = F("rank") * 2 - F("n")
    near = ranked.annotate(beyond=off * off - F("n") * 16).filter(beyond__lte=0)
    found: dict[Key, list[tuple[int, int, float]]] = defaultdict(list)
    for *key, rank, n, span in near.values_list(*by, "rank", "n", "took"):
        found[tuple(key)].append((rank, n, _days(span)))
    return {key: _middle(rows) for key, rows in found.items()}


def _sold(deliveries: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """Those of which it is known when they were sold."""
    return deliveries.filter(conversion_status=ConversionStatus.SOLD, converted_at__isnull=False).order_by()


def _days(span: dt.timedelta) -> float:
    return max(span / _A_DAY, 0.0)


def _middle(rows: list[tuple[int, int, float]]) -> Middle:
    ordered = sorted(rows)
    return Middle(ordered[0][0] - 1, tuple(days for _, _, days in ordered), ordered[0][1])


def conversion_curves(
    daily: Mapping[Key, Totals], times: Mapping[Key, Sequence[float]], today: dt.date
) -> dict[Key, Curve]:
    """The share of leads that converts within so many days, by Kaplan and Meier. Pure; see `flows.survival`.

    ``daily``: totals by key and, last, delivery day; ``times``: days to conversion by the same keys.
    Leads of a day are watched for as many whole days as all of them have been; whoever is not sold within
    them is watched on: also the lost ones, which belong to the whole of which the share is one.
    """
    converted: dict[Key, Counter[float]] = defaultdict(Counter)
    waiting: dict[Key, Counter[float]] = defaultdict(Counter)
    for (*key, day), totals in daily.items():
        watched = max((today - day).days - 1, 0)
        within = [each for each in times.get((*key, day), ()) if each <= watched]
        converted[tuple(key)].update(within)
        waiting[tuple(key)][watched] += totals.delivered - len(within)
    return {key: curve(converted[key], waiting[key]) for key in waiting}
