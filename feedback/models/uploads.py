"""Files of feedback: how they were read, what they did, what a person has to decide."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from django.db import models
from django.utils.timezone import now

from flows.models import ApiKey, Delivery, Flow
from portal.access import Paths
from portal.ids import new_id
from portal.models import Buyer, User

# Defaults in the database are for a server of the last release, which does not know the column yet.
NO_JSON = models.Value({}, models.JSONField())


class Upload(models.Model):
    """A file of feedback: how it was read, how far it is, what it did."""

    class Status(models.TextChoices):
        """The first three are the portal's alone: nothing is recorded before a person has confirmed."""

        DRAFT = "draft", "Not started"
        CHECKING = "checking", "Being checked"
        CHECKED = "checked", "To be confirmed"
        QUEUED = "queued", "Waiting"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        UNDONE = "undone", "Undone"

    PREPARING: ClassVar = (Status.DRAFT, Status.CHECKING, Status.CHECKED)

    access_paths: ClassVar = Paths(seller="flow__seller", buyer="buyer", flow="flow")
    public_id = models.CharField("id", max_length=64, unique=True, default=partial(new_id, "upl"))
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="uploads")
    buyer = models.ForeignKey(Buyer, on_delete=models.PROTECT, related_name="uploads")
    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True)
    api_key = models.ForeignKey(ApiKey, on_delete=models.SET_NULL, null=True, blank=True)
    filename = models.CharField(max_length=255)
    file = models.FileField(upload_to="feedback/%Y/%m")
    size = models.PositiveBigIntegerField()  # bytes
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.QUEUED)
    encoding = models.CharField(max_length=20, blank=True)
    delimiter = models.CharField(max_length=1, blank=True)
    has_header = models.BooleanField(default=True, db_default=True)
    decimal_comma = models.BooleanField(null=True, blank=True)  # None: as the delimiter suggests
    # How columns and values are understood (feedback/mapping.py); empty: columns are named as the fields are.
    mapping = models.JSONField(default=dict, db_default=NO_JSON, blank=True)
    findings = models.JSONField(
        default=dict, db_default=NO_JSON, blank=True
    )  # of the check: see feedback/upload_check.py
    rows = models.PositiveIntegerField(null=True, blank=True)  # counted in the first pass
    rows_done = models.PositiveIntegerField(default=0)  # committed with the chunk that did them
    recorded = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=500, blank=True)  # why the whole file was refused
    created_at = models.DateTimeField(default=now, editable=False)
    claimed_until = models.DateTimeField(null=True, blank=True)  # a worker's lease; run out: resumed
    finished_at = models.DateTimeField(null=True, blank=True)
    livemode = models.BooleanField(default=True)  # False: sent with a test key, so nothing is recorded
    # Under which the recorded events are taken back, once somebody has asked for it.
    undo = models.OneToOneField(
        "ChangeSet", on_delete=models.PROTECT, null=True, blank=True, related_name="undoes"
    )
    taken_back = models.PositiveIntegerField(default=0)  # events, of the recorded ones

    class Meta:
        ordering = ("-created_at", "-pk")
        indexes = (models.Index(fields=["buyer", "-created_at"], name="upload_by_buyer"),)

    def __str__(self) -> str:
        return self.filename

    @property
    def is_being_undone(self) -> bool:
        return self.undo_id is not None and self.finished_at is None

    @property
    def share_done(self) -> float:
        """How far the worker is, 0 to 1: with the reading, or with the taking back."""
        done, all_of_them = (
            (self.taken_back, self.recorded) if self.is_being_undone else (self.rows_done, self.rows)
        )
        if self.finished_at is not None:
            return 1.0
        return min(1.0, done / all_of_them) if all_of_them else 0.0


class RememberedMapping(models.Model):
    """How a buyer's files with this head were understood the last time one of them was confirmed."""

    access_paths: ClassVar = Paths(seller="flow__seller", buyer="buyer", flow="flow")
    flow = models.ForeignKey(Flow, on_delete=models.CASCADE, related_name="+")
    buyer = models.ForeignKey(Buyer, on_delete=models.CASCADE, related_name="+")
    head = models.CharField(max_length=64)  # SHA-256 of the columns' names, or of their number
    mapping = models.JSONField()
    upload = models.ForeignKey(Upload, on_delete=models.SET_NULL, null=True, related_name="+")
    updated_at = models.DateTimeField(default=now)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["flow", "buyer", "head"], name="mapping_once_per_head"),
        )


class ProposedMatch(models.Model):
    """A lead that a row without a known id may speak of. Used only once a person has accepted it."""

    class Basis(models.TextChoices):
        BOTH = "both", "E-mail and phone"
        EMAIL = "email", "E-mail"
        PHONE = "phone", "Phone"

    access_paths: ClassVar = Paths(seller="upload__flow__seller", buyer="upload__buyer")
    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, related_name="proposals")
    line = models.PositiveIntegerField()
    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="+")
    basis = models.CharField(max_length=5, choices=Basis.choices)
    confidence = models.PositiveSmallIntegerField()  # percent
    contact = models.CharField(max_length=300)  # of the row, as it stands in the file
    accepted = models.BooleanField(default=False)

    class Meta:
        ordering = ("-confidence", "line", "pk")
        constraints = (
            models.UniqueConstraint(fields=["upload", "line", "delivery"], name="proposed_once"),
            models.UniqueConstraint(
                fields=["upload", "line"], name="one_accepted_per_line", condition=models.Q(accepted=True)
            ),
        )
        indexes = (models.Index(fields=["upload", "-confidence", "line"], name="proposals_in_order"),)


class RefusedRow(models.Model):
    """A row of an upload that was not recorded, as it stood in the file, and why."""

    access_paths: ClassVar = Paths(seller="upload__flow__seller", buyer="upload__buyer")
    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, related_name="refused_rows")
    line = models.PositiveIntegerField()  # of the file, the head being line 1
    cells = models.JSONField()  # list of texts, in the file's column order
    error = models.TextField()

    class Meta:
        ordering = ("line",)
        constraints = (models.UniqueConstraint(fields=["upload", "line"], name="refused_row_once"),)
