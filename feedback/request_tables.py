"""The list of API requests: what a line shows, and what may be asked of it."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import django_filters
import django_tables2 as tables
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from feedback.lead_requests import naming
from feedback.wording import NOTHING
from flows.explanations import PROBLEMS
from flows.models import ApiKey, RequestLog
from portal.access import visible_to
from portal.days import FromDayToDay
from portal.tables import DATE, NumberColumn, SearchFilter, Table
from portal.templatetags.ui import ago, pill

Rows = QuerySet[RequestLog]
FLOW = re.compile(r"^/flows/[^/]+/")
CLASSES = {"ok": (200, 399), "refused": (400, 499), "failed": (500, 599)}


def tone_of(call: RequestLog) -> str:
    """Good for what went through, amber for a refusal of all or of some rows, red for a fault of ours."""
    if call.status >= 500:
        return "bad"
    refused = call.answer.get("rejected") or call.answer.get("outcome") in ("failure", "error")
    return "warn" if call.status >= 400 or refused else "good"


class RequestTable(Table):
    """API requests, newest first."""

    request = tables.Column("Request", accessor="path", orderable=False)
    at = tables.Column("When")
    key = tables.Column("Key", accessor="api_key__name", orderable=False)
    lead = tables.Column("Lead id", accessor="lead_id", empty_values=(), orderable=False)
    took = NumberColumn(verbose_name="Took, ms", accessor="duration_ms", orderable=False)
    status = tables.Column("Answer", orderable=False, attrs={"td": {"class": "card-corner"}})

    caption = "API requests"
    row_header = "request"
    empty_title = "No requests yet"
    empty_hint = "Every request that is made with one of your API keys shows here for 30 days."

    def render_request(self, record: RequestLog) -> SafeString:
        return format_html(
            '<a class="cell-main" href="{}">{} {}</a><span class="cell-sub code">{}</span>',
            reverse("request-detail", args=[record.pk]),
            record.method,
            FLOW.sub("…/", record.path),
            record.request_id,
        )

    def render_at(self, value: dt.datetime) -> SafeString:
        return ago(value)

    def render_key(self, record: RequestLog) -> SafeString:
        mode = "live" if record.api_key.livemode else "test"
        return format_html('<span>{} <span class="muted">{}</span></span>', record.api_key.name, mode)

    def render_lead(self, record: RequestLog) -> SafeString | str:
        if record.lead_ids:
            count = len(record.lead_ids.split())
            return f"a batch, {count:,} lead{'' if count == 1 else 's'}"
        return format_html('<span class="code">{}</span>', record.lead_id) if record.lead_id else NOTHING

    def render_status(self, record: RequestLog) -> SafeString:
        shown = pill(str(record.status), tone_of(record))
        return format_html('<span>{}<span class="cell-sub">{}</span></span>', shown, record.said)


def own_keys(request: Any) -> QuerySet[ApiKey]:
    """The keys that the one who asks may see."""
    return visible_to(request.actor, ApiKey.objects.order_by("name", "pk"))


class RequestFilter(FromDayToDay, django_filters.FilterSet):
    """Every filter stands in the address."""

    moment = "at"

    lead = SearchFilter(method="of_lead", label="Lead id or your own id")
    key = django_filters.ModelChoiceFilter(
        field_name="api_key", queryset=own_keys, label="Key", empty_label="all"
    )
    answer = django_filters.ChoiceFilter(
        choices=[("ok", "went through"), ("refused", "refused (4xx)"), ("failed", "failed (5xx)")],
        method="of_class",
        label="Answer",
        empty_label="any",
    )
    code = django_filters.ChoiceFilter(
        choices=[(code, code) for code in PROBLEMS], label="Code", empty_label="any"
    )
    since = django_filters.DateFilter(method="from_day", label="From", widget=DATE)
    until = django_filters.DateFilter(method="to_day", label="To", widget=DATE)

    class Meta:
        model = RequestLog
        fields: list[str] = []

    def of_lead(self, rows: Rows, name: str, value: str) -> Rows:
        return rows.filter(naming(self.request.actor, value))

    def of_class(self, rows: Rows, name: str, value: str) -> Rows:
        return rows.filter(status__range=CLASSES[value])
