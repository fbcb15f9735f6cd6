"""The list of a buyer's changes: what a line shows, and what may be asked of it."""

from __future__ import annotations

import datetime as dt
from functools import cached_property
from typing import Any

import django_filters
import django_tables2 as tables
from django.db.models import Q, QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from feedback.desk import Desk
from feedback.history_words import Story, door, stories, who
from feedback.models import ChangeSet, Door
from feedback.undo_sets import is_undone, under_way, why_not
from feedback.wording import NOTHING, when
from flows.models import Delivery
from portal.access import visible_to
from portal.days import FromDayToDay
from portal.formats import number
from portal.models import User
from portal.tables import DATE, NumberColumn, SearchFilter, Table

Rows = QuerySet[ChangeSet]
EMPTY: tuple[Any, ...] = ()  # draw the cell whatever the value


class HistoryTable(Table):
    """Changes, newest first."""

    change = tables.Column("Change", empty_values=EMPTY, orderable=False)
    at = tables.Column("When", accessor="created_at", orderable=False, attrs={"td": {"class": "nowrap"}})
    who = tables.Column("Who", empty_values=EMPTY, orderable=False)
    leads = NumberColumn("Leads", empty_values=EMPTY, orderable=False)
    request = tables.Column("Request", accessor="request_id", orderable=False, default=NOTHING)
    undo = tables.Column("Undo", empty_values=EMPTY, orderable=False, attrs={"td": {"class": "card-corner"}})

    caption = "Changes"
    row_header = "change"
    empty_title = "No changes yet"
    empty_hint = "Every edit, bulk change, file and API call that changes your leads is listed here."

    class Meta(Table.Meta):
        row_attrs = {"id": lambda record: f"change-{record.public_id}"}

    def __init__(self, *args: Any, desk: Desk, token: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.desk, self.token = desk, token

    @cached_property
    def stories(self) -> dict[int, Story]:
        """Of the lines of this page."""
        return stories([row.record for row in self.paginated_rows], self.desk)

    def render_change(self, record: ChangeSet) -> SafeString:
        story = self.stories[record.pk]
        address = reverse("change-set-detail", args=[record.public_id])
        about = format_html('<span class="cell-sub">{}</span>', story.about) if story.about else ""
        link = '<a href="{}"><span class="cell-main">{}</span></a>{}'
        return format_html(link, address, story.title, about)

    def render_at(self, value: dt.datetime) -> str:
        return when(value)

    def render_who(self, record: ChangeSet) -> SafeString:
        return format_html('<span>{}<span class="cell-sub">{}</span></span>', who(record), door(record))

    def render_leads(self, record: ChangeSet) -> str:
        return number(self.stories[record.pk].leads)

    def render_request(self, value: str) -> SafeString:
        return format_html('<span class="code">{}</span>', value)

    def render_undo(self, record: ChangeSet) -> SafeString:
        context = {
            "head": record,
            "undone": is_undone(record),
            "under_way": under_way(record),
            "why_not": why_not(self.desk.actor, record, now=self.desk.now),
            "token": self.token,
            "title": self.stories[record.pk].title,
        }
        return render_to_string("feedback/cells/undo.html", context)


def own_people(request: Any) -> QuerySet[User]:
    """Who works for the buyer."""
    return visible_to(request.actor, User.objects.order_by("first_name", "username"))


class HistoryFilter(FromDayToDay, django_filters.FilterSet):
    """Every filter stands in the address."""

    moment = "created_at"

    q = SearchFilter(method="search", label="Lead id, your own id or request id")
    who = django_filters.ModelChoiceFilter(
        field_name="user", queryset=own_people, label="Who", empty_label="anybody"
    )
    door = django_filters.ChoiceFilter(choices=Door.choices, label="By", empty_label="any way")
    since = django_filters.DateFilter(method="from_day", label="From", widget=DATE)
    until = django_filters.DateFilter(method="to_day", label="To", widget=DATE)

    class Meta:
        model = ChangeSet
        fields: list[str] = []

    def search(self, rows: Rows, name: str, value: str) -> Rows:
        """A lead's change within a file or a bulk change finds the whole of it."""
        text = value.strip()
        if not text:
            return rows
        own = visible_to(self.request.actor, Delivery.objects.all())
        leads = own.filter(Q(public_id=text) | Q(external_id=text)).values("pk")
        of_lead = Q(feedback__delivery__in=leads) | Q(external_id_changes__delivery__in=leads)
        sets = ChangeSet.objects.filter(of_lead)
        wanted = Q(pk__in=sets.values("pk")) | Q(request_id=text) | Q(public_id=text)
        return rows.filter(
            wanted
            | Q(upload__in=sets.exclude(upload=None).values("upload"))
            | Q(bulk__in=sets.exclude(bulk=None).values("bulk"))
        )
