"""The buyer's own API keys: made, named, limited, rotated, revoked by their managers; shown once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.timezone import get_current_timezone_name
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from feedback.desk import Desk
from feedback.developer_views import KEEPERS
from flows import key_rules, keys
from flows.key_rules import OverlapForm
from flows.models import ApiKey, Flow
from portal.access import ActorRequest, allow, get_or_404, visible_to
from portal.models import Buyer

GET_OR_POST = require_http_methods(["GET", "HEAD", "POST"])
LOCAL = "%Y-%m-%dT%H:%M"  # as a datetime-local input takes it


class KeyForm(forms.Form):
    """A key's name, the flows that it opens, and its end; for a new one its kind too."""

    name = forms.CharField(max_length=80, help_text="Which system will use it: “CRM”, “Zapier” …")
    livemode = key_rules.kind_field()
    flows = forms.ModelMultipleChoiceField(
        queryset=Flow.objects.none(), required=False, widget=forms.CheckboxSelectMultiple
    )
    expires_at = forms.DateTimeField(
        label="Ends",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=LOCAL),
        input_formats=[LOCAL, f"{LOCAL}:%S"],
    )

    def __init__(self, key: ApiKey, flows: list[Flow], data: Any = None) -> None:
        super().__init__(data, initial=_standing(key))
        self.key = key
        field: Any = self.fields["flows"]
        field.queryset = Flow.objects.filter(pk__in=[flow.pk for flow in flows]).order_by("name", "pk")
        limited = key.pk and not key.all_flows
        field.label = "The only flows that it opens" if limited else "Only these flows"
        field.help_text = "" if limited else "None ticked: every flow, also those that come later."
        zone = get_current_timezone_name()
        self.fields["expires_at"].help_text = f"Empty: until it is revoked. The time is read in {zone}."
        if key.pk:
            del self.fields["livemode"]

    def clean_expires_at(self) -> dt.datetime | None:
        expires: dt.datetime | None = self.cleaned_data["expires_at"]
        key_rules.still_to_come(expires, changed="expires_at" in self.changed_data)
        return expires

    def clean_flows(self) -> list[Flow]:
        field: Any = self.fields["flows"]
        chosen = list(self.cleaned_data["flows"])
        offered, changed = field.queryset.exists(), "flows" in self.changed_data
        key_rules.keep_the_limit(self.key, chosen, offered=offered, changed=changed)
        return chosen


def _standing(key: ApiKey) -> dict[str, Any]:
    """The form as it is first shown."""
    if not key.pk:
        return {}
    ends = (
        key.expires_at.replace(second=0, microsecond=0) if key.expires_at else None
    )  # as its control has it
    return {"name": key.name, "expires_at": ends, "flows": [] if key.all_flows else list(key.flows.all())}


@require_safe
@allow(*KEEPERS)
def key_list(request: ActorRequest) -> HttpResponse:
    """Every key of the buyer, those that work first."""
    rows = visible_to(request.actor, ApiKey.objects.prefetch_related("flows").select_related("replaced_by"))
    shown: list[dict[str, Any]] = [
        {"key": key, "state": key_rules.state_of(key), "opens": key_rules.opens(key), **_may(key)}
        for key in rows.order_by("-pk")
    ]
    shown.sort(key=lambda row: row["state"][1] == "bad")
    return render(request, "feedback/developers/key_list.html", {"rows": shown})


def _may(key: ApiKey) -> dict[str, bool]:
    """What can still be done to the key."""
    usable = key_rules.usable(key)
    return {"usable": usable, "rotates": key_rules.may_rotate(key), "revokes": key.revoked_at is None}


@sensitive_variables("text")
@GET_OR_POST
@allow(*KEEPERS)
def key_create(request: ActorRequest) -> HttpResponse:
    """Make a key, and show it this once."""
    form = KeyForm(ApiKey(), Desk(request.actor).flows, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        buyer = get_or_404(request.actor, Buyer.objects.all(), pk=request.actor.party_id)
        key, text = keys.issue(buyer=buyer, **{**given, "flows": given["flows"] or None})
        return _once(request, key, text)
    context = {"form": form, "title": "Make a key", "verb": "Make the key"}
    return render(request, "feedback/developers/key_form.html", context, status=422 if form.errors else 200)


@GET_OR_POST
@allow(*KEEPERS)
def key_edit(request: ActorRequest, pk: int) -> HttpResponse:
    """Another name, other flows, another end."""
    key = _key(request, pk)
    if not key_rules.usable(key):
        messages.info(request, f"“{key.name}” opens nothing any more, so there is nothing to change.")
        return redirect("key-list")
    form = KeyForm(key, Desk(request.actor).flows, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        ends = given["expires_at"] if "expires_at" in form.changed_data else key.expires_at
        key_rules.change(key, name=given["name"], flows=given["flows"], expires_at=ends)
        messages.success(request, f"“{key.name}” is saved.")
        return redirect("key-list")
    context = {"form": form, "key": key, "title": key.name, "verb": "Save"}
    return render(request, "feedback/developers/key_form.html", context, status=422 if form.errors else 200)


@sensitive_variables("text")
@GET_OR_POST
@allow(*KEEPERS)
def key_rotate(request: ActorRequest, pk: int) -> HttpResponse:
    """Replace a key; the old one lives on for a chosen time."""

    def run(key: ApiKey, answers: dict[str, Any]) -> HttpResponse:
        return _once(request, *keys.rotate(key, overlap=dt.timedelta(days=answers["days"])), old=key)

    return _ask(request, _key(request, pk), "rotate", OverlapForm, run)


@GET_OR_POST
@allow(*KEEPERS)
def key_revoke(request: ActorRequest, pk: int) -> HttpResponse:
    """Close a key at once and for good."""

    def run(key: ApiKey, answers: dict[str, Any]) -> HttpResponse:
        keys.revoke(key)
        messages.success(request, f"“{key.name}” is revoked: nobody gets in with it any more.")
        return redirect("key-list")

    return _ask(request, _key(request, pk), "revoke", forms.Form, run)


def _ask(
    request: ActorRequest,
    key: ApiKey,
    deed: str,
    asks: type[forms.Form],
    run: Callable[[ApiKey, dict[str, Any]], HttpResponse],
) -> HttpResponse:
    """Ask, then do; a key to which it cannot be done says so."""
    can = key_rules.may_rotate(key) if deed == "rotate" else key.revoked_at is None
    if not can:
        messages.info(request, f"“{key.name}” is revoked, expired or replaced already.")
        return redirect("key-list")
    form = asks(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            return run(key, form.cleaned_data)
        except ValidationError as error:  # done by somebody else in between
            form.add_error(None, error)
    return render(
        request,
        f"feedback/developers/key_{deed}.html",
        {"form": form, "key": key},
        status=422 if form.errors else 200,
    )


@sensitive_variables("text")
def _once(request: ActorRequest, key: ApiKey, text: str, old: ApiKey | None = None) -> HttpResponse:
    """The only page that ever shows the key: kept by no browser."""
    context = {"key": key, "text": text, "old": old, "command": key_rules.first_call(key, text)}
    response = render(request, "feedback/developers/key_once.html", context)
    response["Cache-Control"] = "no-store, private"
    return response


def _key(request: ActorRequest, pk: int) -> ApiKey:
    return get_or_404(request.actor, ApiKey.objects.prefetch_related("flows"), pk=pk)
