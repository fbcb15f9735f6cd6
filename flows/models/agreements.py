"""Who buys on a flow, what of each lead they are shown, when they report, and what they may return."""

from __future__ import annotations

from typing import ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.timezone import now

from flows.models.config import Flow
from portal.access import Paths
from portal.models import Buyer


class Agreement(models.Model):
    """A buyer on a flow: what of each lead they are shown, when they send feedback, what they may return."""

    class Schedule(models.TextChoices):
        """How soon after a delivery feedback is agreed to come (``flows/schedules.py`` has the moments)."""

        NONE = "none", "None agreed"
        REALTIME = "realtime", "Real time: within 1 hour"
        DAILY = "daily", "Daily: by 9:00 the next day"
        WEEKLY = "weekly", "Weekly: Monday morning"
        MONTHLY = "monthly", "Monthly: first business day"

    class ReturnCap(models.TextChoices):
        """What limits returns, of the leads delivered in one month of the flow's time zone."""

        NONE = "none", "No cap"
        COUNT = "count", "A number of leads"
        SHARE = "share", "A share of the leads, %"

    access_paths: ClassVar = Paths(seller="flow__seller", buyer="buyer", flow="flow")
    flow = models.ForeignKey(Flow, on_delete=models.CASCADE, related_name="agreements")
    buyer = models.ForeignKey(Buyer, on_delete=models.PROTECT, related_name="agreements")
    is_active = models.BooleanField(
        "buys new leads", default=True, help_text="Off: no new deliveries; feedback on earlier ones goes on."
    )
    shows_source = models.BooleanField("sees the source", default=True)
    shows_price = models.BooleanField("sees the price", default=True)
    shows_contact = models.BooleanField("sees the contact", default=True)
    schedule = models.CharField(
        "update schedule",
        max_length=10,
        choices=Schedule.choices,
        default=Schedule.NONE,
        help_text="By when the buyer sends feedback on a lead, in the buyer's time zone.",
    )
    guide_version = models.PositiveIntegerField(default=1, editable=False)  # of the guide's shared link
    return_window_days = models.PositiveIntegerField(
        "return window, days",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(3650)],
        help_text="For how many days after delivery a lead may be returned for credit. Empty: no returns.",
    )
    return_cap_kind = models.CharField(
        "return cap",
        max_length=5,
        choices=ReturnCap.choices,
        default=ReturnCap.NONE,
        db_default=ReturnCap.NONE,
        help_text="Of the leads delivered in one month. What was rejected or withdrawn does not count.",
    )
    return_cap = models.PositiveIntegerField(
        "at most", null=True, blank=True, help_text="Leads a month, or their share in percent."
    )
    return_auto_reasons = models.JSONField(
        "approved at once for",
        default=list,
        db_default=models.Value([], models.JSONField()),
        blank=True,
        help_text="Reasons for which a return within the cap is credited without waiting for you. "
        "A lead that is on record as sold always waits.",
    )
    return_answer_days = models.PositiveSmallIntegerField(
        "answered within, days",
        default=5,
        db_default=5,
        validators=[MinValueValidator(1), MaxValueValidator(90)],
        help_text="By when you decide on a return. Both sides see the deadline.",
    )
    offers_replacement = models.BooleanField(
        "offers replacement",
        default=False,
        db_default=False,
        help_text="The buyer may ask for another lead instead of credit.",
    )
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["flow", "buyer"], name="agreement_per_flow_and_buyer"),
        )

    def __str__(self) -> str:
        return f"{self.buyer} on {self.flow}"

    def clean(self) -> None:
        """Both sides of an agreement belong to the same seller."""
        if self.flow_id and self.buyer_id and self.flow.seller_id != self.buyer.seller_id:
            raise ValidationError({"buyer": "This buyer belongs to another seller."})
        if fault := self._cap_fault():
            raise ValidationError({"return_cap": fault})

    def _cap_fault(self) -> str:
        capped = self.return_cap_kind != self.ReturnCap.NONE
        if capped != (self.return_cap is not None):
            return "Say how many." if capped else "Choose beside it what this number counts."
        if self.return_cap_kind == self.ReturnCap.SHARE and (self.return_cap or 0) > 100:
            return "A share is at most 100 %."
        return ""
