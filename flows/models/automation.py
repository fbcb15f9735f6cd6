"""Rules, what they decided, and what leaves the house because of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.utils.timezone import now

from flows.models.config import Flow, default_seller_paths
from flows.models.supply import Delivery, Source
from portal.access import Paths
from portal.models import Buyer, Seller


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

    class Scope(models.TextChoices):
        SOURCE = "source", "Each source"
        SOURCE_BUYER = "source_buyer", "Each source with each buyer"

    class Evidence(models.TextChoices):
        POINT = "point", "The bare number"
        CONFIDENT = "confident", "Only when it is certain enough"

    class Mode(models.TextChoices):
        ACT = "act", "Act"
        SUGGEST = "suggest", "Suggest: a person decides"

    class OnClear(models.TextChoices):
        NOTHING = "nothing", "Leave it as it is"
        REVERSE = "reverse", "Reverse the action"

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
    scope = models.CharField(
        max_length=12, choices=Scope.choices, default=Scope.SOURCE, db_default=Scope.SOURCE
    )
    evidence = models.CharField(
        max_length=10, choices=Evidence.choices, default=Evidence.POINT, db_default=Evidence.POINT
    )
    excluded_buyers = models.ManyToManyField(
        Buyer, blank=True, related_name="+", help_text="Whose feedback the rule does not count."
    )
    equal_buyers = models.BooleanField(
        "weigh buyers equally",
        default=False,
        db_default=False,
        help_text="The mean over buyers, however much each bought.",
    )
    mode = models.CharField(max_length=8, choices=Mode.choices, default=Mode.ACT, db_default=Mode.ACT)
    on_clear = models.CharField(
        "when it clears",
        max_length=8,
        choices=OnClear.choices,
        default=OnClear.NOTHING,
        db_default=OnClear.NOTHING,
    )
    hysteresis = models.DecimalField(
        max_digits=5,
        decimal_places=4,
        default=Decimal("0.1"),
        db_default=Decimal("0.1"),
        help_text="By which share of the threshold the number must be better before it counts as cleared.",
    )
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
        SUGGESTED = "suggested", "Suggested"
        DISMISSED = "dismissed", "Dismissed"
        APPLIED = "applied", "Applied"
        UNDONE = "undone", "Undone"

    access_paths: ClassVar = Paths(seller="flow__seller", buyer=None, flow="flow")
    flow = models.ForeignKey(Flow, on_delete=models.CASCADE, related_name="decisions")
    rule = models.ForeignKey(Rule, on_delete=models.SET_NULL, null=True, related_name="decisions")
    rule_name = models.CharField(max_length=120)  # as it was called then
    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="decisions")
    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, null=True, related_name="decisions")
    buyer = models.ForeignKey(  # where the rule looks at a source with each buyer
        Buyer, on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    # The decision whose action this one reversed, once its condition had cleared.
    reverses = models.OneToOneField(
        "self", on_delete=models.CASCADE, null=True, blank=True, related_name="reversed_by"
    )
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
    # Of a suggestion: who approved or dismissed it, and when.
    answered_at = models.DateTimeField(null=True, blank=True)
    answered_by = models.ForeignKey(
        "portal.User", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

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

    class Origin(models.TextChoices):
        PERSON = "person", "Entered by hand"
        RULE = "rule", "A rule"
        FILE = "file", "A file"
        API = "api", "The API"

    access_paths: ClassVar = Paths(seller="list__seller", buyer=None)
    list = models.ForeignKey(SuppressionList, on_delete=models.CASCADE, related_name="entries")
    kind = models.CharField(max_length=6, choices=Kind.choices)
    value = models.CharField(max_length=254)  # normalised; a source as "<flow id>/<source slug>"
    reason = models.CharField(max_length=255, blank=True)
    origin = models.CharField(
        "where from",
        max_length=10,
        choices=Origin.choices,
        default=Origin.PERSON,
        db_default=Origin.PERSON,
        editable=False,
    )
    decision = models.ForeignKey(
        Decision, on_delete=models.SET_NULL, null=True, blank=True, related_name="suppression_entries"
    )
    added_at = models.DateTimeField(default=now, editable=False)
    expires_at = models.DateTimeField(
        null=True, blank=True, help_text="From then on the value may be bought again. Empty: never."
    )

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
    # While a condition lasts it has one alert, told by this key; "" where there is no lasting condition.
    condition = models.CharField(max_length=160, blank=True, db_default="")
    resolved_at = models.DateTimeField(null=True, blank=True)
    # The alert whose condition has cleared, of one that tells just this: it is told once.
    resolves = models.OneToOneField(
        "self", on_delete=models.CASCADE, null=True, blank=True, related_name="resolution"
    )
    # To be told by e-mail with the others of its day (flows/digest.py).
    awaits_digest = models.BooleanField(default=False, db_default=False, editable=False)
    title = models.CharField(max_length=160)
    body = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=now)
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at", "-pk")
        indexes = (
            models.Index(fields=["seller", "-created_at"], name="alert_by_seller"),
            models.Index(fields=["seller"], name="alert_unread", condition=models.Q(read_at=None)),
            models.Index(
                fields=["seller"], name="alert_awaits_digest", condition=models.Q(awaits_digest=True)
            ),
        )
        constraints = (
            models.UniqueConstraint(
                fields=["seller", "condition"],
                name="one_open_alert_per_condition",
                condition=~models.Q(condition="") & models.Q(resolved_at=None),
            ),
        )

    def __str__(self) -> str:
        return self.title

    @property
    def lasts(self) -> bool:
        """Whether it tells of a condition that has not cleared yet."""
        return bool(self.condition) and self.resolved_at is None


class AlertSettings(models.Model):
    """What a seller's people get by e-mail. Without a row: every alert, as it comes."""

    class Least(models.TextChoices):
        """From which level on: see ``flows/channels.py``."""

        ALL = "all", "Every alert"
        WARN = "warn", "Warnings and problems"
        BAD = "bad", "Problems only"

    access_paths: ClassVar = Paths(seller="seller", buyer=None)
    seller = models.OneToOneField(Seller, on_delete=models.CASCADE, related_name="alert_settings")
    by_email = models.BooleanField(
        "by e-mail",
        default=True,
        db_default=True,
        help_text="To everybody who works for you. Off: alerts show in the app, and go to your webhooks.",
    )
    email_level = models.CharField(
        "which alerts",
        max_length=4,
        choices=Least.choices,
        default=Least.ALL,
        db_default=Least.ALL,
        help_text="That a condition has cleared is told to whoever was told of the condition.",
    )
    digest = models.BooleanField(
        "once a day",
        default=False,
        db_default=False,
        help_text="One e-mail a day instead of one for each alert, and none on a day without news. "
        "Problems come at once all the same.",
    )
    digest_hour = models.PositiveSmallIntegerField(
        "at",
        choices=[(hour, f"{hour:02}:00") for hour in range(24)],
        default=8,
        db_default=8,
        help_text="In your company's time zone.",
    )
    digest_sent_on = models.DateField(null=True, blank=True, editable=False)  # in that zone: once a day

    class Meta:
        verbose_name = verbose_name_plural = "alert settings"

    def __str__(self) -> str:
        return f"Alert settings of {self.seller}"


@receiver(post_save, sender=Seller)
def _new_seller(instance: Seller, *, created: bool, raw: bool = False, **signal: Any) -> None:
    """Each seller has a row to edit from the start."""
    if created and not raw:
        AlertSettings.objects.create(seller=instance)


class Bonus(models.Model):
    """What a rule granted for quality, of a source or of a lead. A bonus is voided, never deleted."""

    access_paths: ClassVar = default_seller_paths("flow")
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="bonuses")
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="bonuses")
    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    decision = models.OneToOneField(Decision, on_delete=models.PROTECT, related_name="bonus")
    amount = models.DecimalField(max_digits=12, decimal_places=3)  # in the flow's currency
    granted_at = models.DateTimeField(default=now)
    voided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "bonuses"
        ordering = ("-granted_at", "-pk")
