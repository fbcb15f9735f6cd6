"""The sellers' pages of what rules decided and of what they should know."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST

from flows.actions.base import CannotUndo, Changed
from flows.alerts import mark_read, unread
from flows.decisions import explain, headline, undo
from flows.filters import AlertFilter, DecisionFilter
from flows.models import Alert, Decision
from flows.tables import AlertTable, DecisionTable
from flows.wording import reason_of, state_words
from portal.access import SELLERS, ActorRequest, Role, allow, get_or_404, visible_to
from portal.tables import TableView

PARTS = ("source", "flow", "rule", "delivery", "undone_by")


class DecisionList(TableView):
    """Every decision, with the numbers it was taken on."""

    model = Decision
    table_class, filterset_class = DecisionTable, DecisionFilter
    template_name = "flows/decision_list.html"
    roles = SELLERS
    title = "Decisions"
    nouns = "decisions"

    def get_rows(self) -> QuerySet[Any]:
        return Decision.objects.select_related(*PARTS)

    def get_filterset_kwargs(self, filterset_class: Any) -> dict[str, Any]:
        asked = self.request.GET.copy()
        asked.setdefault("about", "sources")
        return {**super().get_filterset_kwargs(filterset_class), "data": asked}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Without a decision of any kind the page says so, though it asks for those about sources."""
        context = super().get_context_data(**kwargs)
        asked = any(self.request.GET.get(name) for name in context["filter"].form.fields)
        hidden = not context["table"].paginator.count and self.get_queryset().exists()
        return {**context, "filtered": asked or hidden}


class AlertList(TableView):
    """Every alert, newest first."""

    model = Alert
    table_class, filterset_class = AlertTable, AlertFilter
    template_name = "flows/alert_list.html"
    roles = SELLERS
    title = "Alerts"
    nouns = "alerts"

    def get_rows(self) -> QuerySet[Any]:
        return Alert.objects.select_related("source", "flow", "decision")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), "any_unread": unread(self.request.actor).exists()}


@require_http_methods(["GET", "HEAD", "POST"])
@allow(Role.SELLER_OWNER)
def decision_undo(request: ActorRequest, pk: int) -> HttpResponse:
    """Ask, then take a decision back; where something was changed since, say what stands and ask again."""
    decision = get_or_404(request.actor, Decision.objects.select_related(*PARTS), pk=pk)
    if request.method != "POST":
        return _ask(request, decision)
    try:
        undo(decision, user=request.user, force="force" in request.POST)  # type: ignore[arg-type]  # logged in
    except Changed as changed:
        return _ask(request, decision, changed)
    except CannotUndo as reason:
        messages.error(request, str(reason))
    else:
        messages.success(request, f"Undone: {headline(decision)}.")
    return redirect("decision-list")


def _ask(request: ActorRequest, decision: Decision, changed: Changed | None = None) -> HttpResponse:
    context = {
        "decision": decision,
        "headline": headline(decision),
        "why": explain(decision),
        "before": state_words(decision.before),
        "after": state_words(decision.after),
        "stands": state_words(changed.stands) if changed else "",
        "stands_reason": reason_of(changed.stands) if changed else "",
        "undone": decision.status == Decision.Status.UNDONE,
    }
    return render(request, "flows/decision_undo.html", context, status=409 if changed else 200)


@require_POST
@allow(*SELLERS)
def alert_read(request: ActorRequest, pk: int) -> HttpResponse:
    """Mark one alert as read."""
    alert = get_or_404(request.actor, Alert.objects.all(), pk=pk)
    mark_read(Alert.objects.filter(pk=alert.pk))
    return _back(request)


@require_POST
@allow(*SELLERS)
def alert_read_all(request: ActorRequest) -> HttpResponse:
    """Mark every alert as read."""
    count = mark_read(visible_to(request.actor, Alert.objects.all()))
    messages.success(request, f"{count} alert{'' if count == 1 else 's'} marked as read.")
    return _back(request)


def _back(request: ActorRequest) -> HttpResponse:
    """To the list as it was filtered; never to another site."""
    there = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(there, {request.get_host()}, request.is_secure()):
        there = resolve_url("alert-list")
    return HttpResponseRedirect(there)
