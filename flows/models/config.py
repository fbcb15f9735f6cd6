"""What a seller sets up: flows, their schema, who buys on them, and credentials."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.utils.timezone import now

from portal.access import Paths
from portal.ids import new_id
from portal.models import Buyer, Seller, validate_timezone

# ISO 4217 currencies offered, with their number of decimals.
CURRENCY_DECIMALS = {
    "AUD": 2,
    "BRL": 2,
    "CAD": 2,
    "CHF": 2,
    "EUR": 2,
    "GBP": 2,
    "INR": 2,
    "JPY": 0,
    "KWD": 3,
    "MXN": 2,
    "NZD": 2,
    "PLN": 2,
    "SEK": 2,
    "USD": 2,
}


def default_seller_paths(prefix: str) -> Paths:
    """Paths of a model that hangs off a flow and that buyers never see: ``prefix`` leads to the flow."""
    return Paths(seller=f"{prefix}__seller", buyer=None, flow=prefix)


class Flow(models.Model):
    """What is sold, and what feedback it takes."""

    access_paths: ClassVar = Paths(
        seller="seller",
        buyer=lambda buyer_id: Q(agreements__buyer=buyer_id),
        flow="pk",
    )
    public_id = models.CharField(
        "id", max_length=64, unique=True, default=partial(new_id, "flw"), editable=False
    )
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="flows")
    name = models.CharField(max_length=120)
    feedback_enabled = models.BooleanField(
        "takes feedback", default=True, help_text="Off: every feedback is refused with feedback_disabled."
    )
    update_window_days = models.PositiveIntegerField(
        "update window, days",
        default=90,
        validators=[MinValueValidator(1), MaxValueValidator(3650)],
        help_text="For how many days after delivery a buyer may send feedback.",
    )
    timezone = models.CharField(
        "time zone",
        max_length=64,
        default="America/New_York",
        validators=[validate_timezone],
        help_text="Days and caps are counted in it, and a time without an offset is read in it.",
    )
    currency = models.CharField(
        max_length=3,
        default="USD",
        choices=[(code, code) for code in CURRENCY_DECIMALS],
        help_text="Cannot change once leads have been delivered.",
    )
    country = models.CharField(
        max_length=2,
        default="US",
        validators=[RegexValidator(r"^[A-Z]{2}$", "Two capital letters, such as US.")],
        help_text="The country in which a phone number without a prefix is read.",
    )
    return_reasons = models.JSONField(
        "reasons for returns",
        default=list,
        db_default=models.Value([], models.JSONField()),
        blank=True,
        help_text="For which reasons a lead may be returned, one a line. Empty: the choices of the field "
        "“reason”, or else the usual ones.",
    )
    event_id_is_credential = models.BooleanField(
        "event ids serve as credentials",
        default=False,
        db_default=False,
        help_text="For /feedback?event_id=… of CRMs that can send no key: whoever knows a lead's id may "
        "send feedback on it.",
    )
    schema_version = models.PositiveIntegerField(
        default=1, editable=False, help_text="Goes up with every change of a field."
    )
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def decimals(self) -> int:
        """Decimals of the flow's currency: 2 for USD, 0 for JPY."""
        return CURRENCY_DECIMALS[self.currency]


