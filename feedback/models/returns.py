"""Leads sent back: the request, what both sides say on it, the evidence, the ledger of what was credited."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.timezone import now

from feedback.models.events import Feedback
from flows.models import Delivery, Flow
from portal.access import Paths
from portal.append_only import AppendOnly
from portal.ids import new_id
from portal.models import Buyer, User


class ReturnRequest(models.Model):
    """A lead that its buyer wants to send back: requested, then withdrawn, rejected, or approved.

    Approved is credited at once; where another lead is to take its place, the replacement is owed until the
    seller has named that lead. The seller can take a decision back: then the request waits anew. What
    happened, and when, is told by its messages.
    """

    class Status(models.TextChoices):
        REQUESTED = "requested", "Waiting for a decision"
        CREDITED = "credited", "Credited"
        APPROVED = "approved", "Replacement owed"
        REPLACED = "replaced", "Replaced"
        REJECTED = "rejected", "Rejected"
        WITHDRAWN = "withdrawn", "Withdrawn"

    class Remedy(models.TextChoices):
        CREDIT = "credit", "Credit"
        REPLACEMENT = "replacement", "Another lead"

    GRANTED: ClassVar = (Status.CREDITED, Status.APPROVED, Status.REPLACED)
    COUNTED: ClassVar = (Status.REQUESTED, *GRANTED)  # against the cap

    access_paths: ClassVar = Paths(seller="flow__seller", buyer="buyer", flow="flow")
    public_id = models.CharField("id", max_length=64, unique=True, default=partial(new_id, "ret"))
    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="returns")
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="returns")
    buyer = models.ForeignKey(Buyer, on_delete=models.PROTECT, related_name="returns")
    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    reason = models.CharField(max_length=255)
    note = models.TextField(blank=True)
    wanted = models.CharField(max_length=12, choices=Remedy.choices, default=Remedy.CREDIT)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.REQUESTED)
    requested_at = models.DateTimeField(default=now)
    due_at = models.DateTimeField()  # by when the seller answers
    buyers_turn = models.BooleanField(default=False)  # the seller wrote last, and has not decided
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    by_rule = models.BooleanField(default=False)  # approved at once, as the agreement has it
    # What the approval recorded on the lead; none where it stood as returned already.
    feedback = models.OneToOneField(
        Feedback, on_delete=models.PROTECT, null=True, blank=True, related_name="return_request"
    )
    replacement = models.ForeignKey(
        Delivery, on_delete=models.PROTECT, null=True, blank=True, related_name="replaces"
    )
    version = models.PositiveIntegerField(default=1)  # goes up with everything that happens to it

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["delivery"], name="one_return_per_delivery", condition=~Q(status="withdrawn")
            ),
            models.UniqueConstraint(
                fields=["replacement"], name="replaces_one_lead", condition=Q(replacement__isnull=False)
            ),
        )
        indexes = (
            models.Index(fields=["flow", "status", "due_at"], name="return_queue"),
            models.Index(fields=["buyer", "-requested_at"], name="return_by_buyer"),
        )

    def __str__(self) -> str:
        return self.public_id

    @property
    def is_open(self) -> bool:
        return self.status == self.Status.REQUESTED

    @property
    def is_granted(self) -> bool:
        return self.status in self.GRANTED


class ReturnMessage(AppendOnly):
    """What was said or done on a return, by whom: both sides read it."""

    class Act(models.TextChoices):
        SAID = "said", "wrote"
        REQUESTED = "requested", "asked for credit"
        WITHDREW = "withdrew", "withdrew the request"
        CREDITED = "credited", "approved it: credited"
        PROMISED = "promised", "approved it: another lead takes its place"
        REPLACED = "replaced", "named the lead that takes its place"
        REJECTED = "rejected", "rejected it"
        REOPENED = "reopened", "took the decision back"

    class Side(models.TextChoices):
        BUYER = "buyer", "Buyer"
        SELLER = "seller", "Seller"
        RULE = "rule", "The agreement"

    access_paths: ClassVar = Paths(seller="request__flow__seller", buyer="request__buyer")
    refusal = "ReturnMessage is append-only: write a new row."
    request = models.ForeignKey(ReturnRequest, on_delete=models.PROTECT, related_name="messages")
    act = models.CharField(max_length=10, choices=Act.choices, default=Act.SAID)
    side = models.CharField(max_length=6, choices=Side.choices)
    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    body = models.TextField(blank=True)
    created_at = models.DateTimeField(default=now)


class ReturnEvidence(models.Model):
    """A file that came with a message. Its kind was read off its bytes; it leaves only as a download."""

    access_paths: ClassVar = Paths(seller="message__request__flow__seller", buyer="message__request__buyer")
    public_id = models.CharField("id", max_length=64, unique=True, default=partial(new_id, "evd"))
    message = models.ForeignKey(ReturnMessage, on_delete=models.PROTECT, related_name="evidence")
    name = models.CharField(max_length=120)  # for the download: its ending fits its kind
    kind = models.CharField(max_length=8)  # a name in feedback/returns/sniff.py
    size = models.PositiveIntegerField()  # bytes
    file = models.FileField(upload_to="returns/%Y/%m")

    def __str__(self) -> str:
        return self.name


class Credit(AppendOnly):
    """One entry of the ledger. What stands credited is the sum of the amounts, per currency."""

    class Kind(models.TextChoices):
        CREDIT = "credit", "Credit"
        REPLACEMENT = "replacement", "Replacement promised"
        REVERSAL = "reversal", "Taken back"

    access_paths: ClassVar = Paths(seller="flow__seller", buyer="buyer", flow="flow")
    refusal = "Credit is append-only: write a new row."
    public_id = models.CharField("id", max_length=64, unique=True, default=partial(new_id, "crd"))
    request = models.ForeignKey(ReturnRequest, on_delete=models.PROTECT, related_name="credits")
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="+")
    buyer = models.ForeignKey(Buyer, on_delete=models.PROTECT, related_name="credits")
    kind = models.CharField(max_length=11, choices=Kind.choices)
    amount = models.DecimalField(max_digits=12, decimal_places=3)  # below zero where it takes one back
    currency = models.CharField(max_length=3)
    reverses = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="reversal"
    )
    # Which act it belongs to, and so whose. (A person of its own would have to be updated when they leave.)
    message = models.OneToOneField(ReturnMessage, on_delete=models.PROTECT, related_name="credit")
    created_at = models.DateTimeField(default=now)
    booked_on = models.DateField()  # the day in the flow's time zone: both sides sum the same months

    class Meta:
        constraints = (
            models.CheckConstraint(
                name="credit_amount_fits_its_kind",
                condition=Q(kind="credit", amount__gte=0, reverses__isnull=True)
                | Q(kind="replacement", amount=0, reverses__isnull=True)
                | Q(kind="reversal", amount__lte=0, reverses__isnull=False),
            ),
        )
        indexes = (
            models.Index(F("buyer"), F("booked_on").desc(), F("id").desc(), name="credit_by_buyer"),
            models.Index(F("flow"), F("booked_on").desc(), F("id").desc(), name="credit_by_flow"),
        )

    def __str__(self) -> str:
        return self.public_id
