"""What leaves the house: where to, what, and how each try fared."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from django.db import models
from django.utils.timezone import now

from portal.access import Paths
from portal.ids import new_id
from portal.models import Seller


class Endpoint(models.Model):
    """Where a seller's systems hear what happened: a webhook (Standard Webhooks), or a Slack-style one."""

    class Kind(models.TextChoices):
        WEBHOOK = "webhook", "Webhook"
        SLACK = "slack", "Slack-style webhook"

    access_paths: ClassVar = Paths(seller="seller", buyer=None)
    public_id = models.CharField(
        "id", max_length=64, unique=True, default=partial(new_id, "whe"), editable=False
    )
    seller = models.ForeignKey(Seller, on_delete=models.CASCADE, related_name="endpoints")
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.WEBHOOK)
    name = models.CharField(max_length=80)
    url = models.URLField("address", max_length=500)
    events = models.JSONField(default=list, blank=True, help_text="None chosen: every type of event.")
    secret = models.CharField(max_length=300, editable=False)  # a salt: see flows/signing.py
    old_secret = models.CharField(max_length=300, blank=True, editable=False)  # while it is rotated
    old_secret_until = models.DateTimeField(null=True, blank=True, editable=False)
    enabled = models.BooleanField(default=True)
    failing_since = models.DateTimeField(null=True, blank=True, editable=False)
    disabled_at = models.DateTimeField(null=True, blank=True, editable=False)  # by us
    disabled_reason = models.CharField(max_length=255, blank=True, editable=False)
    created_at = models.DateTimeField(default=now, editable=False)

    def __str__(self) -> str:
        return self.name


class OutboxMessage(models.Model):
    """What must leave the house, written in the transaction of its cause and closed when it has left."""

    class Status(models.TextChoices):
        PENDING = "pending", "Waiting"
        DONE = "done", "Sent"
        DEAD = "dead", "Given up"

    access_paths: ClassVar = Paths(seller="seller", buyer=None)
    seller = models.ForeignKey(Seller, on_delete=models.CASCADE, related_name="outbox")
    kind = models.CharField(max_length=20)  # a name in the registry of flows/transports.py
    endpoint = models.ForeignKey(
        Endpoint, on_delete=models.CASCADE, null=True, blank=True, related_name="messages"
    )
    event = models.CharField(max_length=40, blank=True, db_default="")  # its type, such as feedback.recorded
    event_id = models.CharField(
        max_length=64, blank=True, db_default=""
    )  # webhook-id: the same at every attempt and replay
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
            models.Index(fields=["endpoint", "-created_at"], name="outbox_by_endpoint"),
        )

    def __str__(self) -> str:
        return f"{self.event or self.kind} {self.pk}"


class Attempt(models.Model):
    """One try at sending a message, and how it fared."""

    access_paths: ClassVar = Paths(seller="message__seller", buyer=None)
    message = models.ForeignKey(OutboxMessage, on_delete=models.CASCADE, related_name="tries")
    at = models.DateTimeField(default=now)
    ok = models.BooleanField()
    status_code = models.PositiveSmallIntegerField(null=True, blank=True)
    duration_ms = models.PositiveIntegerField(null=True, blank=True)
    detail = models.CharField(max_length=500, blank=True)  # the answer's beginning, or what went wrong

    class Meta:
        ordering = ("-at", "-pk")
        indexes = (models.Index(fields=["message", "-at"], name="attempt_by_message"),)
