"""What may be asked of returns and of credits; every choice is one that the actor may see."""

from __future__ import annotations

import datetime as dt
from typing import Any

import django_filters
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.formats import date_format

from feedback.models import Credit, ReturnRequest
from flows.models import Flow
from portal.access import Actor, visible_to
from portal.models import Buyer
from portal.tables import SearchFilter

Status = ReturnRequest.Status
WAITING, OVERDUE, ALL = "waiting", "overdue", "all"
STATES = (
    (WAITING, "waiting"),
    (OVERDUE, "overdue"),
    (Status.APPROVED.value, "lead owed"),
    (Status.CREDITED.value, "credited"),
    (Status.REPLACED.value, "replaced"),
    (Status.REJECTED.value, "rejected"),
    (Status.WITHDRAWN.value, "withdrawn"),
    (ALL, "all"),
)
MOST_CHOICES, MONTHS = 100, 36


class PartyFilter(django_filters.FilterSet):
    """By flow, and for sellers by buyer; a filter that would tell nothing apart is left out."""

    flow = django_filters.ChoiceFilter(field_name="flow__public_id", label="Flow", empty_label="all")
    buyer = django_filters.ChoiceFilter(field_name="buyer__public_id", label="Buyer", empty_label="all")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        actor: Actor = self.request.actor
        self.several_flows = self.offer("flow", _named(actor, Flow.objects.all()))
        self.offer("buyer", [] if actor.is_buyer else _named(actor, Buyer.objects.all()))

    def offer(self, name: str, choices: list[tuple[str, str]], least: int = 2) -> bool:
        """→ whether there is enough to choose from."""
        if len(choices) < least:
            del self.filters[name]
            return False
        self.filters[name].extra["choices"] = choices
        return True


def _named(actor: Actor, rows: Any) -> list[tuple[str, str]]:
    return list(
        visible_to(actor, rows).order_by("name", "pk").values_list("public_id", "name")[:MOST_CHOICES]
    )


class ReturnFilter(PartyFilter):
    """The filters of returns. ``status`` is always asked for: see `ReturnList`."""

    q = SearchFilter(method="search", label="Search lead or return by id")
    status = django_filters.ChoiceFilter(method="in_state", choices=STATES, label="Status", empty_label=None)
    reason = django_filters.ChoiceFilter(label="Reason", empty_label="all")

    class Meta:
        model = ReturnRequest
        fields: list[str] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        seen = visible_to(self.request.actor, ReturnRequest.objects.all()).order_by("reason")
        reasons = seen.values_list("reason", flat=True).distinct()[:MOST_CHOICES]
        self.offer("reason", [(each, each) for each in reasons])

    def in_state(self, rows: QuerySet[ReturnRequest], name: str, value: str) -> QuerySet[ReturnRequest]:
        if value == ALL:
            return rows
        if value == OVERDUE:
            return rows.filter(status=Status.REQUESTED, due_at__lt=timezone.now())
        return rows.filter(status=Status.REQUESTED if value == WAITING else value)

    def search(self, rows: QuerySet[ReturnRequest], name: str, value: str) -> QuerySet[ReturnRequest]:
        text = value.strip()
        by_lead = Q(delivery__public_id__iexact=text) | Q(delivery__external_id__iexact=text)
        return rows.filter(by_lead | Q(public_id__iexact=text)) if text else rows


class CreditFilter(PartyFilter):
    """The filters of the ledger."""

    month = django_filters.ChoiceFilter(method="in_month", label="Month", empty_label="all")
    kind = django_filters.ChoiceFilter(choices=Credit.Kind.choices, label="Entry", empty_label="all")

    class Meta:
        model = Credit
        fields: list[str] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        months = visible_to(self.request.actor, Credit.objects.all()).dates("booked_on", "month", "DESC")
        choices = [(f"{day:%Y-%m}", date_format(day, "F Y")) for day in months[:MONTHS]]
        self.offer("month", choices, least=1)

    def in_month(self, rows: QuerySet[Credit], name: str, value: str) -> QuerySet[Credit]:
        """Only months that are offered come here."""
        year, month = value.split("-")
        first = dt.date(int(year), int(month), 1)
        after = (first + dt.timedelta(days=31)).replace(day=1)
        return rows.filter(booked_on__gte=first, booked_on__lt=after)
