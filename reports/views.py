"""The pages of what was learned."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, HttpResponseBase, HttpResponseNotModified
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_safe

from portal.access import SELLERS, ActorRequest, allow
from portal.formats import time
from reports import queries, words
from reports.dashboard import Dashboard, first_steps
from reports.events import SHOWN
from reports.exports import source_csv
from reports.forms import QuestionForm
from reports.freshness import etag
from reports.scope import Question, Scope
from reports.source_report import DEFAULT_SORT, report, with_curves
from reports.tables import head, rows


@require_safe
@allow(*SELLERS)
def dashboard(request: ActorRequest) -> HttpResponseBase:
    """How it goes now. The page asks for its middle again every few seconds: 304 while nothing is new."""
    form = QuestionForm(request.GET, Scope.of(request.actor), timezone.now())
    question = form.question(one_currency=True)
    board = Dashboard(question, queries.decisions(question, SHOWN), queries.alerts(question, SHOWN))
    tag, part = etag(board.question, board.decisions, board.alerts), _wants_part(request)
    response: HttpResponse
    if part and request.headers.get("If-None-Match") == tag:
        response = HttpResponseNotModified()
    else:
        response = _draw(request, form, board, tag)
    if part:
        response["ETag"] = tag
    response["X-As-Of"] = as_of(question)
    patch_cache_control(response, private=True, no_cache=True)
    return response


def _draw(request: ActorRequest, form: QuestionForm, board: Dashboard, tag: str) -> HttpResponse:
    part = _wants_part(request)
    query = form.query(board.question)
    context = {
        **_shared(form, board.question),
        "board": board,
        "steps": first_steps(form.scope),
        "etag": tag,
        "as_of": as_of(board.question),
        "part": part,
        "filtered": part and request.htmx.trigger != "board",  # not the page's own asking
        "address": _address("dashboard", query),
        "report_address": _address("source-report", query),
    }
    response = render(request, f"reports/dashboard.html{'#board' if part else ''}", context)
    if context["filtered"]:
        response["HX-Push-Url"] = context["address"]
    return response


@require_safe
@allow(*SELLERS)
def source_report(request: ActorRequest) -> HttpResponseBase:
    """What every source brought, on either clock."""
    form, question, sort = _asked(request)
    context = {
        **_shared(form, question),
        "sort": sort,
        "head": list(head(request.GET, sort)),
        "blocks": [rows(block) for block in report(question, sort)],
        "csv_address": _address("source-report-csv", request.GET.urlencode()),
    }
    return render(request, "reports/source_report.html", context)


@require_safe
@allow(*SELLERS)
def source_report_csv(request: ActorRequest) -> HttpResponseBase:
    """The same lines as a file."""
    _, question, sort = _asked(request)
    return source_csv(with_curves(report(question, sort), question), question)


def as_of(question: Question) -> str:
    """When the question was asked, to the second, in the person's time zone."""
    return time(timezone.localtime(question.now), seconds=True)


def _asked(request: ActorRequest) -> tuple[QuestionForm, Question, str]:
    form = QuestionForm(request.GET, Scope.of(request.actor), timezone.now())
    return form, form.question(one_currency=False), request.GET.get("sort", DEFAULT_SORT)


def _shared(form: QuestionForm, question: Question) -> dict[str, Any]:
    return {"form": form, "question": question, "days": words.days(question.period, form.today)}


def _wants_part(request: ActorRequest) -> bool:
    """Whether htmx asks for the middle of the page only."""
    htmx = request.htmx
    return bool(htmx and not htmx.boosted and not htmx.history_restore_request)


def _address(name: str, query: str) -> str:
    return f"{reverse(name)}?{query}" if query else reverse(name)
