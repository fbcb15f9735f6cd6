"""The page that sends again what an endpoint has missed: asks since when, says how many, then does it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.timezone import get_current_timezone_name

from flows.endpoints import given_up
from flows.models import Endpoint
from flows.outbox import send_again


class SinceForm(forms.Form):
    """From when on."""

    since = forms.DateTimeField(
        label="Happened since",
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["since"].help_text = f"The time is read in {get_current_timezone_name()}."


def resend_page(page: Any, request: HttpRequest, pk: int) -> HttpResponse:
    """GET asks, and with a time given says how many there are; POST with that time sends them again.

    ``page``: the endpoints' admin page, which knows whose endpoint it is.
    """
    endpoint: Endpoint = page.own_or_404(request, str(pk))
    if not page.may_act(request, endpoint):
        raise PermissionDenied("Your role does not allow this.")
    asked = request.POST if request.method == "POST" else request.GET
    form = SinceForm(asked if "since" in asked else None)
    context = {
        **page.admin_site.each_context(request),
        "title": "Send failed ones again",
        "opts": page.opts,
        "row": endpoint,
        "back": page.address(endpoint),
        "form": form,
        "all": given_up(endpoint).count(),
    }
    if form.is_valid():
        found = given_up(endpoint).filter(created_at__gte=form.cleaned_data["since"])
        if request.method == "POST":
            count = send_again(found, now=timezone.now())
            page.log_change(request, endpoint, f"Sent {count} again")
            messages.success(
                request, f"{count:,} will be sent again, with the ids and contents that they had."
            )
            return HttpResponseRedirect(page.address(endpoint))
        context["count"] = found.count()
    return TemplateResponse(request, "admin/flows/endpoint/resend.html", context)
