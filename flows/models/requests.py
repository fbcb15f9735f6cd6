"""What API clients asked and were answered: kept for 30 days, so that a buyer can see what became of it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from flows.models.config import ApiKey, Flow
from portal.access import Paths
from portal.models import Buyer, Seller

BATCH = {"recorded": "recorded", "unchanged": "unchanged", "rejected": "refused"}


class RequestLog(models.Model):
    """One authenticated API call; personal data is masked before it is written (``flows/masking.py``).

    ``lead_id`` is the id that the call named, by path or body; ``lead_ids`` those of a batch, parted and
    enclosed by spaces. The row is written on every call, so it carries no index that no page asks for.
    """

    access_paths: ClassVar = Paths(seller="seller", buyer="buyer", flow="flow")
    request_id = models.CharField(max_length=64)
    at = models.DateTimeField("time")
    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="requests", db_index=False)
    seller = models.ForeignKey(Seller, on_delete=models.CASCADE, related_name="+", db_index=False)
    buyer = models.ForeignKey(
        Buyer, on_delete=models.CASCADE, null=True, blank=True, related_name="+", db_index=False
    )
    flow = models.ForeignKey(
        Flow, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=255)  # without the query
    status = models.PositiveSmallIntegerField()
    code = models.CharField(max_length=40, blank=True)  # the problem's
    duration_ms = models.PositiveIntegerField("duration, ms")
    lead_id = models.CharField("lead id", max_length=128, blank=True)
    lead_ids = models.TextField("lead ids of a batch", blank=True)
    body_bytes = models.PositiveIntegerField("length of the body, bytes", null=True, blank=True)
    body = models.TextField("body, masked", blank=True)  # JSON, cut at 4 KiB; "" where it could not be read
    answer = models.JSONField(default=dict, blank=True)  # the problem, or what became of the feedback

    class Meta:
        verbose_name = "API request"
        ordering = ("-at", "-pk")
        indexes = (
            models.Index(fields=["buyer", "-at", "-id"], name="request_by_buyer"),
            models.Index(fields=["seller", "-at", "-id"], name="request_by_seller"),
            models.Index(fields=["buyer", "lead_id"], name="request_by_lead", condition=~Q(lead_id="")),
            models.Index(fields=["at"], name="request_age"),
        )

    def __str__(self) -> str:
        return self.request_id

    @property
    def said(self) -> str:
        """The answer in a word: the problem's code, what became of the feedback, or of a batch's rows."""
        if "rejected" in self.answer and not self.code:
            return ", ".join(
                f"{self.answer[name]} {word}" for name, word in BATCH.items() if self.answer.get(name)
            )
        return self.code or str(self.answer.get("status") or self.answer.get("outcome", ""))
