"""What may be asked of decisions and alerts; every choice is one that the actor may see."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet

from flows import actions
from flows.models import Alert, Decision, Flow, Rule, Source
from portal.access import visible_to


def _visible(model: Any) -> Any:
    """For a choice's queryset: the rows that the one who asks may see."""

    def rows(request: Any) -> QuerySet[Any]:
        return visible_to(request.actor, model.objects.all())

    return rows


class DecisionFilter(django_filters.FilterSet):
    """The decisions page's filters."""

    flow = django_filters.ModelChoiceFilter(
        queryset=_visible(Flow), to_field_name="public_id", label="Flow", empty_label="all"
    )
    source = django_filters.ModelChoiceFilter(queryset=_visible(Source), label="Source", empty_label="all")
    rule = django_filters.ModelChoiceFilter(queryset=_visible(Rule), label="Rule", empty_label="all")
    action = django_filters.ChoiceFilter(
        choices=[(name, action.label) for name, action in actions.REGISTRY.items()],
        label="Action",
        empty_label="all",
    )
    status = django_filters.ChoiceFilter(choices=Decision.Status.choices, label="Status", empty_label="all")

    class Meta:
        model = Decision
        fields: list[str] = []


class AlertFilter(django_filters.FilterSet):
    """The alerts page's filters."""

    unread = django_filters.ChoiceFilter(
        method="only_unread", choices=[("1", "unread")], label="Show", empty_label="all"
    )
    level = django_filters.ChoiceFilter(choices=Alert.Level.choices, label="Kind", empty_label="all")
    flow = django_filters.ModelChoiceFilter(
        queryset=_visible(Flow), to_field_name="public_id", label="Flow", empty_label="all"
    )

    class Meta:
        model = Alert
        fields: list[str] = []

    def only_unread(self, rows: QuerySet[Alert], name: str, value: str) -> QuerySet[Alert]:
        return rows.filter(read_at=None)
