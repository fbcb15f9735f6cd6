"""Sources, leads and deliveries in the admin."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from flows.admin.forms import as_json, money, pill, plain
from flows.lookup import find_deliveries, find_leads
from flows.models import Delivery, Flow, Lead, Source
from flows.sources import pause, resume, save_edited
from portal.access import visible_to
from portal.models import User
from portal.object_actions import ObjectAction
from portal.scoped_admin import ReadOnlyAdmin, ScopedForm, ScopedModelAdmin, actor_of_request
from portal.scoped_inlines import ReadOnlyInline

OUTCOME_TONES = {
    "converted": "good",
    "contacted": "info",
    "no_contact": "warn",
    "bad_info": "bad",
    "returned": "warn",
}


def own_flows(request: HttpRequest) -> QuerySet[Flow]:
    """The flows that the actor may see."""
    return visible_to(actor_of_request(request), Flow.objects.all())


def person_of(request: HttpRequest) -> User:
    """Who is logged in; the admin lets nobody else in."""
    return cast(User, request.user)


class SourceForm(ScopedForm[Source]):
    """Prices in the decimals of the flow's currency."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("base_price", "price_adjustment"):
            value = getattr(self.instance, name)
            self.initial[name] = plain(value) if isinstance(value, Decimal) else value

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        flow = cleaned.get("flow") or (self.instance.flow if self.instance.flow_id else None)
        price = cleaned.get("base_price")
        if flow and price is not None and price != round(price, flow.decimals):
            self.add_error("base_price", f"Prices in {flow.currency} have {flow.decimals} decimals.")
        return cleaned


class ReasonForm(forms.Form):
    """Why a person does it."""

    reason = forms.CharField(
        max_length=200,
        required=False,
        help_text="Shown wherever the source is shown, and to routers.",
        widget=forms.TextInput(attrs={"size": 60}),
    )


def _pause(request: HttpRequest, source: Source, answers: dict[str, Any]) -> str:
    pause(Source.objects.filter(pk=source.pk), answers["reason"], user=person_of(request))
    return f"{source} is paused: its leads are refused until you resume it."


def _resume(request: HttpRequest, source: Source, answers: dict[str, Any]) -> str:
    resume(Source.objects.filter(pk=source.pk), answers["reason"], user=person_of(request))
    return f"{source} is active again."


@admin.register(Source)
class SourceAdmin(ScopedModelAdmin[Source]):
    """Where leads come from: status, cap, price."""

    list_display = ("name", "flow", "standing", "cap", "price_made")
    list_filter = ("status", "flow")
    list_select_related = ("flow",)
    search_fields = ("name", "slug")
    ordering = ("flow__name", "name")
    form = SourceForm
    fieldsets = (
        (None, {"fields": ("flow", "name", "slug")}),
        ("Status", {"fields": ("state", "status_reason", "paused_for")}),
        ("Volume and price", {"fields": ("daily_cap", "base_price", "price_adjustment", "price")}),
    )
    readonly_fields = ("state", "status_reason", "paused_for", "price")
    fixed_after_add = ("flow",)
    prepopulated_fields = {"slug": ("name",)}
    actions = ("pause_many", "resume_many")
    empty_hint = "Add the sources that you buy leads from: each has its own status, cap and price."
    kept_because = "Leads came from this source: it stays on record. Pause it instead."
    object_actions = (
        ObjectAction(
            "pause",
            "Pause",
            "Its leads are refused at once.",
            _pause,
            lambda source: source.status == Source.Status.ACTIVE,
            ReasonForm,
            severe=True,
        ),
        ObjectAction(
            "resume",
            "Resume",
            "Its leads are taken again, up to its cap.",
            _resume,
            lambda source: source.status == Source.Status.PAUSED,
            ReasonForm,
        ),
    )

    def get_fieldsets(self, request: HttpRequest, obj: Source | None = None) -> Any:
        sets = super().get_fieldsets(request, obj)
        if obj:
            return sets
        price = ("Volume and price", {"fields": ("daily_cap", "base_price", "price_adjustment")})
        return [sets[0], price]

    def get_readonly_fields(self, request: HttpRequest, obj: Source | None = None) -> Any:
        """The slug is the source's name for routers, files and lists once leads have come under it."""
        names = super().get_readonly_fields(request, obj)
        return (*names, "slug") if obj and obj.leads.exists() else names

    def save_model(self, request: HttpRequest, obj: Source, form: Any, change: bool) -> None:
        if change:
            save_edited(obj, form.changed_data, user=person_of(request))
        else:
            super().save_model(request, obj, form, change)

    def get_prepopulated_fields(self, request: HttpRequest, obj: Source | None = None) -> Any:
        return {} if obj else super().get_prepopulated_fields(request, obj)

    @admin.action(description="Pause the selected sources …", permissions=["change"])
    def pause_many(self, request: HttpRequest, queryset: QuerySet[Source]) -> HttpResponse | None:
        return self._with_reason(request, queryset, "pause_many", "Pause", pause)

    @admin.action(description="Resume the selected sources …", permissions=["change"])
    def resume_many(self, request: HttpRequest, queryset: QuerySet[Source]) -> HttpResponse | None:
        return self._with_reason(request, queryset, "resume_many", "Resume", resume)

    def _with_reason(
        self, request: HttpRequest, rows: QuerySet[Source], action: str, label: str, do: Any
    ) -> HttpResponse | None:
        """Ask for the reason, then do it; the page carries the selection."""
        form = ReasonForm(request.POST if "apply" in request.POST else None)
        if form.is_valid():
            chosen = Source.objects.filter(pk__in=rows.values("pk"))
            count = do(chosen, form.cleaned_data["reason"], user=person_of(request))
            self.message_user(request, f"{label}: {count} changed.", messages.SUCCESS)
            return None
        context = {**self.admin_site.each_context(request), "title": f"{label} sources", "opts": self.opts}
        context |= {"form": form, "rows": rows, "action": action, "label": label}
        return TemplateResponse(request, "admin/selection_action.html", context)

    @admin.display(description="Status", ordering="status")
    def standing(self, source: Source) -> SafeString:
        why = format_html('<span class="cell-sub">{}</span>', source.status_reason)
        return format_html("{}{}", self.state(source), why if source.status_reason else "")

    @admin.display(description="Status")
    def state(self, source: Source) -> SafeString:
        tone = "good" if source.status == Source.Status.ACTIVE else "bad"
        return pill(tone, source.get_status_display())

    @admin.display(description="Paused for", empty_value="nobody alone")
    def paused_for(self, source: Source) -> str:
        """The buyers for whom alone a rule has paused it; undone on the decisions page."""
        pairs = source.by_buyer.filter(status=Source.Status.PAUSED).select_related("buyer")
        return "; ".join(f"{pair.buyer}: {pair.status_reason}" for pair in pairs.order_by("buyer__name"))

    @admin.display(description="Cap, leads a day", ordering="daily_cap")
    def cap(self, source: Source) -> str:
        return "no cap" if source.daily_cap is None else f"{source.daily_cap:,}"

    @admin.display(description="Price of a lead", ordering="base_price")
    def price_made(self, source: Source) -> SafeString:
        """The price, and under it the base price and the adjustment that make it."""
        made_of = f"{money(source.base_price, source.flow.currency)} × {source.price_adjustment:.2f}"
        return format_html('{}<span class="cell-sub">{}</span>', self.price(source), made_of)

    @admin.display(description="Price of a lead")
    def price(self, source: Source) -> str:
        return money(source.base_price * source.price_adjustment, source.flow.currency)


