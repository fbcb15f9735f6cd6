"""The sellers' pages of what they should know."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from flows.alerts import STANDS, mark_read, unread
from flows.filters import AlertFilter
from flows.models import Alert, AlertSettings
from flows.tables import AlertTable
from portal.access import SELLERS, ActorRequest, allow, get_or_404, visible_to
from portal.tables import TableView


class AlertList(TableView):
    """Every alert: first what still stands, then the newest."""

    model = Alert
    table_class, filterset_class = AlertTable, AlertFilter
    template_name = "flows/alert_list.html"
    roles = SELLERS
    title = "Alerts"
    nouns = "alerts"

    def get_rows(self) -> QuerySet[Any]:
        rows = Alert.objects.select_related("source", "flow", "decision", "resolves")
        return rows.annotate(stands=STANDS).order_by("-stands", "-created_at", "-pk")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        actor = self.request.actor
        context = {**super().get_context_data(**kwargs), "any_unread": unread(actor).exists()}
        if actor.may_configure:
            context["alert_settings"] = visible_to(actor, AlertSettings.objects.all()).first()
        return context


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
