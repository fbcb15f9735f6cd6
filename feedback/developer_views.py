"""The buyer's pages for whoever connects their systems: overview, log of requests, a request on trial."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_safe

from feedback.desk import Desk
from feedback.lead_requests import look_up
from feedback.request_tables import RequestFilter, RequestTable, own_keys, tone_of
from feedback.schema import compile_schema
from feedback.snippets import curl, pretty
from feedback.trial import try_out
from flows.examples import endpoint, example_body
from flows.explanations import explain
from flows.key_rules import state_of, usable
from flows.models import ApiKey, Flow, RequestLog
from portal.access import BUYERS, ActorRequest, Role, allow, get_or_404
from portal.tables import TableView

LONGEST = 70_000  # characters of a body on trial: enough to meet the limit of 64 KiB
EXAMPLE = "example"
KEEPERS = (Role.BUYER_MANAGER,)  # who makes, changes and ends the buyer's keys


@require_safe
@allow(*BUYERS)
def developers(request: ActorRequest) -> HttpResponse:
    """Where to begin: the flows with their guides, and the keys."""
    keys = [
        {"key": key, "word": word, "tone": tone}
        for key in own_keys(request)
        for word, tone in [state_of(key)]
    ]
    agreements = list(Desk(request.actor).agreements.values())
    context = {"keys": keys, "agreements": agreements, "makes_keys": request.actor.role in KEEPERS}
    return render(request, "feedback/developers/index.html", context)


class RequestList(TableView):
    """Every API request of the buyer's keys; asked for a lead, what stands for that lead too."""

    model = RequestLog
    table_class, filterset_class = RequestTable, RequestFilter
    template_name = "feedback/developers/request_list.html"
    roles = BUYERS
    title, nouns = "Request log", "requests"

    def get_rows(self) -> QuerySet[RequestLog]:
        return RequestLog.objects.select_related("api_key").defer("body")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        asked = self.request.GET.get("lead", "").strip()
        valid = asked and "\0" not in asked and len(asked) <= 200
        return {**context, "answer": look_up(self.request.actor, asked) if valid else None}


@require_safe
@allow(*BUYERS)
def request_detail(request: ActorRequest, pk: int) -> HttpResponse:
    """One request: what was sent, what was answered, what that means and what to do."""
    rows = RequestLog.objects.select_related("api_key", "flow")
    call = get_or_404(request.actor, rows, pk=pk)
    faults = [{**fault, "words": explain(fault["code"])} for fault in call.answer.get("errors", [])]
    context = {
        "call": call,
        "tone": tone_of(call),
        "words": explain(call.code) if call.code else None,
        "faults": faults,
        "more": call.answer.get("faults", 0) - len(faults),
        "body": pretty(json.loads(call.body)) if call.body else "",
    }
    return render(request, "feedback/developers/request_detail.html", context)


class TrialForm(forms.Form):
    """Which flow, with which key, and what is sent."""

    flow = forms.ChoiceField()
    key = forms.ChoiceField(
        help_text="Only its kind and its rights count here; the key itself is not needed."
    )
    body = forms.CharField(
        label="Body, JSON",
        strip=False,
        max_length=LONGEST,
        widget=forms.Textarea(attrs={"rows": 14, "spellcheck": "false", "class": "code"}),
        help_text="evt_test is the lead for trying out. The id of a lead of yours is checked too, and not "
        "changed.",
    )

    def __init__(self, flows: dict[str, Flow], keys: dict[str, ApiKey], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.flows, self.keys = flows, keys
        for name, choices in (
            ("flow", [(flow.public_id, flow.name) for flow in flows.values()]),
            ("key", [(pk, _key_label(key)) for pk, key in keys.items()]),
        ):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)  # noqa: S101  # declared above
            field.choices = choices


def _key_label(key: ApiKey) -> str:
    return f"{key.name} ({'live' if key.livemode else 'test'}, {key.prefix}…)"


@require_http_methods(["GET", "HEAD", "POST"])
@allow(*BUYERS)
def integration_test(request: ActorRequest) -> HttpResponse:
    """Send a request through the API's own code, as a test, and have the answer explained."""
    flows = {flow.public_id: flow for flow in Desk(request.actor).flows}
    keys = {str(key.pk): key for key in own_keys(request).prefetch_related("flows") if _opens(key)}
    makes = request.actor.role in KEEPERS
    if not flows or not keys:
        return render(request, "feedback/developers/test.html", {"flows": flows, "makes_keys": makes})
    sent = request.method == "POST" and EXAMPLE not in request.POST
    asked = request.POST if request.method == "POST" else request.GET
    flow = flows.get(asked.get("flow", "")) or next(iter(flows.values()))
    key = keys.get(asked.get("key", "")) or next(iter(keys.values()))
    form = TrialForm(flows, keys, request.POST if sent else None, initial=_fresh(flow, key))
    trial = None
    if sent and form.is_valid():
        trial = try_out(flow, key, form.cleaned_data["body"], request.request_id)
    context = {"form": form, "flow": flow, "key": key, "trial": trial, "curl": _command(flow, key, form)}
    context["makes_keys"] = makes
    return render(
        request, "feedback/developers/test.html", context, status=422 if sent and not trial else 200
    )


def _opens(key: ApiKey) -> bool:
    return usable(key)


def _fresh(flow: Flow, key: ApiKey) -> dict[str, Any]:
    """The form with an example that this flow takes."""
    body = pretty(example_body(flow, compile_schema(flow).fields))
    return {"flow": flow.public_id, "key": str(key.pk), "body": body}


def _command(flow: Flow, key: ApiKey, form: TrialForm) -> str:
    """The same request as a curl line, with a placeholder for the key."""
    body = str(form["body"].value() or "").replace("\r\n", "\n")
    return curl(endpoint(flow), body, "YOUR_LIVE_KEY" if key.livemode else "YOUR_TEST_KEY")
