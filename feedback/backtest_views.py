"""The pages on which a rule is tried on history: as it is saved, and as it stands in its form."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from feedback.backtest import TooMuch, backtest, words
from flows.actions.base import BadRule
from flows.admin.rule_trial import TRY, TriedRules, typed_rule, values_sent
from flows.models import Rule
from portal.access import SELLERS, ActorRequest, Role, allow, get_or_404

DAYS = (30, 90, 180)
USUAL_DAYS = 90
MOST = 50_000  # deliveries: what a request can live through in a few seconds
SHOWN = 200  # firings listed, the latest first


@require_safe
@allow(*SELLERS)
def rule_backtest(request: ActorRequest, pk: int) -> HttpResponse:
    """What the rule, as it is saved, would have done in the last days."""
    rule = get_or_404(request.actor, Rule.objects.select_related("flow"), pk=pk)
    return render(request, "feedback/rule_backtest.html", _tried(rule, request.GET.get("days", "")))


@require_POST
@allow(Role.SELLER_OWNER)
def rule_try(request: ActorRequest, pk: int | None = None) -> HttpResponse:
    """What a rule would have done as it stands in its form, new or changed. Saves nothing: the page carries
    what was typed, back to the form or on to saving. A form with errors is shown again with them."""
    rules = cast(TriedRules, admin.site.get_model_admin(Rule))
    form = rules.typed(request, pk)
    if not form.is_valid():
        return rules.as_typed(request, pk)
    typed = {"sent": values_sent(request, form), "form_url": rules.form_url(pk), "try_name": TRY}
    context = {**_tried(typed_rule(form), request.POST.get("days", "")), "typed": typed}
    return render(request, "feedback/rule_backtest.html", context)


def _tried(rule: Rule, asked: str) -> dict[str, Any]:
    """The page's words on the rule, tried on as many days as were asked for, or the usual ones."""
    days = int(asked) if asked in map(str, DAYS) else USUAL_DAYS
    context: dict[str, Any] = {"rule": rule, "days": days, "choices": DAYS}
    try:
        result = backtest(rule, days=days, most=MOST)
    except BadRule as bad:
        return {**context, "fault": str(bad)}
    except TooMuch as much:
        return {**context, "too_much": much.count}
    return {
        **context,
        "result": result,
        "period": words.period(result),
        "headline": words.headline(result),
        "figures": words.figures(result),
        "nearest": words.nearest(result),
        "cautions": list(words.cautions(result)),
        "firings": [(each, words.meaning(each, rule.flow)) for each in result.firings[: -SHOWN - 1 : -1]],
        "more": len(result.firings) - SHOWN,
    }
