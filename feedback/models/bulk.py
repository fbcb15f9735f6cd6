"""Changes of many leads at once, and the taking back of many events."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from django.db import models
from django.utils.timezone import now

from flows.models import Delivery
from portal.access import Paths
from portal.ids import new_id
from portal.models import Buyer, User


class BulkChange(models.Model):
    """What one person asked for many leads: which, what, and how far it is.

    A change (`Kind.SET`) begins as a draft, which names leads and records nothing; once it is confirmed its
    leads stand in `BulkLead`. An undo takes back what ``takes_back`` and the rest of its bulk change did.
    """

    class Kind(models.TextChoices):
        SET = "set", "Change"
        UNDO = "undo", "Undo"

    class Status(models.TextChoices):
        DRAFT = "draft", "Not confirmed"
        QUEUED = "queued", "Waiting"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    access_paths: ClassVar = Paths(seller="buyer__seller", buyer="buyer")
    public_id = models.CharField("id", max_length=64, unique=True, default=partial(new_id, "blk"))
    buyer = models.ForeignKey(Buyer, on_delete=models.PROTECT, related_name="bulk_changes")
    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True)
    kind = models.CharField(max_length=4, choices=Kind.choices)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.DRAFT)
    request_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(default=now, editable=False)
    # Of a change: which leads, and what is set on them.
    everything = models.BooleanField(
        default=False
    )  # all that match the query but for ``named``; else ``named``
    query = models.TextField(blank=True)  # the list's filters, as its address has them
    named = models.JSONField(default=list, blank=True)  # lead ids
    seen = models.JSONField(
        default=dict, blank=True
    )  # lead id → the version that was on the page, where known
    until = models.PositiveBigIntegerField(
        default=0
    )  # no delivery with a higher key: it came in after the question
    texts = models.JSONField(default=dict, blank=True)  # field → the text of its control
    # Of an undo: the first of the change sets that it takes back.
    takes_back = models.OneToOneField(
        "ChangeSet", on_delete=models.PROTECT, null=True, blank=True, related_name="undo_job"
    )
    # Where that is the undo of a file: the file, which counts again when this is done.
    upload = models.ForeignKey("Upload", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    cursor = models.PositiveBigIntegerField(default=0)  # the last event that was gone through
    # How far it is: of leads, or of the events that are taken back.
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)  # committed with the chunk that did them
    recorded = models.PositiveIntegerField(default=0)  # of an undo: taken back
    unchanged = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)  # of an undo: left as it is
    left = models.JSONField(default=dict, blank=True)  # of an undo: why → how many
    error = models.CharField(max_length=500, blank=True)
    claimed_until = models.DateTimeField(null=True, blank=True)  # a worker's lease; run out: resumed
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = (models.Index(fields=["status", "created_at"], name="bulk_by_status"),)

    def __str__(self) -> str:
        return self.public_id

    @property
    def share_done(self) -> float:
        """How far the worker is, 0 to 1."""
        if self.finished_at is not None:
            return 1.0
        return min(1.0, self.done / self.total) if self.total else 0.0


class BulkLead(models.Model):
    """One lead of a confirmed bulk change, and what became of it: "" until its turn comes."""

    class Status(models.TextChoices):
        RECORDED = "recorded", "Recorded"
        UNCHANGED = "unchanged", "Unchanged"
        REFUSED = "refused", "Refused"

    access_paths: ClassVar = Paths(seller="bulk__buyer__seller", buyer="bulk__buyer")
    bulk = models.ForeignKey(BulkChange, on_delete=models.CASCADE, related_name="leads")
    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="+")
    version = models.PositiveIntegerField()  # the delivery's, before which the change was confirmed
    status = models.CharField(max_length=9, choices=Status.choices, blank=True)
    problem = models.TextField(blank=True)  # why it was refused

    class Meta:
        constraints = (models.UniqueConstraint(fields=["bulk", "delivery"], name="lead_once_per_bulk"),)
        indexes = (models.Index(fields=["bulk", "status"], name="bulk_leads_by_status"),)
