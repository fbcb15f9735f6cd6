"""The one aggregate that makes cells of deliveries: for the worker, the activity report and ``verify``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from django.db.models import Aggregate, Count, F, FloatField, Q, QuerySet, Sum
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast

from feedback.metrics import COLUMNS, Totals
from feedback.models import SourceDay
from flows.models import ConversionStatus, Delivery, Outcome

KEY = ("source_id", "buyer_id", "day")
_THOUSANDTH = Decimal("0.001")
_REVENUE = Cast("revenue", FloatField())


def _outcome(outcome: Outcome) -> Aggregate:
    """Deliveries with this outcome that are not sold: none is counted under two heads."""
    return Count("pk", filter=Q(outcome=outcome) & ~Q(conversion_status=ConversionStatus.SOLD))


FROM_DELIVERIES: Mapping[str, Aggregate] = {
    "delivered": Count("pk"),
    "with_feedback": Count("pk", filter=Q(feedback_count__gt=0)),
    "converted": Count("pk", filter=Q(conversion_status=ConversionStatus.SOLD)),
    "contacted": _outcome(Outcome.CONTACTED),
    "no_contact": _outcome(Outcome.NO_CONTACT),
    "bad_info": _outcome(Outcome.BAD_INFO),
    "duplicate": _outcome(Outcome.DUPLICATE),
    "not_interested": _outcome(Outcome.NOT_INTERESTED),
    "returned": _outcome(Outcome.RETURNED),
    "quality_count": Count("quality_score"),
    "quality_sum": Sum("quality_score"),
    "quality_squares": Sum(F("quality_score") * F("quality_score")),
    # Before the sum of revenue, which takes the column's name.
    "revenue_squares": Sum(_REVENUE * _REVENUE),
    "revenue": Sum("revenue"),
    "commission": Sum("commission"),
    "cost": Sum("price"),
}
FROM_CELLS: Mapping[str, Aggregate] = {name: Sum(name) for name in COLUMNS}


def totals_of_deliveries(
    deliveries: QuerySet[Delivery], *by: str, **by_expression: Combinable
) -> dict[tuple[Any, ...], Totals]:
    """Totals of the deliveries per value of the named look-ups: ``totals_of_deliveries(q, "source_id")``.

    The keys are tuples in the order of the look-ups, then of the expressions; without any, one key ``()``.
    """
    return dict(_grouped(deliveries, FROM_DELIVERIES, by, by_expression))


def totals_of_cells(
    cells: QuerySet[SourceDay], *by: str, **by_expression: Combinable
) -> dict[tuple[Any, ...], Totals]:
    """The same, from recomputed cells."""
    return dict(_grouped(cells, FROM_CELLS, by, by_expression))


def cells_from(deliveries: QuerySet[Delivery]) -> Iterator[tuple[tuple[Any, ...], Totals]]:
    """What the cells of these deliveries are: ``((source_id, buyer_id, day), totals)`` in that order."""
    by, day = ("source_id", "buyer_id"), {"day": F("delivered_on")}
    return _grouped(deliveries, FROM_DELIVERIES, by, day, ordered=True)


def cells_stored(cells: QuerySet[SourceDay]) -> Iterator[tuple[tuple[Any, ...], Totals]]:
    """What the stored cells say, in the same form and order as `cells_from`."""
    rows = cells.order_by(*KEY).values(*KEY, *COLUMNS)
    return _read(rows.iterator(), KEY)


def _grouped(
    rows: QuerySet[Any],
    columns: Mapping[str, Aggregate],
    by: tuple[str, ...],
    by_expression: Mapping[str, Combinable],
    *,
    ordered: bool = False,
) -> Iterator[tuple[tuple[Any, ...], Totals]]:
    keys = (*by, *by_expression)
    if not keys:
        return iter([((), _totals(rows.aggregate(**columns)))])
    groups = rows.order_by().values(*by, **by_expression).annotate(**columns)
    return _read((groups.order_by(*keys) if ordered else groups).iterator(), keys)


def _read(
    rows: Iterable[Mapping[str, Any]], keys: tuple[str, ...]
) -> Iterator[tuple[tuple[Any, ...], Totals]]:
    return ((tuple(row[key] for key in keys), _totals(row)) for row in rows)


def _totals(row: Mapping[str, Any]) -> Totals:
    """SQLite sums money as floats; to the thousandth, as fine as money is stored, they are exact again."""
    return Totals.of(
        {
            name: value.quantize(_THOUSANDTH) if isinstance(value := row[name], Decimal) else value
            for name in COLUMNS
        }
    )
