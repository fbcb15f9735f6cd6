"""Rules in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString

from flows import rule_changes
from flows.actions import OFFERED
from flows.admin.forms import pill
from flows.admin.rule_form import NAMES, RuleForm, shown_threshold
from flows.admin.rule_trial import TriedRules
from flows.models import Decision, Rule
from flows.rules import METRICS
from portal.scoped_admin import actor_of_request

WHEN = (
    "“A source's quality” is looked at after every feedback, and once a day. “Each feedback” fires on every "
    "lead that comes back with the outcome."
)
WHERE = "For “each feedback” only the buyers to leave out count."
HOW_SURE = (
    "For “a source's quality”. Conversions take time: with a maturity, younger deliveries are not "
    "counted yet."
)
WHAT = "Only the parameters of the chosen action count."


class ActionFilter(admin.SimpleListFilter):
    """Rules by what they do, in words."""

    title = "action"
    parameter_name = "action"

    def lookups(self, request: Any, model_admin: Any) -> Any:
        return [(name, action.label) for name, action in OFFERED.items()]

    def queryset(self, request: Any, queryset: Any) -> Any:
        return queryset.filter(action=self.value()) if self.value() else queryset


def shown_params(action: str, params: dict[str, Any]) -> str:
    """An action's parameters in words: "by 20 %, between 1 and 500 a day"."""
    if "list" in params:
        days = params.get("expires_days")
        return f"“{params['list']}”" + (f", for {days:,} days" if days else "")
    if "amount" in params:
        return f"of {params['amount']}"
    if action == "set_price_adjustment":
        return f"to ×\N{NO-BREAK SPACE}{params.get('value')}"
    if action == "step_cap":
        step = f"by {params.get('percentage')}\N{NO-BREAK SPACE}%".replace("-", "−")
        return f"{step}, between {params.get('min')} and {params.get('max')} a day"
    return f"“{params['message']}”" if params.get("message") else ""


@admin.register(Rule)
class RuleAdmin(TriedRules):
    """A condition with an action."""

    list_display = ("name", "flow", "state", "condition", "where", "sureness", "deed", "last_fired")
    list_filter = ("flow", "enabled", "mode", "scope", ActionFilter)
    list_select_related = ("flow",)
    search_fields = ("name",)
    ordering = ("flow__name", "position", "pk")
    form = RuleForm
    change_form_template = "admin/flows/rule/change_form.html"
    fixed_after_add = ("flow",)
    fieldsets = (
        (None, {"fields": ("flow", "name", "enabled", "position", "fault")}),
        (
            "When",
            {"description": WHEN, "fields": ("trigger", "outcome", "metric", "comparison", "threshold")},
        ),
        ("Where", {"description": WHERE, "fields": ("scope", "excluded_buyers", "equal_buyers")}),
        (
            "How sure",
            {
                "description": HOW_SURE,
                "fields": ("evidence", "min_count", "window_days", "maturity_days"),
            },
        ),
        (
            "What",
            {
                "description": WHAT,
                "fields": ("action", *(f"param_{name}" for name in NAMES), "mode", "alert"),
            },
        ),
        ("Afterwards", {"fields": ("cooldown_hours", "on_clear", "hysteresis")}),
    )
    readonly_fields = ("fault",)
    empty_hint = (
        "Rules act on feedback by themselves. A new flow brings the usual ones; here you add your own. "
        "A flow's page offers the rules of the usual patterns."
    )

    class Media:
        js = ("admin-rule.js",)

    @admin.display(description="When")
    def condition(self, rule: Rule) -> str:
        if rule.trigger == Rule.Trigger.FEEDBACK:
            return f"A lead comes back as {rule.outcome.replace('_', ' ')}"
        label = METRICS[rule.metric].label if rule.metric in METRICS else rule.metric
        return f"{label} {rule.get_comparison_display()} {shown_threshold(rule)}"

    @admin.display(description="Where", ordering="scope")
    def where(self, rule: Rule) -> str:
        left_out = ", ".join(sorted(buyer.name for buyer in rule.excluded_buyers.all()))
        feedback = rule.trigger == Rule.Trigger.FEEDBACK
        whole = "Each lead" if feedback else rule.get_scope_display()
        return f"{whole}{f', without {left_out}' if left_out else ''}"

    @admin.display(description="Enough is", ordering="evidence")
    def sureness(self, rule: Rule) -> str:
        if rule.trigger == Rule.Trigger.FEEDBACK:
            return "Each one"
        test = ", and certain" if rule.evidence == Rule.Evidence.CONFIDENT else ""
        return f"{rule.min_count:,} in {rule.window_days:,} days{test}"

    @admin.display(description="State", ordering="enabled")
    def state(self, rule: Rule) -> SafeString:
        if not rule.enabled:
            return pill("neutral", "Off")
        if rule.error:
            return pill("bad", "Fails")
        return pill("info", "Suggests") if rule.mode == Rule.Mode.SUGGEST else pill("good", "Acts")

    @admin.display(description="Fails", empty_value="–")
    def fault(self, rule: Rule) -> str:
        return rule.error

    @admin.display(description="Last fired", ordering="fired_at", empty_value="never")
    def last_fired(self, rule: Any) -> Any:
        return rule.fired_at

    @admin.display(description="Then", ordering="action")
    def deed(self, rule: Rule) -> str:
        label = OFFERED[rule.action].label if rule.action in OFFERED else rule.action
        detail = shown_params(rule.action, rule.params or {})
        alert = ", and alert the team" if rule.alert else ""
        back = "; reversed when it clears" if rule.on_clear == Rule.OnClear.REVERSE else ""
        return f"{label}{f' {detail}' if detail else ''}{alert}{back}"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rule]:
        latest = Decision.objects.filter(rule=OuterRef("pk"), reverses=None).order_by("-decided_at")
        fired_at = Subquery(latest.values("decided_at")[:1])
        rows = super().get_queryset(request).annotate(fired_at=fired_at)
        return rows.prefetch_related("excluded_buyers")

    def buttons(self, request: HttpRequest, row: Any) -> list[dict[str, Any]]:
        """What needs events lies above this app, so it is linked by its name; it is a page of the portal."""
        if not actor_of_request(request).is_seller:
            return super().buttons(request, row)
        trial = {"label": "Try on history", "url": reverse("rule-backtest", args=(row.pk,)), "severe": False}
        return [trial, *super().buttons(request, row)]

    def save_model(self, request: HttpRequest, obj: Rule, form: Any, change: bool) -> None:
        if change:
            rule_changes.hold_still(obj)
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Once the buyers to leave out are saved too."""
        super().save_related(request, form, formsets, change)
        if change:
            rule_changes.settle(form.instance)

    def delete_model(self, request: HttpRequest, obj: Rule) -> None:
        rule_changes.end(obj)
        super().delete_model(request, obj)

    @transaction.atomic
    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Rule]) -> None:
        rules = list(queryset.select_related("flow"))
        rule_changes.hold_still(*rules)
        for rule in rules:
            rule_changes.end(rule)
        super().delete_queryset(request, queryset)

    def get_fieldsets(self, request: HttpRequest, obj: Rule | None = None) -> Any:
        """Why a rule fails is told where it does."""
        sets = super().get_fieldsets(request, obj)
        if obj and obj.error:
            return sets
        (head, main), *others = sets
        fields = tuple(name for name in main["fields"] if name != "fault")
        return [(head, {**main, "fields": fields}), *others]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """After the flow's other rules."""
        return {"position": 100, **super().get_changeform_initial_data(request)}
