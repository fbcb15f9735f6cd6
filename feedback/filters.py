"""What may be asked of the list of delivered leads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import django_filters
from django import forms
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import QueryDict

from feedback.desk import Desk
from feedback.lead_search import found_by
from flows.models import ConversionStatus, Delivery, Outcome, Source
from portal.access import visible_to
from portal.days import FromDayToDay
from portal.tables import DATE, SearchFilter

NO_OUTCOME, WAITING, GIVEN = "none", "waiting", "given"
Rows = QuerySet[Delivery]

BY_VIEW = ("status", "feedback")  # filters that the views save one: shown where an address has them
DUE, ALL = "due", "all"
# The usual questions, by their name in the address: a label, and what it asks.
VIEWS: Mapping[str, tuple[str, Callable[[Desk], Q]]] = {
    DUE: ("Due for feedback", lambda desk: desk.waiting()),
    ALL: ("All", lambda desk: Q()),
    "open": ("In progress", lambda desk: Q(feedback_count__gt=0, conversion_status=ConversionStatus.PENDING)),
    "converted": ("Converted", lambda desk: Q(conversion_status=ConversionStatus.SOLD)),
    "lost": ("Not sold", lambda desk: Q(conversion_status=ConversionStatus.NOT_SOLD)),
    "returned": ("Returned", lambda desk: Q(outcome=Outcome.RETURNED)),
}


class LeadFilter(FromDayToDay, django_filters.FilterSet):
    """Every filter stands in the address. What an agreement hides is neither offered nor searched.

    ``show`` is one of `VIEWS`. The page without any filter shows what is due; with one, all that it fits,
    unless the address says otherwise.
    """

    moment = "delivered_at"

    show = django_filters.ChoiceFilter(
        choices=[(name, label) for name, (label, _) in VIEWS.items()],
        method="in_view",
        label="View",
        widget=forms.HiddenInput,
    )
    q = SearchFilter(method="search", label="Search name, e-mail, phone or id")
    outcome = django_filters.ChoiceFilter(
        choices=[(NO_OUTCOME, "No outcome yet"), *Outcome.choices],
        method="with_outcome",
        label="Outcome",
        empty_label="any",
    )
    status = django_filters.ChoiceFilter(
        field_name="conversion_status", choices=ConversionStatus.choices, label="Status", empty_label="any"
    )
    feedback = django_filters.ChoiceFilter(
        choices=[(WAITING, "waiting"), (GIVEN, "given")],
        method="with_feedback",
        label="Feedback",
        empty_label="any",
    )
    source = django_filters.ChoiceFilter(method="from_source", label="Source", empty_label="any")
    flow = django_filters.ChoiceFilter(field_name="flow__public_id", label="Flow", empty_label="any")
    delivered_from = django_filters.DateFilter(method="from_day", label="Delivered from", widget=DATE)
    delivered_to = django_filters.DateFilter(method="to_day", label="To", widget=DATE)

    class Meta:
        model = Delivery
        fields: list[str] = []

    def __init__(self, data: QueryDict, *args: Any, desk: Desk, **kwargs: Any) -> None:
        asked = data.copy()
        if not asked.get("show"):
            asked["show"] = ALL if any(data.get(name) for name in self.base_filters) else DUE
        super().__init__(asked, *args, **kwargs)
        self.desk = desk
        for name in BY_VIEW:
            if not data.get(name):
                self.filters[name].extra["widget"] = forms.HiddenInput
        self._offer("source", source_choices(desk))
        self._offer("flow", [(flow.public_id, flow.name) for flow in desk.flows], least=2)

    def _offer(self, name: str, choices: list[tuple[str, str]], least: int = 1) -> None:
        """Give a filter its choices, or take it away where it would not tell anything apart."""
        if len(choices) < least:
            del self.filters[name]
        else:
            self.filters[name].extra["choices"] = choices

    @property
    def shows(self) -> str:
        """The view that is shown; "" where the address names none that there is."""
        name = self.data.get("show", "")
        return name if name in VIEWS else ""

    def in_view(self, rows: Rows, name: str, value: str) -> Rows:
        return rows.filter(VIEWS[value][1](self.desk))

    def with_outcome(self, rows: Rows, name: str, value: str) -> Rows:
        return rows.filter(outcome=None if value == NO_OUTCOME else value)

    def with_feedback(self, rows: Rows, name: str, value: str) -> Rows:
        return rows.filter(self.desk.waiting() if value == WAITING else Q(feedback_count__gt=0))

    def from_source(self, rows: Rows, name: str, value: str) -> Rows:
        named = Source.objects.filter(slug=value, flow__in=self.desk.source_flows)
        return rows.filter(source__in=list(named.values_list("pk", flat=True)))

    def search(self, rows: Rows, name: str, value: str) -> Rows:
        text = value.strip()
        return found_by(text, rows, self.desk) if text else rows


def matching(desk: Desk, query: QueryDict) -> Rows:
    """The buyer's deliveries that the filters of an address let through, in no order.

    What is no filter (sort, page, columns) is left alone. None at all where a filter has a wrong value: who
    changes "all that match" must not change more than was asked for.
    """
    rows = visible_to(desk.actor, Delivery.objects.all())
    asked = LeadFilter(query, queryset=rows, desk=desk)
    return asked.qs.order_by() if asked.is_valid() else rows.none()


def source_choices(desk: Desk) -> list[tuple[str, str]]:
    """Slug and name of each source that this buyer has leads from, where the agreement shows it."""
    mine = Delivery.objects.filter(source=OuterRef("pk"), buyer=desk.actor.party_id)
    sources = Source.objects.filter(Exists(mine), flow__in=desk.source_flows).order_by("name", "pk")
    return list({source.slug: (source.slug, source.name) for source in reversed(sources)}.values())[::-1]