class Field(models.Model):
    """One field that feedback on this flow may carry, and the lead field it maps onto."""

    class Kind(models.TextChoices):
        OUTCOME = "outcome", "Outcome"
        BOOLEAN = "boolean", "Yes or no"
        INTEGER = "integer", "Whole number"
        DECIMAL = "decimal", "Decimal number"
        MONEY = "money", "Money"
        DATE = "date", "Date"
        TIME = "time", "Date and time"
        CHOICE = "choice", "Choice"
        TEXT = "text", "Text"
        LIST = "list", "List of texts"
        OBJECT = "object", "Object"

    access_paths: ClassVar = default_seller_paths("flow")
    flow = models.ForeignKey(Flow, on_delete=models.CASCADE, related_name="fields")
    name = models.CharField(
        max_length=64,
        validators=[
            RegexValidator(r"^[a-z][a-z0-9_]*$", "Lower case letters, digits and _, beginning with a letter.")
        ],
        help_text="As buyers send it. A standard name (outcome, converted, quality_score, revenue, "
        "commission, feedback_timestamp, contacted_date, reason, notes, recommendations, issues, "
        "product_details) keeps its standard type.",
    )
    kind = models.CharField("type", max_length=10, choices=Kind.choices, default=Kind.TEXT)
    required = models.BooleanField(default=False)
    choices = models.JSONField(
        default=list,
        blank=True,
        help_text='For the type choice: a list of values, such as ["auto", "home"].',
    )
    help_text = models.CharField(max_length=255, blank=True)
    maps_to = models.CharField(
        "maps onto lead field",
        max_length=64,
        blank=True,
        validators=[RegexValidator(r"^[a-z][a-z0-9_]*$", "Lower case letters, digits and _.")],
        help_text="Under which name the lead keeps it; empty: the same name.",
    )
    position = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ("position", "pk")
        constraints = (models.UniqueConstraint(fields=["flow", "name"], name="field_name_per_flow"),)

    def __str__(self) -> str:
        return self.name


def fields_changed(flow: Flow) -> None:
    """Raise the flow's schema version: who compiled its schema must do it again."""
    flows = Flow.objects.filter(pk=flow.pk)
    flows.update(schema_version=F("schema_version") + 1)
    flow.schema_version = flows.values_list("schema_version", flat=True).get()


@receiver([post_save, post_delete], sender=Field)
def _field_changed(instance: Field, **signal: Any) -> None:
    """By signal, as the admin deletes fields through a query set, past ``Field.delete``."""
    fields_changed(instance.flow)


class ApiKey(models.Model):
    """A party's credential. The key itself is shown once; here stand its prefix and its HMAC."""

    access_paths: ClassVar = Paths(
        seller=lambda seller_id: Q(seller=seller_id) | Q(buyer__seller=seller_id), buyer="buyer"
    )
    name = models.CharField(max_length=80)
    seller = models.ForeignKey(
        Seller, on_delete=models.CASCADE, null=True, blank=True, related_name="api_keys"
    )
    buyer = models.ForeignKey(Buyer, on_delete=models.CASCADE, null=True, blank=True, related_name="api_keys")
    livemode = models.BooleanField(
        "live", default=True, help_text="A test key is answered in the same way and records nothing."
    )
    # Not read off an empty list: a key whose last flow is gone would open every other one.
    all_flows = models.BooleanField("opens every flow", default=True, editable=False)
    flows = models.ManyToManyField(
        Flow, blank=True, related_name="api_keys", help_text="None chosen: every flow of the party."
    )
    prefix = models.CharField(max_length=24, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)  # hex HMAC-SHA256 of the whole key
    created_at = models.DateTimeField(default=now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)  # to the minute
    replaced_by = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, editable=False, related_name="replaces"
    )

    class Meta:
        verbose_name = "API key"
        constraints = (
            models.CheckConstraint(
                name="api_key_of_one_party",
                condition=Q(seller__isnull=True, buyer__isnull=False)
                | Q(seller__isnull=False, buyer__isnull=True),
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class IdempotentRequest(models.Model):
    """A POST with an ``Idempotency-Key``: claimed, then answered; kept for 24 hours.

    ``status`` is empty while the request is being worked on. The answer is written in the
    transaction that records the work, so a claim without an answer has recorded nothing and may be
    taken over once its lease has run out.
    """

    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)  # SHA-256 of method, path, query and body
    claimed_at = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True)
    body = models.TextField(blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["api_key", "key"], name="idempotency_key_per_api_key"),
        )
        indexes = (models.Index(fields=["claimed_at"], name="idempotent_request_age"),)
