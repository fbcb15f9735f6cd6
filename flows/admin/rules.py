"""Rules in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from flows.actions import REGISTRY
from flows.admin.rule_form import NAMES, RuleForm, shown_threshold
from flows.models import Rule
from flows.rules import METRICS
from portal.scoped_admin import ScopedModelAdmin

RATE_HINT = (
    "For “a source's quality”: compared after every recomputation, over the deliveries of the window. "
    "For “each feedback”: only the outcome counts."
)


@admin.register(Rule)
class RuleAdmin(ScopedModelAdmin[Rule]):
    """A condition with an action."""

    list_display = ("name", "flow", "enabled", "condition", "deed", "alert", "min_count", "window_days")
    list_filter = ("flow", "enabled", "action")
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
            return f"a lead comes back as {rule.outcome.replace('_', ' ')}"
        label = METRICS[rule.metric].label if rule.metric in METRICS else rule.metric
        return f"{label} {rule.get_comparison_display()} {shown_threshold(rule)}"

    @admin.display(description="Then", ordering="action")
    def deed(self, rule: Rule) -> str:
        label = REGISTRY[rule.action].label if rule.action in REGISTRY else rule.action
        params = ", ".join(f"{name} {value}" for name, value in (rule.params or {}).items())
        return f"{label} ({params})" if params else label

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """After the flow's other rules."""
        return {"position": 100, **super().get_changeform_initial_data(request)}
