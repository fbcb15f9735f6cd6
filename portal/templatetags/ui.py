"""The small parts of a page: ``{% load ui %}``. Everything is drawn without inline style."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import template
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from portal.formats import date_time
from portal.tables import page_numbers as numbers_of

register = template.Library()
register.filter("page_numbers", numbers_of)

DAY = dt.timedelta(days=1)
WIDTH = 200.0  # of an interval bar's drawing, in its own units
UNITS = (("d", 86_400), ("h", 3_600), ("min", 60))


@register.simple_tag
def pill(label: str, tone: str = "neutral") -> SafeString:
    """A word with a dot; ``tone``: good, warn, bad, info, neutral."""
    return format_html('<span class="pill pill--{}">{}</span>', tone, label)


@register.simple_tag
def stars(score: int | None) -> SafeString:
    """A quality score from 1 to 5; a dash where there is none."""
    if score is None:
        return SafeString('<span class="muted">–</span>')
    text = '<span class="stars"><span aria-hidden="true">{}<i>{}</i></span>'
    text += '<span class="visually-hidden">{} of 5</span></span>'
    return format_html(text, "★" * score, "★" * (5 - score), score)


def short_span(span: dt.timedelta) -> str:
    """``"6 h"``, ``"11 d"``, ``"3 min"``: the largest unit that fits, rounded down."""
    seconds = int(abs(span.total_seconds()))
    for unit, size in UNITS:
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return "now"


@register.simple_tag
def ago(moment: dt.datetime | None) -> SafeString:
    """How long ago, with the exact time beneath: ``2 h``."""
    if moment is None:
        return SafeString('<span class="muted">–</span>')
    return _time(moment, short_span(timezone.now() - moment), "")


@register.simple_tag
def time_left(deadline: dt.datetime | None) -> SafeString:
    """Time until a deadline: red under a day and when over, amber under three days."""
    if deadline is None:
        return SafeString('<span class="muted">–</span>')
    left = deadline - timezone.now()
    if left <= dt.timedelta(0):
        return _time(deadline, f"{short_span(left)} over", "strong bad")
    tone = "bad" if left < DAY else "warn" if left < 3 * DAY else ""
    return _time(deadline, f"{short_span(left)} left", f"strong {tone}".strip())


def _time(moment: dt.datetime, text: str, css: str) -> SafeString:
    local = timezone.localtime(moment)
    exact = f"{date_time(local)} {local.tzname()}"
    return format_html(
        '<time class="nowrap {}" datetime="{}" title="{}">{}</time>', css, moment.isoformat(), exact, text
    )


@register.simple_tag
def interval_bar(
    low: float, value: float, high: float, upper: float, threshold: float | None = None, label: str = ""
) -> SafeString:
    """``low`` to ``high`` with its value on a scale from 0 to ``upper``; dashed: the threshold.

    ``label`` says the same in words; without it the bar is hidden from screen readers, as its numbers
    then stand beside it.
    """

    def place(number: float) -> float:
        return round(min(max(number / upper if upper else 0.0, 0.0), 1.0) * WIDTH, 1)

    left, right = place(low), place(high)
    dashed = ""
    if threshold is not None:
        dashed = format_html('<line class="threshold" x1="{0}" x2="{0}" y1="1" y2="15"/>', place(threshold))
    spoken = format_html('role="img" aria-label="{}"', label) if label else SafeString('aria-hidden="true"')
    return format_html(
        '<svg class="interval" viewBox="0 0 200 16" preserveAspectRatio="none" {}>'
        '<rect class="track" x="0" y="5" width="200" height="6" rx="3"/>'
        '<rect class="range" x="{}" y="5" width="{}" height="6" rx="3"/>{}'
        '<rect class="value" x="{}" y="2" width="2" height="12"/></svg>',
        spoken,
        left,
        max(round(right - left, 1), 2),
        dashed,
        max(place(value) - 1, 0),
    )


@register.simple_tag
def url_with(request: HttpRequest, **changes: Any) -> str:
    """The address of this page with some parameters changed; ``None`` takes one away."""
    query = request.GET.copy()
    for name, value in changes.items():
        query.pop(name, None)
        if value is not None:
            query[name] = str(value)
    return f"{request.path}?{query.urlencode()}" if query else request.path


@register.filter
def extra_attributes(attrs: Any) -> SafeString:
    """A table's own attributes of a cell or row, each with a space before it."""
    kept = ((name, value) for name, value in (attrs or {}).items() if value not in (None, ""))
    return format_html_join("", ' {}="{}"', kept)


def _direction(column: Any) -> str:
    if not column.is_ordered:
        return "none"
    return "descending" if column.order_by_alias.is_descending else "ascending"


@register.simple_tag
def sort_state(column: Any) -> SafeString:
    """``aria-sort`` of a head that can be sorted by."""
    return format_html(' aria-sort="{}"', _direction(column)) if column.orderable else SafeString("")


@register.simple_tag
def sort_arrow(column: Any) -> SafeString:
    arrows = {"ascending": " ↑", "descending": " ↓", "none": ""}
    return format_html('<span aria-hidden="true">{}</span>', arrows[_direction(column)])


@register.simple_tag
def page_link(table: Any, number: int, name: object, label: object) -> SafeString:
    """A link of the pager. Its id keeps the focus on it when the page is swapped; that shows from its top."""
    url = url_with(table.request, page=number if number > 1 else None)
    spoken = f"Page {label}" if isinstance(label, int) else f"{label} page"
    here = SafeString(' aria-current="page"') if label == table.page.number else ""
    link = '<a id="page-{}" href="{}" hx-get="{}" hx-push-url="true" hx-swap="{}" aria-label="{}"{}>{}</a>'
    return format_html(link, name, url, url, "outerHTML show:top", spoken, here, label)
