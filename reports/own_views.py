"""A buyer's own numbers, as a page and as files."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from feedback.desk import Desk
from portal.access import BUYERS, ActorRequest, allow
from reports import words
from reports.forms import QuestionForm
from reports.own_exports import own_csv
from reports.own_figures import own_figures
from reports.own_numbers import OwnNumbers
from reports.own_tables import compliance_rows, source_rows, week_rows
from reports.scope import Scope


@require_safe
@allow(*BUYERS)
def my_numbers(request: ActorRequest) -> HttpResponseBase:
    """What the buyer's leads cost and brought in, by source and by week, and how the schedule was kept."""
    form, numbers = _asked(request)
    question = numbers.question
    query = form.query(question)
    began = bool(question.flows and form.scope.sources)
    context: dict[str, Any] = {
        "form": form,
        "question": question,
        "days": words.days(question.period, form.today),
        "numbers": numbers,
        "figures": own_figures(numbers.share, numbers.total, question.currency, question.ages)
        if began
        else (),
        "sources": source_rows(numbers),
        "weeks": week_rows(numbers),
        "compliance": compliance_rows(numbers),
        "query": query,
        "began": began,
    }
    return render(request, "reports/my_numbers.html", context)


@require_safe
@allow(*BUYERS)
def my_numbers_csv(request: ActorRequest) -> HttpResponseBase:
    """The lines by source, or with ``by=week`` those by week, as a file."""
    _, numbers = _asked(request)
    return own_csv(numbers, by_week=request.GET.get("by") == "week")


def _asked(request: ActorRequest) -> tuple[QuestionForm, OwnNumbers]:
    agreements = Desk(request.actor).agreements
    scope = Scope.of_buyer(request.actor, agreements.values())
    form = QuestionForm(request.GET, scope, timezone.now())
    return form, OwnNumbers(form.question(one_currency=True), agreements)
