"""Flows and agreements in the admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from flows.admin.fields import FieldInline
from flows.admin.forms import LinesField, code
from flows.examples import curl, endpoint, example_body
from flows.field_rules import choice_fault
from flows.models import Agreement, Delivery, Field, Flow
from flows.presets import set_up_flow
from flows.returns import USUAL_REASONS, reasons_of
from flows.rule_sets import PATTERNS, add_rules
from flows.setup_steps import steps
from portal.account_admin import only_operators
from portal.admin import BuyerAdmin
from portal.capped import CappedCount, capped
from portal.object_actions import ObjectAction
from portal.scoped_admin import ScopedForm, ScopedModelAdmin, change_url
from portal.scoped_inlines import ScopedTabularInline

PRESET_CHOICES = (
    ("simple_status", "Simple status: did it convert?"),
    ("quality_focus", "Quality focus: score, issues, recommendations"),
    ("full_revenue", "Full revenue: outcome, revenue, commission, quality"),
    ("insurance", "Insurance: full revenue and the policy"),
    ("solar", "Solar: full revenue and the appointment"),
    ("mortgage", "Mortgage: full revenue and the loan"),
)


RETURN_REASONS = (
    "For which reasons a lead may be returned, one a line. Empty: the choices of the field “reason”, or else "
    f"{', '.join(USUAL_REASONS)}."
)


AUTO_REASONS = Agreement._meta.get_field("return_auto_reasons").help_text + " One a line."


class AgreementForm(ScopedForm[Agreement]):
    """Who buys stays as it was when the row was added; another buyer is another agreement."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("buyer", "flow"):
            if self.instance.pk and name in self.fields:
                self.fields[name].disabled = True


class AgreementPageForm(AgreementForm):
    """An agreement on a page of its own, with what may be returned."""

    return_auto_reasons = LinesField(label="Approved at once for", help_text=AUTO_REASONS)

    def clean_return_auto_reasons(self) -> list[str]:
        """Reasons of the flow alone: any other would never come."""
        named: list[str] = self.cleaned_data["return_auto_reasons"]
        flow = self.cleaned_data.get("flow") or (self.instance.flow if self.instance.flow_id else None)
        known = reasons_of(flow) if named and flow else ()
        if flow and (strangers := [each for each in named if each not in known]):
            raise forms.ValidationError(
                f"“{strangers[0]}” is no reason of this flow. Its reasons are: {', '.join(known)}."
            )
        return named


class AgreementInline(ScopedTabularInline[Agreement]):
    """Who buys on the flow, or on which flows a buyer buys."""

    model = Agreement
    form = AgreementForm
    may_delete = False
    show_change_link = True  # to what may be returned
    fields = ("flow", "buyer", "is_active", "shows_source", "shows_price", "shows_contact", "schedule")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Agreement]:
        return super().get_queryset(request).select_related("flow", "buyer")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        parent = self.parent_model._meta.model_name
        return [name for name in super().get_fields(request, obj) if name != parent]


class FlowForm(ScopedForm[Flow]):
    """A new flow starts from a preset."""

    preset = forms.ChoiceField(
        label="Start with",
        choices=PRESET_CHOICES,
        initial="full_revenue",
        widget=forms.RadioSelect(attrs={"class": "radiolist"}),
        help_text="Gives the flow its feedback fields, the usual rules and the lists “Returns” and “Bad "
        "Sources”. All of it can be changed afterwards.",
    )


class FlowPageForm(ScopedForm[Flow]):
    """A flow that is there, with its reasons for returns."""

    return_reasons = LinesField(label="Reasons for returns", help_text=RETURN_REASONS)

    def clean_return_reasons(self) -> list[str]:
        named: list[str] = self.cleaned_data["return_reasons"]
        if named and (fault := choice_fault(Field.Kind.CHOICE, named)):
            raise forms.ValidationError(fault)
        return named


class PatternForm(forms.Form):
    """Which pattern's rules, and whether they begin at once."""

    pattern = forms.ChoiceField(
        choices=[(name, pattern.label) for name, pattern in PATTERNS.items()],
        widget=forms.RadioSelect(attrs={"class": "radiolist"}),
    )
    enabled = forms.BooleanField(
        required=False,
        label="Switch them on at once",
        help_text="Else they are added switched off, to be looked over first.",
    )


def _add_pattern(request: HttpRequest, flow: Flow, answers: dict[str, Any]) -> str:
    pattern = PATTERNS[answers["pattern"]]
    added = add_rules(flow, pattern.rules, enabled=answers["enabled"])
    names = ", ".join(f"“{rule.name}”" for rule in added)
    there = len(pattern.rules) - len(added)
    kept = f" {there} of the pattern {'was' if there == 1 else 'were'} there already." if there else ""
    if not added:
        return f"Nothing was added.{kept}"
    state = "switched on" if answers["enabled"] else "switched off: look them over under Rules"
    return f"Added {names}, {state}.{kept}"


SETTINGS = ("Feedback", {"fields": ("feedback_enabled", "update_window_days", "event_id_is_credential")})
HELP = {
    "event_id_is_credential": "For CRMs that can send no key to /feedback?event_id=…. Whoever knows a lead’s "
    "id may then send feedback on it, and is shown its contact and price as far as its buyer is."
}
PLACE = ("Place and money", {"fields": ("currency", "country", "timezone")})


