"""What may be asked of decisions and alerts; every choice is one that the actor may see."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import Q, QuerySet
from django_filters.fields import ModelChoiceField

from flows import actions
from flows.alerts import OPEN
from flows.models import Alert, Decision, Flow, Rule, Source
from portal.access import visible_to


def _visible(model: Any, *with_: str) -> Any:
    """For a choice's queryset: the rows that the one who asks may see; ``with_``: read along with them."""

    def rows(request: Any) -> QuerySet[Any]:
        rows_ = model.objects.select_related(*with_) if with_ else model.objects.all()
        return visible_to(request.actor, rows_)

    return rows


class OfFlowField(ModelChoiceField):
    """Names the flow too: every new flow brings rules of the same names, and sources may share theirs."""

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.name} · {obj.flow.name}"


class OfFlowFilter(django_filters.ModelChoiceFilter):
    """A choice of rows that belong to a flow."""

    field_class = OfFlowField


class DecisionFilter(django_filters.FilterSet):
    """The decisions page's filters.

    Decisions about one contact come by the hundred and would bury the few about sources, so the page begins
    with those; who asks for a rule or an action gets it whatever it is about, and what waits for a person is
    always there.
    """

    about = django_filters.ChoiceFilter(
        method="only_about",
        choices=[("sources", "sources"), ("contacts", "contacts")],
        label="About",
        empty_label="all",
    )
    flow = django_filters.ModelChoiceFilter(
        queryset=_visible(Flow), to_field_name="public_id", label="Flow", empty_label="all"
    )
    source = OfFlowFilter(queryset=_visible(Source, "flow"), label="Source", empty_label="all")
    rule = OfFlowFilter(queryset=_visible(Rule, "flow"), label="Rule", empty_label="all")
    action = django_filters.ChoiceFilter(
        choices=[(name, action.label) for name, action in actions.REGISTRY.items()],
        label="Action",
        empty_label="all",
    )
    status = django_filters.ChoiceFilter(choices=Decision.Status.choices, label="Status", empty_label="all")

    class Meta:
        model = Decision
        fields: list[str] = []

    def only_about(self, rows: QuerySet[Decision], name: str, value: str) -> QuerySet[Decision]:
        asked = self.form.cleaned_data
        if asked.get("rule") or asked.get("action"):
            return rows
        return rows.filter(Q(delivery__isnull=value == "sources") | Q(status=Decision.Status.SUGGESTED))


class AlertFilter(django_filters.FilterSet):
    """The alerts page's filters."""

    unread = django_filters.ChoiceFilter(
        method="only_unread", choices=[("1", "unread")], label="Show", empty_label="all"
    )
    state = django_filters.ChoiceFilter(
        method="only_in_state",
        choices=[("open", "still there"), ("resolved", "resolved")],
        label="State",
        empty_label="all",
    )
    level = django_filters.ChoiceFilter(choices=Alert.Level.choices, label="Kind", empty_label="all")
    flow = django_filters.ModelChoiceFilter(
        queryset=_visible(Flow), to_field_name="public_id", label="Flow", empty_label="all"
    )

    class Meta:
        model = Alert
        fields: list[str] = []

    def only_in_state(self, rows: QuerySet[Alert], name: str, value: str) -> QuerySet[Alert]:
        return rows.filter(OPEN if value == "open" else Q(resolved_at__isnull=False))

    def only_unread(self, rows: QuerySet[Alert], name: str, value: str) -> QuerySet[Alert]:
        return rows.filter(read_at=None)
