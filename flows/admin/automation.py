"""What rules decided and what the team was told, in the admin: to read."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString

from flows.actions import REGISTRY
from flows.admin.forms import as_json, pill
from flows.models import Alert, Decision
from flows.reasons import explain
from portal.scoped_admin import ReadOnlyAdmin

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
