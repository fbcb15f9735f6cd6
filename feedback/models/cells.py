"""What is to be recomputed, and what was."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.timezone import now

from flows.models import Delivery, Source
from portal.access import Paths
from portal.models import Buyer


class StaleMark(models.Model):
    """That a delivery changed, so its cell (source, delivery day) is to be recomputed.

    Marks are only ever inserted, and deleted by the worker that has done their work; two marks on one
    cell are two rows. A unique row per cell would lose news: an insert that finds the row leaves it to a
    worker that may already have read the cell.

    Where the work of a source fails, its marks count the attempts and are held for longer each time.
    """

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE)
    source = models.ForeignKey(Source, on_delete=models.CASCADE)
    day = models.DateField()
    marked_at = models.DateTimeField(default=now)
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    held_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = (
            models.Index(
                fields=["source", "held_until"], name="mark_held", condition=models.Q(attempts__gt=0)
            ),
        )


class SourceDay(models.Model):
    """The recomputed cell (source, buyer, delivery day): counts and sums over its deliveries.

    Never incremented. Sums are in the flow's currency. Which counts make which metric stands in
    ``feedback/metrics.py``.
    """

    access_paths: ClassVar = Paths(seller="source__flow__seller", buyer="buyer", flow="source__flow")
    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="days")
    buyer = models.ForeignKey(Buyer, on_delete=models.CASCADE, related_name="source_days")
    day = models.DateField()
    delivered = models.PositiveIntegerField()
    with_feedback = models.PositiveIntegerField()  # at least one event
    converted = models.PositiveIntegerField()  # by conversion status: sold
    contacted = models.PositiveIntegerField()  # the rest by outcome
    no_contact = models.PositiveIntegerField()
    bad_info = models.PositiveIntegerField()
    duplicate = models.PositiveIntegerField()
    not_interested = models.PositiveIntegerField()
    returned = models.PositiveIntegerField()
    quality_count = models.PositiveIntegerField()
    quality_sum = models.PositiveIntegerField()
    quality_squares = models.PositiveIntegerField()  # sum of squared scores: for the interval of the mean
    revenue = models.DecimalField(max_digits=18, decimal_places=3)
    # Sum of squared revenues, for the interval of the mean: a float, as its digits have no end.
    revenue_squares = models.FloatField(default=0, db_default=0)
    commission = models.DecimalField(max_digits=18, decimal_places=3)
    cost = models.DecimalField(max_digits=18, decimal_places=3)  # what the buyer paid: the sum of prices
    computed_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["source", "buyer", "day"], name="cell_once"),)
        indexes = (
            models.Index(fields=["day", "source"], name="cell_by_day"),
            models.Index(fields=["source", "-computed_at"], name="cell_newest"),  # is anything new?
        )
