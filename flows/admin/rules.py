"""Rules in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from flows.actions import REGISTRY
from flows.admin.forms import pill
from flows.admin.rule_form import NAMES, RuleForm, shown_threshold
from flows.models import Rule
from flows.rules import METRICS
from portal.scoped_admin import ScopedModelAdmin

RATE_HINT = (
    "For “a source's quality”: compared after every recomputation, over the deliveries of the window. "
    "For “each feedback”: only the outcome counts."
)


class ActionFilter(admin.SimpleListFilter):
    """Rules by what they do, in words."""

    title = "action"
    parameter_name = "action"

    def lookups(self, request: Any, model_admin: Any) -> Any:
        return [(name, action.label) for name, action in REGISTRY.items()]

    def queryset(self, request: Any, queryset: Any) -> Any:
        return queryset.filter(action=self.value()) if self.value() else queryset


def shown_params(action: str, params: dict[str, Any]) -> str:
    """An action's parameters in words: "by 20 %, between 1 and 500 a day"."""
    if "list" in params:
        return f"“{params['list']}”"
    if action == "set_price_adjustment":
        return f"to ×\N{NO-BREAK SPACE}{params.get('value')}"
    if action == "step_cap":
        step = f"by {params.get('percentage')}\N{NO-BREAK SPACE}%"
        return f"{step}, between {params.get('min')} and {params.get('max')} a day"
    return f"“{params['message']}”" if params.get("message") else ""


@admin.register(Rule)
class RuleAdmin(ScopedModelAdmin[Rule]):
    """A condition with an action."""

    list_display = ("name", "flow", "state", "condition", "evidence", "deed")
    list_filter = ("flow", "enabled", ActionFilter)
    list_select_related = ("flow",)
    search_fields = ("name",)
    ordering = ("flow__name", "position", "pk")
    form = RuleForm
    fixed_after_add = ("flow",)
    fieldsets = (
        (None, {"fields": ("flow", "name", "enabled", "position")}),
        (
            "When",
            {
                "description": RATE_HINT,
                "fields": ("trigger", "outcome", "metric", "comparison", "threshold"),
            },
        ),
        (
            "How much evidence",
            {"fields": ("min_count", "window_days", "maturity_days", "cooldown_hours")},
        ),
        (
            "Then",
            {
                "description": "Only the parameters of the chosen action count.",
                "fields": ("action", *(f"param_{name}" for name in NAMES), "alert"),
            },
        ),
    )
    empty_hint = (
        "Rules act on feedback by themselves. A new flow brings the usual ones; here you add your own."
    )

    class Media:
        js = ("admin-rule.js",)

    @admin.display(description="When")
    def condition(self, rule: Rule) -> str:
        if rule.trigger == Rule.Trigger.FEEDBACK:
            return f"A lead comes back as {rule.outcome.replace('_', ' ')}"
        label = METRICS[rule.metric].label if rule.metric in METRICS else rule.metric
        return f"{label} {rule.get_comparison_display()} {shown_threshold(rule)}"

    @admin.display(description="Enough is")
    def evidence(self, rule: Rule) -> str:
        if rule.trigger == Rule.Trigger.FEEDBACK:
            return "Each one"
        return f"{rule.min_count:,} in {rule.window_days:,} days"

    @admin.display(description="State")
    def state(self, rule: Rule) -> SafeString:
        return pill("good", "On") if rule.enabled else pill("neutral", "Off")

    @admin.display(description="Then", ordering="action")
    def deed(self, rule: Rule) -> str:
        label = REGISTRY[rule.action].label if rule.action in REGISTRY else rule.action
        detail = shown_params(rule.action, rule.params or {})
        alert = ", and alert the team" if rule.alert else ""
        return f"{label}{f' {detail}' if detail else ''}{alert}"

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """After the flow's other rules."""
        return {"position": 100, **super().get_changeform_initial_data(request)}
