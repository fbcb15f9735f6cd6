"""Append-only events, and the change sets they came in."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from django.db import models
from django.utils.timezone import now

from feedback.models.bulk import BulkChange
from feedback.models.uploads import Upload
from flows.models import ApiKey, Delivery, Flow
from portal.access import Paths
from portal.append_only import AppendOnly
from portal.ids import new_id
from portal.models import Buyer, User


class Door(models.TextChoices):
    """By which way feedback came in."""

    API = "api", "API"
    UPLOAD = "upload", "File upload"
    PORTAL = "portal", "Portal"
    LEADCONDUIT = "leadconduit", "LeadConduit"


class ChangeSet(models.Model):
    """One API call, edit or correction, or a chunk of a file or bulk change: the unit of receipt and of undo.

    ``undo`` is the change set that took this one back; that one may be taken back itself.
    """

    access_paths: ClassVar = Paths(seller="flow__seller", buyer="buyer", flow="flow")
    public_id = models.CharField("id", max_length=64, unique=True, default=partial(new_id, "chg"))
    door = models.CharField(max_length=12, choices=Door.choices)
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="change_sets")
    buyer = models.ForeignKey(Buyer, on_delete=models.PROTECT, related_name="change_sets")
    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True)
    api_key = models.ForeignKey(ApiKey, on_delete=models.SET_NULL, null=True, blank=True)
    upload = models.ForeignKey(
        Upload, on_delete=models.PROTECT, null=True, blank=True, related_name="change_sets"
    )
    bulk = models.ForeignKey(
        BulkChange, on_delete=models.PROTECT, null=True, blank=True, related_name="change_sets"
    )
    undo = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="reverses"
    )
    request_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        indexes = (models.Index(fields=["buyer", "-id"], name="change_sets_of_buyer"),)

    def __str__(self) -> str:
        return self.public_id


class ExternalIdChange(models.Model):
    """That a buyer's own id of a delivery was learned, set or cleared, and in which change set."""

    access_paths: ClassVar = Paths(
        seller="delivery__flow__seller", buyer="delivery__buyer", flow="delivery__flow"
    )
    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="external_id_changes")
    change_set = models.ForeignKey(ChangeSet, on_delete=models.PROTECT, related_name="external_id_changes")
    before = models.CharField(max_length=128, null=True, blank=True)
    after = models.CharField(max_length=128, null=True, blank=True)


class Feedback(AppendOnly):
    """One append-only event on a delivery.

    ``values`` are the given fields in canonical JSON form (money and decimals as strings, times in UTC
    ISO 8601), ``null`` where a field was cleared. ``fingerprint`` is the SHA-256 of the values and the
    time it happened: the same feedback is on record once.

    An event that ``retracts`` an earlier one of the same delivery has no values: it takes that one back, and
    where that one was a retraction itself, what it had taken back stands again.
    """

    access_paths: ClassVar = Paths(
        seller="delivery__flow__seller", buyer="delivery__buyer", flow="delivery__flow"
    )
    refusal = "Feedback is append-only: record a correction as a new event."
    public_id = models.CharField("id", max_length=64, unique=True, default=partial(new_id, "fbk"))
    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="feedback")
    change_set = models.ForeignKey(ChangeSet, on_delete=models.PROTECT, related_name="feedback")
    occurred_at = models.DateTimeField()  # feedback_timestamp
    received_at = models.DateTimeField()
    values = models.JSONField()
    fingerprint = models.CharField(max_length=64)
    schema_version = models.PositiveIntegerField()
    retracts = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="retraction"
    )

    class Meta:
        verbose_name_plural = "feedback"
        constraints = (models.UniqueConstraint(fields=["delivery", "fingerprint"], name="feedback_once"),)
        indexes = (models.Index(fields=["delivery", "occurred_at", "id"], name="feedback_in_order"),)

    def __str__(self) -> str:
        return self.public_id
