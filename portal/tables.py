"""The one list page: the actor's rows, filtered, sorted and paged, all of it in the address.

A list is three small classes and a template:

    class LeadTable(Table):                               # what a row shows (django-tables2)
        lead = tables.TemplateColumn(template_name=…, order_by="lead__last_name")
        revenue = NumberColumn(verbose_name="Revenue, USD")

        caption = "Delivered leads"
        row_header = "lead"
        empty_title, empty_hint = "No leads yet", "Leads that are delivered to you appear here."

    class LeadFilter(FilterSet):                          # what may be asked (django-filter)
        q = SearchFilter(method="search", label="Search name, e-mail, phone or id")
        outcome = ChoiceFilter(choices=…, label="Outcome")
        delivered_from = DateFilter("delivered_on", "gte", label="Delivered from", widget=DATE)

        class Meta:
            model = Delivery
            fields: list[str] = []                        # always: else every column becomes a filter

    class LeadList(TableView):
        model = Delivery
        table_class, filterset_class = LeadTable, LeadFilter
        template_name = "leads/lead_list.html"
        roles = BUYERS
        title = "Leads"
        nouns = "leads"

    path("leads/", LeadList.as_view(), name="lead-list")

The template extends ``base.html``, loads ``partials`` and holds

    {% partialdef table inline %}{% include "tables/region.html" %}{% endpartialdef %}

which is also what an htmx request gets. Override `get_rows` to add ``select_related`` or annotations:
what it returns is narrowed to the actor's rows afterwards, always. ``filterset_class`` may be left out.
Column attributes reach the cells: ``attrs={"td": {"class": "card-corner"}}`` (see docs/look.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import django_filters
import django_tables2 as tables
from django import forms
from django.core.exceptions import FieldDoesNotExist
from django.core.paginator import Page, Paginator
from django.db.models import F, Model, QuerySet
from django.db.models.constants import LOOKUP_SEP
from django.db.models.expressions import OrderBy
from django.http import HttpResponseBase
from django.utils.functional import cached_property
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django_filters.views import FilterView
from django_tables2.views import SingleTableMixin

from portal import formats
from portal.access import ActorRequest, Role, allow, visible_to

COUNT_LIMIT = 10_000
NUMBER = {"th": {"class": "number"}, "td": {"class": "number"}}
DATE = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class CappedPaginator(Paginator[Any]):
    """Counts to `COUNT_LIMIT` + 1 at most, and pages no further than `COUNT_LIMIT` rows.

    Beyond that neither a count nor a far offset is worth its cost: one narrows the filters instead.
    """

    @cached_property
    def counted(self) -> int:
        """The number of rows, `COUNT_LIMIT` + 1 when there are more."""
        rows = self.object_list
        data = rows.data.data if isinstance(rows, tables.rows.BoundRows) else rows
        if isinstance(data, QuerySet):
            return int(data.order_by()[: COUNT_LIMIT + 1].count())
        return len(rows)

    @cached_property
    def count(self) -> int:
        return min(self.counted, COUNT_LIMIT)

    @property
    def is_capped(self) -> bool:
        return self.counted > COUNT_LIMIT

    @property
    def count_text(self) -> str:
        """For people: ``"312"`` or ``"10,000+"``."""
        return f"{formats.number(self.count)}{'+' if self.is_capped else ''}"


class Table(tables.Table):
    """A table with a caption, a row header and words for when it is empty."""

    caption = ""
    row_header = ""  # the name of the column that names the row
    empty_title = "Nothing here yet"
    empty_hint = ""

    class Meta:
        attrs: ClassVar[dict[str, str]] = {"class": "table"}
        template_name = "tables/table.html"
        order_by_field = "sort"


class NumberColumn(tables.Column):
    """Right-aligned; the unit belongs into the head (``"Revenue, USD"``)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("attrs", NUMBER)
        super().__init__(*args, **kwargs)


