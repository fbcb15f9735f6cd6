"""Where leads come from and where they went."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from functools import partial
from typing import ClassVar

from django.core.validators import MinValueValidator
from django.db import models
from django.utils.timezone import now

from flows.models.config import Flow, default_seller_paths
from portal.access import Paths
from portal.ids import new_id
from portal.models import Buyer


class Source(models.Model):
    """Where a flow's leads come from."""

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        PAUSED = "paused", "Paused"

    access_paths: ClassVar = default_seller_paths("flow")
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="sources")
    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=64, help_text="As the API names it.")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    status_reason = models.CharField(max_length=255, blank=True)
    daily_cap = models.PositiveIntegerField(
        null=True, blank=True, help_text="Most leads a day, in the flow's time zone. Empty: no cap."
    )
    base_price = models.DecimalField(
        max_digits=12, decimal_places=3, default=Decimal(0), validators=[MinValueValidator(Decimal(0))]
    )
    price_adjustment = models.DecimalField(
        max_digits=6,
        decimal_places=4,
        default=Decimal(1),
        validators=[MinValueValidator(Decimal(0))],
        help_text="The price of a lead is the base price times this. Assigned, never compounded.",
    )
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ("name",)
        constraints = (models.UniqueConstraint(fields=["flow", "slug"], name="source_slug_per_flow"),)

    def __str__(self) -> str:
        return self.name


class SourceBuyer(models.Model):
    """Whether one buyer gets a source's leads. No row: they do, as far as the source itself is active."""

    access_paths: ClassVar = default_seller_paths("source__flow")
    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="by_buyer")
    buyer = models.ForeignKey(Buyer, on_delete=models.CASCADE, related_name="by_source")
    status = models.CharField(max_length=10, choices=Source.Status.choices, default=Source.Status.ACTIVE)
    status_reason = models.CharField(max_length=255, blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["source", "buyer"], name="once_per_source_and_buyer"),)


class Lead(models.Model):
    """A consumer's record, as it came in."""

    access_paths: ClassVar = default_seller_paths("flow")
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="leads")
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="leads")
    first_name = models.CharField(max_length=120, blank=True)
    last_name = models.CharField(max_length=120, blank=True)
    email = models.CharField("e-mail", max_length=254, blank=True)
    phone = models.CharField(max_length=40, blank=True)
    email_normalised = models.CharField(max_length=254, blank=True, editable=False)
    phone_e164 = models.CharField(max_length=20, blank=True, editable=False)
    data = models.JSONField(default=dict, blank=True)  # every further field of the lead
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        indexes = (
            models.Index(fields=["flow", "email_normalised"], name="lead_by_email"),
            models.Index(fields=["flow", "phone_e164"], name="lead_by_phone"),
        )

    def __str__(self) -> str:
        return self.name or self.email or self.phone or f"Lead {self.pk}"

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()


class Outcome(models.TextChoices):
    """What became of a lead: the seven words that feedback may use."""

    CONVERTED = "converted", "Converted"
    CONTACTED = "contacted", "Contacted"
    NO_CONTACT = "no_contact", "No contact"
    BAD_INFO = "bad_info", "Bad info"
    DUPLICATE = "duplicate", "Duplicate"
    NOT_INTERESTED = "not_interested", "Not interested"
    RETURNED = "returned", "Returned"


class ConversionStatus(models.TextChoices):
    """The three-way summary of an outcome."""

    SOLD = "sold", "Sold"
    NOT_SOLD = "not_sold", "Not sold"
    PENDING = "pending", "Pending"


