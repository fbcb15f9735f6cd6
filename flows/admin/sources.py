"""Sources in the admin: status, cap, price, and what became of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from flows.admin.forms import money, pill, plain
from flows.admin.source_buyers import BUYER_ACTIONS, ReasonForm, buyers_shown, person_of
from flows.admin.source_history import latest
from flows.models import Source
from flows.sources import pause, resume, save_edited
from portal.object_actions import ObjectAction
from portal.scoped_admin import ScopedForm, ScopedModelAdmin


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
    change_form_template = "admin/flows/source/change_form.html"
    fieldsets = (
        (None, {"fields": ("flow", "name", "slug")}),
        ("Status", {"fields": ("state", "status_reason")}),
        ("Volume and price", {"fields": ("daily_cap", "base_price", "price_adjustment", "price")}),
    )
    readonly_fields = ("state", "status_reason", "price")
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
        *BUYER_ACTIONS,
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

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        source = self.own_or_404(request, object_id)
        panel = {"for_buyers": buyers_shown(source), "changes": latest(source)}
        return super().change_view(request, object_id, form_url, {**panel, **(extra_context or {})})

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