@admin.register(Flow)
class FlowAdmin(ScopedModelAdmin[Flow]):
    """What is sold, and what feedback it takes."""

    list_display = ("name", "feedback_enabled", "currency", "window", "timezone", "deliveries", "code")
    list_filter = ("feedback_enabled",)
    search_fields = ("name", "public_id")
    ordering = ("name",)
    form = FlowForm
    inlines = (FieldInline, AgreementInline)
    change_form_template = "admin/flows/flow/change_form.html"
    object_actions = (
        ObjectAction(
            "pattern",
            "Add rules of a pattern",
            "The flow keeps the rules that it has; of the pattern's rules it gets those that it lacks.",
            _add_pattern,
            ask=PatternForm,
        ),
    )
    empty_hint = "A flow is a kind of lead that you sell. Add one: a preset gives it fields and rules."
    kept_because = (
        "This flow has sources or leads. Delete sources that were never used first; a flow that "
        "has delivered leads stays on record: switch “takes feedback” off instead."
    )

    def why_kept(self, row: Flow) -> str:
        """A key limited to this flow alone would open every flow once its limit is gone."""
        if row.api_keys.filter(revoked_at=None).exists():
            return "API keys are limited to this flow. Revoke them first."
        return super().why_kept(row)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Flow]:
        sold = Delivery.objects.filter(flow=OuterRef("pk"))
        return super().get_queryset(request).annotate(sold=CappedCount(sold))

    def get_inlines(self, request: HttpRequest, obj: Flow | None) -> Any:
        return super().get_inlines(request, obj) if obj else ()

    def get_fieldsets(self, request: HttpRequest, obj: Flow | None = None) -> Any:
        what = ("name",) if obj else ("name", "preset")
        seller = ("seller",) if only_operators(request) else ()
        returns = (("Returns", {"fields": ("return_reasons",)}),) if obj else ()
        return ((None, {"fields": (*seller, *what)}), SETTINGS, *returns, PLACE)

    def get_readonly_fields(self, request: HttpRequest, obj: Flow | None = None) -> Any:
        """Amounts that were recorded are in the flow's currency: it cannot change under them."""
        if obj is None:
            return ()
        return ("seller", "currency") if obj.deliveries.exists() else ("seller",)

    def get_form(
        self, request: HttpRequest, obj: Flow | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        if obj:
            kwargs["form"] = FlowPageForm
        return super().get_form(request, obj, change, help_texts=HELP, **kwargs)

    def save_model(self, request: HttpRequest, obj: Flow, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            set_up_flow(obj, form.cleaned_data["preset"])

    def response_add(self, request: HttpRequest, obj: Flow, post_url_continue: str | None = None) -> Any:
        """On to the flow itself, which shows what comes next."""
        self.message_user(request, f"“{obj}” is set up. Look over its fields, then follow the next steps.")
        return HttpResponseRedirect(change_url(obj))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        flow = self.get_object(request, object_id)
        panel = self.panel(flow) if flow else {}
        return super().change_view(request, object_id, form_url, {**panel, **(extra_context or {})})

    @staticmethod
    def panel(flow: Flow) -> dict[str, Any]:
        """What the page shows beside the form: address, example, next steps."""
        body = example_body(flow, flow.fields.all())
        return {"endpoint": endpoint(flow), "curl": curl(flow, body), "steps": steps(flow)}

    @admin.display(description="Update window", ordering="update_window_days")
    def window(self, flow: Flow) -> str:
        return f"{flow.update_window_days:,} days"

    @admin.display(description="Id")
    def code(self, flow: Flow) -> str:
        return code(flow.public_id)

    @admin.display(description="Deliveries")
    def deliveries(self, flow: Any) -> str:
        return capped(flow.sold)


@admin.register(Agreement)
class AgreementAdmin(ScopedModelAdmin[Agreement]):
    """A buyer on a flow, and what of each lead they are shown."""

    list_display = (
        "__str__",
        "is_active",
        "schedule",
        "returns",
        "shows_source",
        "shows_price",
        "shows_contact",
        "created_at",
    )
    list_filter = ("flow", "buyer", "is_active", "schedule")
    list_select_related = ("flow", "buyer")
    search_fields = ("buyer__name", "flow__name")
    search_help_text = "Buyer or flow"
    form = AgreementPageForm
    fieldsets = (
        (None, {"fields": ("flow", "buyer", "is_active", "schedule")}),
        ("What the buyer sees", {"fields": ("shows_source", "shows_price", "shows_contact")}),
        (
            "Returns",
            {
                "fields": (
                    "return_window_days",
                    "return_cap_kind",
                    "return_cap",
                    "return_answer_days",
                    "return_auto_reasons",
                    "offers_replacement",
                )
            },
        ),
    )
    fixed_after_add = ("flow", "buyer")
    empty_hint = "An agreement lets a buyer buy on a flow. Add a flow and a buyer first, then join them here."

    @admin.display(description="Returns", ordering="return_window_days")
    def returns(self, row: Agreement) -> str:
        return "none" if row.return_window_days is None else f"within {row.return_window_days} days"

    def why_kept(self, row: Agreement) -> str:
        if Delivery.objects.filter(flow=row.flow, buyer=row.buyer).exists():
            return "Leads were delivered under this agreement. Switch “buys new leads” off instead."
        return ""


BuyerAdmin.inlines = [AgreementInline, *BuyerAdmin.inlines]