class Delivery(models.Model):
    """A lead sold to one buyer, carrying the current state of its feedback.

    The state columns are the fold of the delivery's feedback events (``feedback/fold.py``) and are
    written only by ``feedback/record.py``.
    """

    access_paths: ClassVar = Paths(seller="flow__seller", buyer="buyer", flow="flow")
    public_id = models.CharField("id", max_length=64, default=partial(new_id, "evt"))
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="deliveries")
    lead = models.ForeignKey(Lead, on_delete=models.PROTECT, related_name="deliveries")
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="deliveries")
    buyer = models.ForeignKey(Buyer, on_delete=models.PROTECT, related_name="deliveries")
    external_id = models.CharField(
        "buyer's own id",
        max_length=128,
        null=True,
        blank=True,
        help_text="As the buyer's CRM names the lead.",
    )
    price = models.DecimalField(max_digits=12, decimal_places=3)
    delivered_at = models.DateTimeField()
    delivered_on = models.DateField()  # the day of delivered_at in the flow's time zone: its cohort
    # The state: see feedback/fold.py
    outcome = models.CharField(max_length=16, choices=Outcome.choices, null=True, blank=True)
    conversion_status = models.CharField(
        max_length=10, choices=ConversionStatus.choices, default=ConversionStatus.PENDING
    )
    quality_score = models.PositiveSmallIntegerField(null=True, blank=True)
    revenue = models.DecimalField(max_digits=15, decimal_places=3, null=True, blank=True)
    commission = models.DecimalField(max_digits=15, decimal_places=3, null=True, blank=True)
    contacted_at = models.DateTimeField(null=True, blank=True)
    converted_at = models.DateTimeField(null=True, blank=True)  # when it became sold, if it is
    fields = models.JSONField(default=dict, blank=True)  # by feedback name: what has no column here
    feedback_count = models.PositiveIntegerField(default=0)
    first_feedback_at = models.DateTimeField(null=True, blank=True)  # received, not happened
    last_feedback_at = models.DateTimeField(null=True, blank=True)  # happened: the latest event's time
    version = models.PositiveIntegerField(default=0)  # goes up with every event; stale tabs are told by it
    updated_at = models.DateTimeField(default=now, editable=False)  # taken in, or feedback received

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = (
            # Not unique across tenants: a seller's own event ids would tell whether another one has them.
            models.UniqueConstraint(fields=["public_id", "flow"], name="delivery_id_once_per_flow"),
            models.UniqueConstraint(
                fields=["buyer", "flow", "external_id"],
                name="external_id_per_buyer_and_flow",
                condition=models.Q(external_id__isnull=False),
            ),
        )
        indexes = (
            models.Index(fields=["buyer", "-delivered_at", "-id"], name="delivery_by_buyer"),
            models.Index(fields=["source", "delivered_on"], name="delivery_by_cell"),
            models.Index(fields=["flow", "-delivered_at"], name="delivery_by_flow"),
            models.Index(fields=["flow", "last_feedback_at"], name="delivery_by_activity"),
            models.Index(fields=["buyer", "flow", "updated_at"], name="delivery_by_update"),
            # A buyer's list of leads: what its filters ask, in the order of its pages.
            models.Index(fields=["buyer", "outcome", "-delivered_at", "-id"], name="delivery_by_outcome"),
            models.Index(
                fields=["buyer", "conversion_status", "-delivered_at", "-id"], name="delivery_by_status"
            ),
            models.Index(fields=["buyer", "source", "-delivered_at", "-id"], name="delivery_by_source"),
            models.Index(fields=["buyer", "quality_score", "id"], name="delivery_by_quality"),
            models.Index(fields=["buyer", "revenue", "id"], name="delivery_by_revenue"),
            models.Index(
                fields=["buyer", "flow", "delivered_at", "id"],
                name="delivery_waiting",
                condition=models.Q(feedback_count=0),
            ),
            models.Index(
                fields=["buyer", "-delivered_at", "-id"],
                name="delivery_told",
                condition=models.Q(feedback_count__gt=0),
            ),
        )

    def __str__(self) -> str:
        return self.public_id

    def window_closes_at(self) -> dt.datetime:
        """Until when feedback is taken: the delivery plus the flow's update window."""
        return self.delivered_at + dt.timedelta(days=self.flow.update_window_days)


class IntakeRefusal(models.Model):
    """How many leads were refused, by day and reason; of the leads themselves nothing is kept."""

    access_paths: ClassVar = default_seller_paths("flow")
    flow = models.ForeignKey(Flow, on_delete=models.CASCADE)
    source = models.ForeignKey(Source, on_delete=models.CASCADE)
    day = models.DateField()
    reason = models.CharField(max_length=20)
    count = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["source", "day", "reason"], name="refusal_per_source_day_and_reason"
            ),
        )