class DeliveryInline(ReadOnlyInline[Delivery]):
    """To whom a lead was sold."""

    model = Delivery
    fields = ("public_id", "buyer", "price", "delivered_at", "outcome")
    readonly_fields = fields
    show_change_link = True
    verbose_name_plural = "Sold to"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        return super().get_queryset(request).select_related("buyer")


@admin.register(Lead)
class LeadAdmin(ReadOnlyAdmin[Lead]):
    """Consumers' records, as they came in."""

    list_display = ("name", "email", "phone", "flow", "source", "created_at")
    list_filter = ("flow", "source")
    list_select_related = ("flow", "source")
    search_fields = ("email_normalised",)
    search_help_text = "A whole e-mail address, phone number or id"
    ordering = ("-pk",)
    sortable_by = ()
    fields = ("name", "email", "phone", "flow", "source", "created_at", "further")
    readonly_fields = fields
    inlines = (DeliveryInline,)
    empty_hint = "Leads appear here once they are sent in. A flow's page shows what is still missing."

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        return (find_leads(queryset, search_term, own_flows(request)) if search_term else queryset), False

    @admin.display(description="Further fields")
    def further(self, lead: Lead) -> SafeString:
        return as_json(lead.data)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin[Delivery]):
    """Leads sold, with the state of their feedback. The history is hung in by feedback/admin."""

    list_display = (
        "who",
        "buyer",
        "source",
        "delivered_at",
        "price_shown",
        "state",
        "quality",
        "revenue_shown",
    )
    list_filter = ("flow", "buyer", "source", "outcome", "conversion_status")
    list_select_related = ("flow", "lead", "buyer", "source")
    search_fields = ("public_id",)
    search_help_text = "A whole id, e-mail address or phone number"
    ordering = ("-pk",)
    sortable_by = ()
    fieldsets = (
        (None, {"fields": ("public_id", "external_id", "lead", "flow", "source", "buyer")}),
        ("Sale", {"fields": ("price_shown", "delivered_at", "delivered_on")}),
        (
            "State of feedback",
            {
                "fields": (
                    "state",
                    "conversion_status",
                    "quality_score",
                    "revenue_shown",
                    "commission_shown",
                    "contacted_at",
                    "converted_at",
                    "further",
                    "feedback_count",
                    "last_feedback_at",
                )
            },
        ),
    )
    readonly_fields = ("price_shown", "state", "revenue_shown", "commission_shown", "further")
    inlines: ClassVar[list[Any]] = []
    empty_hint = "Deliveries appear here once leads are sent in. A flow's page shows what is still missing."

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        return (
            find_deliveries(queryset, search_term, own_flows(request)) if search_term else queryset
        ), False

    @admin.display(description="Lead")
    def who(self, row: Delivery) -> SafeString:
        return format_html('{}<span class="cell-sub code">{}</span>', row.lead, row.public_id)

    @admin.display(description="Outcome", empty_value="–")
    def state(self, row: Delivery) -> SafeString | None:
        return (
            pill(OUTCOME_TONES.get(row.outcome, "neutral"), row.get_outcome_display())
            if row.outcome
            else None
        )

    @admin.display(description="Quality", empty_value="–")
    def quality(self, row: Delivery) -> int | None:
        return row.quality_score

    @admin.display(description="Price")
    def price_shown(self, row: Delivery) -> str:
        return money(row.price, row.flow.currency)

    @admin.display(description="Revenue")
    def revenue_shown(self, row: Delivery) -> str:
        return money(row.revenue, row.flow.currency)

    @admin.display(description="Commission")
    def commission_shown(self, row: Delivery) -> str:
        return money(row.commission, row.flow.currency)

    @admin.display(description="Further fields")
    def further(self, row: Delivery) -> SafeString:
        return as_json(row.fields)
