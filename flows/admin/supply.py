"""Leads and deliveries in the admin."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from flows.admin.forms import as_json, money, pill
from flows.lookup import find_deliveries, find_leads
from flows.models import Delivery, Flow, Lead
from portal.access import visible_to
from portal.scoped_admin import ReadOnlyAdmin, actor_of_request
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
