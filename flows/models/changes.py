"""What became of sources: each change of a status, a cap or a price, with who made it. Append-only."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.timezone import now

from flows.models.automation import Decision
from flows.models.config import default_seller_paths
from flows.models.supply import Source
from portal.append_only import AppendOnly
from portal.models import Buyer


class SourceChange(AppendOnly):
    """One column of a source that was changed; with a buyer, the source's status for that buyer alone.

    ``before`` and ``after`` are as in a decision: JSON-typed, decimals as strings; null: no cap. Rows of one
    source are written under its lock, so their keys tell the order in which it changed.
    """

    class Column(models.TextChoices):
        STATUS = "status", "Status"
        DAILY_CAP = "daily_cap", "Daily cap"
        PRICE_ADJUSTMENT = "price_adjustment", "Price adjustment"
        BASE_PRICE = "base_price", "Base price"

    class By(models.TextChoices):
        HAND = "hand", "By hand"
        DECISION = "decision", "By a rule"
        UNDO = "undo", "By undoing a rule"

    access_paths: ClassVar = default_seller_paths("source__flow")
    refusal = "Changes of sources are append-only: they tell what was, whatever stands today."
    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="changes")
    buyer = models.ForeignKey(Buyer, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    column = models.CharField("what", max_length=20, choices=Column.choices)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    reason = models.CharField(max_length=255, blank=True)  # of a status: what was said of it
    at = models.DateTimeField(default=now)
    by = models.CharField("how", max_length=10, choices=By.choices)
    # Who did it, approved it or undid it; null: a rule by itself.
    user = models.ForeignKey(
        "portal.User", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    # The decision that did it, or that was undone.
    decision = models.ForeignKey(
        Decision, on_delete=models.SET_NULL, null=True, blank=True, related_name="changes"
    )

    class Meta:
        ordering = ("-pk",)
        indexes = (models.Index(fields=["source", "column", "id"], name="change_by_source"),)

    def __str__(self) -> str:
        return f"{self.get_column_display()} of {self.source}"
