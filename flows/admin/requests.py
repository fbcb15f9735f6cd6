"""The log of API requests in the admin: to read, when a buyer asks why feedback does not arrive."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from flows.admin.forms import as_json, pill
from flows.explanations import explain
from flows.masking import mask_id
from flows.models import RequestLog
from portal.scoped_admin import ReadOnlyAdmin


@admin.register(RequestLog)
class RequestLogAdmin(ReadOnlyAdmin[RequestLog]):
    """What clients sent with the seller's keys and with its buyers' keys, masked, of the last 30 days."""

    list_display = (
        "at",
        "method",
        "path",
        "answer_shown",
        "code",
        "lead_id",
        "buyer",
        "api_key",
        "request_id",
    )
    list_filter = ("buyer", "flow", "api_key", "method")
    list_select_related = ("buyer", "api_key")
    search_fields = ("request_id",)
    search_help_text = "The whole request id or lead id"
    ordering = ("-at", "-pk")
    sortable_by = ()
    fieldsets = (
        (None, {"fields": ("at", "request_id", "method", "path", "flow", "buyer", "api_key", "duration_ms")}),
        ("Answer", {"fields": ("answer_shown", "code", "means", "advice", "answered")}),
        ("Body", {"fields": ("lead_id", "body_bytes", "sent")}),
    )
    readonly_fields = ("answer_shown", "means", "advice", "answered", "sent")
    empty_hint = "Every request with one of your keys or of a buyer's keys shows here for 30 days."

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[RequestLog], search_term: str
    ) -> tuple[QuerySet[RequestLog], bool]:
        text = search_term.strip()
        if not text or "\0" in text:
            return (queryset.none() if text else queryset), False
        shown = mask_id(text)
        named = Q(request_id=text) | Q(lead_id=shown) | Q(lead_ids__contains=f" {shown} ")
        return queryset.filter(named), False

    @admin.display(description="Answer", ordering="status")
    def answer_shown(self, row: RequestLog) -> SafeString:
        tone = "good" if row.status < 400 else "warn" if row.status < 500 else "bad"
        return pill(tone, str(row.status))

    @admin.display(description="It means")
    def means(self, row: RequestLog) -> str:
        return explain(row.code).means if row.code else ""

    @admin.display(description="What to do")
    def advice(self, row: RequestLog) -> str:
        return explain(row.code).do if row.code else ""

    @admin.display(description="Details")
    def answered(self, row: RequestLog) -> SafeString:
        return as_json(row.answer)

    @admin.display(description="Masked")
    def sent(self, row: RequestLog) -> Any:
        return as_json(json.loads(row.body)) if row.body else ""
