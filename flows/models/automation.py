"""Rules, what they decided, and what leaves the house because of it."""

from __future__ import annotations

from typing import ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.timezone import now

from flows.models.config import Flow, default_seller_paths
from flows.models.supply import Delivery, Source
from portal.access import Paths
from portal.models import Seller


class Rule(models.Model):
    """A condition with an action.

    Trigger ``quality``: after a source's cells were recomputed, compare ``metric`` over the window
    with the threshold. Trigger ``feedback``: look at each delivery whose state changed; fires when
    its outcome is ``outcome``.
    """

    class Trigger(models.TextChoices):
        QUALITY = "quality", "A source's quality"
        FEEDBACK = "feedback", "Each feedback"

    class Comparison(models.TextChoices):
        BELOW = "below", "is below"
        ABOVE = "above", "is above"

    access_paths: ClassVar = default_seller_paths("flow")
    flow = models.ForeignKey(Flow, on_delete=models.CASCADE, related_name="rules")
    name = models.CharField(max_length=120)
    enabled = models.BooleanField(default=True)
    trigger = models.CharField(max_length=10, choices=Trigger.choices, default=Trigger.QUALITY)
    outcome = models.CharField(
        max_length=16, blank=True, help_text="For “each feedback”: which outcome fires it."
    )
    metric = models.CharField(max_length=32, blank=True)  # a name in flows/rules.py METRICS
    comparison = models.CharField(max_length=5, choices=Comparison.choices, blank=True)
    threshold = models.DecimalField(max_digits=8, decimal_places=4, null=True, blank=True)
    window_days = models.PositiveIntegerField("window, days", default=30)
    maturity_days = models.PositiveIntegerField(
        "maturity, days", default=0, help_text="Deliveries younger than this are not counted yet."
    )
    min_count = models.PositiveIntegerField("minimum count", default=30)
    cooldown_hours = models.PositiveIntegerField(
        "cool-down, hours", default=24, help_text="Least time between two decisions on one source."
    )
    action = models.CharField(max_length=32)  # a name in the registry of flows/actions
    params = models.JSONField(default=dict, blank=True)
    alert = models.BooleanField("alert the team", default=False)
    position = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=500, blank=True, editable=False)  # why it cannot be evaluated, if so
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ("position", "pk")

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse a rule that could not be carried out."""
        from flows.actions import faults_of  # the actions stand above the models

        if faults := faults_of(self):
            raise ValidationError(faults)


class Decision(models.Model):
    """One firing of a rule: the numbers it was taken on, what stood before and after, and its undo."""

    class Status(models.TextChoices):
        APPLIED = "applied", "Applied"
        UNDONE = "undone", "Undone"

    access_paths: ClassVar = Paths(seller="flow__seller", buyer=None, flow="flow")
    flow = models.ForeignKey(Flow, on_delete=models.CASCADE, related_name="decisions")
    rule = models.ForeignKey(Rule, on_delete=models.SET_NULL, null=True, related_name="decisions")
    rule_name = models.CharField(max_length=120)  # as it was called then
    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="decisions")
    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, null=True, related_name="decisions")
    evaluation = models.CharField(max_length=64)  # which look this was: unique per rule and source
    action = models.CharField(max_length=32)
    params = models.JSONField(default=dict)
    numbers = models.JSONField(default=dict)  # value, count, low, high, threshold, window, metric …
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.APPLIED)
    decided_at = models.DateTimeField(default=now)
    undone_at = models.DateTimeField(null=True, blank=True)
    undone_by = models.ForeignKey("portal.User", on_delete=models.SET_NULL, null=True, blank=True)

    class Meta:
        ordering = ("-decided_at", "-pk")
        constraints = (
            models.UniqueConstraint(
                fields=["rule", "source", "evaluation"], name="decision_per_rule_source_evaluation"
            ),
        )
        indexes = (models.Index(fields=["flow", "-decided_at"], name="decision_by_flow"),)

    def __str__(self) -> str:
        return f"{self.rule_name}: {self.source}"


class SuppressionList(models.Model):
    """Normalised values that are not to be bought again."""

    access_paths: ClassVar = Paths(seller="seller", buyer=None)
    seller = models.ForeignKey(Seller, on_delete=models.CASCADE, related_name="suppression_lists")
    name = models.CharField(max_length=80)
    slug = models.SlugField("URL name", max_length=80)
    country = models.CharField(
        max_length=2, default="US", help_text="In which a phone number without a prefix is read."
    )
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["seller", "slug"], name="suppression_list_slug_per_seller"),
        )

    def __str__(self) -> str:
        return self.name


class SuppressionEntry(models.Model):
    """One value on a list: an e-mail, a phone number in E.164, or a source."""

    class Kind(models.TextChoices):
        EMAIL = "email", "E-mail"
        PHONE = "phone", "Phone"
        SOURCE = "source", "Source"

    access_paths: ClassVar = Paths(seller="list__seller", buyer=None)
    list = models.ForeignKey(SuppressionList, on_delete=models.CASCADE, related_name="entries")
    kind = models.CharField(max_length=6, choices=Kind.choices)
    value = models.CharField(max_length=254)  # normalised; a source as "<flow id>/<source slug>"
    reason = models.CharField(max_length=255, blank=True)
    decision = models.ForeignKey(
        Decision, on_delete=models.SET_NULL, null=True, blank=True, related_name="suppression_entries"
    )
    added_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        verbose_name_plural = "suppression entries"
        constraints = (models.UniqueConstraint(fields=["list", "kind", "value"], name="value_once_per_list"),)
        indexes = (models.Index(fields=["kind", "value"], name="suppression_by_value"),)

    def __str__(self) -> str:
        return self.value


class Alert(models.Model):
    """What the seller's team should know, in the app; the e-mail goes through the outbox."""

    class Level(models.TextChoices):
        BAD = "bad", "Problem"
        WARN = "warn", "Warning"
        GOOD = "good", "Good news"
        INFO = "info", "Note"

    access_paths: ClassVar = Paths(seller="seller", buyer=None)
    seller = models.ForeignKey(Seller, on_delete=models.CASCADE, related_name="alerts")
    flow = models.ForeignKey(Flow, on_delete=models.CASCADE, null=True, blank=True)
    source = models.ForeignKey(Source, on_delete=models.CASCADE, null=True, blank=True)
    decision = models.OneToOneField(Decision, on_delete=models.CASCADE, null=True, blank=True)
    level = models.CharField(max_length=4, choices=Level.choices)
    title = models.CharField(max_length=160)
    body = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=now)
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at", "-pk")
        indexes = (
            models.Index(fields=["seller", "-created_at"], name="alert_by_seller"),
            models.Index(fields=["seller"], name="alert_unread", condition=models.Q(read_at=None)),
        )

    def __str__(self) -> str:
        return self.title


class OutboxMessage(models.Model):
    """What must leave the house, written in the transaction of its cause and closed when it has left."""

    class Status(models.TextChoices):
        PENDING = "pending", "Waiting"
        DONE = "done", "Sent"
        DEAD = "dead", "Given up"

    access_paths: ClassVar = Paths(seller="seller", buyer=None)
    seller = models.ForeignKey(Seller, on_delete=models.CASCADE, related_name="outbox")
    kind = models.CharField(max_length=20)  # a name in the registry of flows/transports.py
    payload = models.JSONField()
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(default=now)
    last_error = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=now)
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = (
            models.Index(
                fields=["next_attempt_at"], name="outbox_waiting", condition=models.Q(status="pending")
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"
