"""What left the house and what did not, in the admin: each attempt in its log, and sending again."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

from flows.admin.forms import as_json, pill
from flows.models import Attempt, OutboxMessage
from flows.outbox import send_again
from portal.object_actions import ObjectAction
from portal.scoped_admin import ReadOnlyAdmin, actor_of_request
from portal.scoped_inlines import ReadOnlyInline

TONES = {"pending": "info", "done": "good", "dead": "bad"}
Status = OutboxMessage.Status


class AttemptInline(ReadOnlyInline[Attempt]):
    """Each try, the latest first."""

    model = Attempt
    fields = ("at", "answer", "took", "detail")
    readonly_fields = fields
    verbose_name_plural = "Attempts"

    @admin.display(description="Answer")
    def answer(self, row: Attempt) -> SafeString:
        words = str(row.status_code) if row.status_code else "Sent" if row.ok else "No answer"
        return pill("good" if row.ok else "bad", words)

    @admin.display(description="Took")
    def took(self, row: Attempt) -> str:
        return "–" if row.duration_ms is None else f"{row.duration_ms:,} ms"


def _send_again(request: HttpRequest, message: OutboxMessage, answers: dict[str, Any]) -> str:
    send_again(OutboxMessage.objects.filter(pk=message.pk), now=timezone.now())
    return "It is sent again within seconds, with the id and the content that it had."


def may_be_sent_again(message: OutboxMessage) -> bool:
    """What was given up; and what went to an endpoint, which knows by the id what it has had already."""
    return message.status == Status.DEAD or (message.status == Status.DONE and bool(message.endpoint_id))


@admin.register(OutboxMessage)
class OutboxMessageAdmin(ReadOnlyAdmin[OutboxMessage]):
    """What is to leave the house, and how it fared."""

    list_display = ("created_at", "what", "endpoint", "state", "attempts", "next_shown", "last_error")
    list_filter = ("status", "endpoint", "kind")
    list_select_related = ("endpoint",)
    ordering = ("-pk",)
    sortable_by = ()
    fields = (
        "created_at",
        "what",
        "event_id",
        "endpoint",
        "state",
        "attempts",
        "next_shown",
        "done_at",
        "last_error",
        "content",
    )
    readonly_fields = fields
    inlines = (AttemptInline,)
    empty_hint = (
        "E-mails and webhooks wait here until they have left the house. What could not be sent stays."
    )
    object_actions = (
        ObjectAction(
            "again",
            "Send again",
            "It goes out anew with the id and the content that it had, so that a receiver who has it "
            "already can tell.",
            _send_again,
            may_be_sent_again,
        ),
    )

    def may_act(self, request: HttpRequest, row: Any) -> bool:
        return actor_of_request(request).may_configure

    @admin.display(description="What")
    def what(self, row: OutboxMessage) -> str:
        return row.event or row.kind

    @admin.display(description="Status")
    def state(self, row: OutboxMessage) -> SafeString:
        return pill(TONES[row.status], row.get_status_display())

    @admin.display(description="Next attempt")
    def next_shown(self, row: OutboxMessage) -> str:
        waits = row.status == Status.PENDING
        return date_format(localtime(row.next_attempt_at), "DATETIME_FORMAT") if waits else "–"

    @admin.display(description="Content")
    def content(self, row: OutboxMessage) -> SafeString:
        return as_json(json.loads(row.payload["body"]) if row.endpoint_id else row.payload)