class SelectColumn(tables.Column):
    """A tick box in each row. The one in the head ticks the page; it is hidden until a script serves it."""

    head = SafeString(
        '<input type="checkbox" id="select-page" hidden aria-label="Select all on this page">'
        '<span class="visually-hidden">Select</span>'
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("orderable", False)
        super().__init__(*args, **kwargs)


class SearchFilter(django_filters.CharFilter):
    """The free-text box before the other filters; its label is its placeholder too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        placeholder = kwargs.get("label", "Search")
        kwargs.setdefault(
            "widget", forms.TextInput(attrs={"type": "search", "placeholder": placeholder, "maxlength": 200})
        )
        kwargs.setdefault("max_length", 200)
        super().__init__(*args, **kwargs)


class TableView(SingleTableMixin, FilterView):
    """See the head of this file."""

    request: ActorRequest
    roles: ClassVar[tuple[Role, ...]] = ()
    title = ""
    nouns = "rows"
    partial = "table"
    template_name = "tables/list.html"
    strict = False  # an invalid value is shown as an error and filters nothing
    paginate_by = 50
    filterset_class: type[django_filters.FilterSet] | None = None

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Callable[..., HttpResponseBase]:
        """The view, guarded by ``roles``."""
        view: Callable[..., HttpResponseBase] = super().as_view(**initkwargs)
        return allow(*cls.roles)(view)

    def get_rows(self) -> QuerySet[Any]:
        """Every row that the list is about, before access narrows it."""
        rows: QuerySet[Any] = super().get_queryset()
        return rows

    def get_queryset(self) -> QuerySet[Any]:
        return visible_to(self.request.actor, self.get_rows())

    def get_filterset_class(self) -> type[django_filters.FilterSet]:
        return self.filterset_class or no_filters(self.get_rows().model)

    def get_filterset_kwargs(self, filterset_class: Any) -> dict[str, Any]:
        """Bound always: the page without parameters is a question too, with empty answers."""
        return {"data": self.request.GET, "request": self.request, "queryset": self.get_queryset()}

    def get_paginate_by(self, table_data: Any) -> int | None:
        return None  # the table pages, not the list view: else every page is counted twice

    def get_table(self, **kwargs: Any) -> Table:
        """The table, sorted and on the page that the address names."""
        table: Table = self.get_table_class()(data=self.get_table_data(), **kwargs)
        table.request = self.request
        if wanted := self.request.GET.getlist(table.prefixed_order_by_field):
            table.order_by = wanted
        self.turn(table)
        return table

    def turn(self, table: Table) -> None:
        """To the page that the address names: by number (`portal/keyset.py` pages by keys)."""
        if isinstance(table.data.data, QuerySet):
            table.data.data = settle_order(table.data.data)
        turn_to(table, self.request.GET.get(table.prefixed_page_field), self.paginate_by)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        context.setdefault("title", self.title)
        context["nouns"] = self.nouns
        context["filtered"] = any(active_filters(context["filter"]))
        return context

    def get_template_names(self) -> list[str]:
        htmx = self.request.htmx
        whole = not htmx or htmx.boosted or htmx.history_restore_request
        return [self.template_name if whole else f"{self.template_name}#{self.partial}"]


def turn_to(table: Table, page: str | None, per_page: int) -> None:
    """Page the table; past the end is the last page, nonsense the first."""
    table.paginator = CappedPaginator(table.rows, per_page)
    table.page = table.paginator.get_page(page or 1)


def settle_order(rows: QuerySet[Any]) -> QuerySet[Any]:
    """The same order on every database and on every page: empty values last, then by primary key."""
    ordering: list[Any] = list(rows.query.order_by or rows.model._meta.ordering)
    last_first = bool(ordering) and str(ordering[0]).startswith("-")
    settled = [_nulls_last(rows, part) for part in ordering]
    return rows.order_by(*settled, "-pk" if last_first else "pk")


def _nulls_last(rows: QuerySet[Any], part: Any) -> Any:
    if not isinstance(part, str) or part == "?":
        return part
    name = part.removeprefix("-")
    if name == "pk" or not may_be_null(rows, name):
        return part  # as it stands an index can serve it
    return OrderBy(F(name), descending=part.startswith("-"), nulls_last=True)


def may_be_null(rows: QuerySet[Any], name: str) -> bool:
    """Whether an ordering by ``name`` (a look-up or an annotation) can meet a null."""
    model: type[Model] | None = rows.model
    for part in name.split(LOOKUP_SEP):
        if model is None or part in rows.query.annotations:
            return True
        try:
            field = model._meta.get_field(part)
        except FieldDoesNotExist:
            return True
        if getattr(field, "null", True):
            return True
        model = field.related_model if isinstance(field.related_model, type) else None
    return False


def active_filters(filterset: django_filters.FilterSet) -> list[str]:
    """The names of the filters that say anything, rightly or wrongly."""
    return [name for name in filterset.form.fields if any(filterset.data.getlist(name))]


def no_filters(model: type[Model]) -> type[django_filters.FilterSet]:
    """A filter set that asks nothing."""
    meta = type("Meta", (), {"model": model, "fields": []})
    return type(f"{capfirst(model.__name__)}NoFilter", (django_filters.FilterSet,), {"Meta": meta})


def page_numbers(page: Page[Any], around: int = 1) -> list[int | None]:
    """First, last and the neighbours of the page; ``None`` stands for a gap."""
    wanted = {1, page.paginator.num_pages, *range(page.number - around, page.number + around + 1)}
    numbers = sorted(number for number in wanted if 1 <= number <= page.paginator.num_pages)
    shown: list[int | None] = []
    for number in numbers:
        if shown and number - (shown[-1] or 0) > 1:
            shown.append(None)
        shown.append(number)
    return shown
