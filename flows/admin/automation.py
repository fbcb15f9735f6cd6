"""What rules decided and what the team was told, in the admin: to read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from flows.actions import REGISTRY
from flows.admin.forms import as_json, pill
from flows.models import Alert, AlertSettings, Decision
from flows.reasons import explain
from portal.scoped_admin import ONE_BUTTON, ReadOnlyAdmin, ScopedModelAdmin

STATUS_TONES = {"applied": "good", "suggested": "info", "dismissed": "neutral", "undone": "warn"}
LEVEL_TONES = {"bad": "bad", "warn": "warn", "good": "good", "info": "info"}


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin[Decision]):
    """Firings of rules, with the numbers they were taken on. Undone from the decisions page."""

    list_display = ("decided_at", "rule_name", "source", "deed", "state", "why")
    list_filter = ("flow", "status", "source")
    list_select_related = ("flow", "source")
    search_fields = ("rule_name", "source__name")
    search_help_text = "Rule or source"
    ordering = ("-decided_at", "-pk")
    sortable_by = ()
    fieldsets = (
        (None, {"fields": ("decided_at", "flow", "source", "delivery", "rule_name", "why")}),
        ("What it did", {"fields": ("deed", "state", "given", "stood", "stands")}),
        ("Undone", {"fields": ("undone_at", "undone_by")}),
    )
    readonly_fields = ("deed", "state", "why", "given", "stood", "stands")
    empty_hint = "Each time a rule fires, its decision is written here with the numbers it was taken on."

    @admin.display(description="Action")
    def deed(self, row: Decision) -> str:
        return REGISTRY[row.action].label if row.action in REGISTRY else row.action

    @admin.display(description="Status")
    def state(self, row: Decision) -> SafeString:
        return pill(STATUS_TONES[row.status], row.get_status_display())

    @admin.display(description="Why")
    def why(self, row: Decision) -> str:
        return explain(row.numbers) if row.numbers else ""

    @admin.display(description="Parameters")
    def given(self, row: Decision) -> SafeString:
        return as_json(row.params)

    @admin.display(description="Before")
    def stood(self, row: Decision) -> SafeString:
        return as_json(row.before)

    @admin.display(description="After")
    def stands(self, row: Decision) -> SafeString:
        return as_json(row.after)


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin[Alert]):
    """What the team was told."""

    list_display = ("created_at", "state", "title", "flow", "source", "read_at")
    list_filter = ("level", "flow")
    list_select_related = ("flow", "source")
    search_fields = ("title",)
    ordering = ("-created_at", "-pk")
    sortable_by = ()
    fields = ("created_at", "state", "title", "body", "flow", "source", "decision", "read_at")
    readonly_fields = fields
    empty_hint = "Alerts come from rules with “alert the team”."

    @admin.display(description="Level")
    def state(self, row: Alert) -> SafeString:
        return pill(LEVEL_TONES[row.level], row.get_level_display())


@admin.register(AlertSettings)
class AlertSettingsAdmin(ScopedModelAdmin[AlertSettings]):
    """What the team gets by e-mail: one row a seller, which is there from the start."""

    may_add = may_delete = False
    list_select_related = ("seller",)
    list_display = ("__str__", "by_email", "email_level", "digest", "digest_hour")
    sortable_by = ()
    fieldsets = (
        (
            "E-mail",
            {
                "fields": ("by_email", "email_level"),
                "description": "Alerts always show in the app, and go to your webhooks as these are set up.",
            },
        ),
        ("Daily digest", {"fields": ("digest", "digest_hour", "clock")}),
    )
    readonly_fields = ("clock",)

    @admin.display(description="Your time zone")
    def clock(self, row: AlertSettings) -> str:
        return row.seller.timezone

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> Any:
        return super().change_view(request, object_id, form_url, {**ONE_BUTTON, **(extra_context or {})})
