"""The page on which a rule is tried on history."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from feedback.backtest import TooMuch, backtest, words
from flows.actions.base import BadRule
from flows.models import Rule
from portal.access import SELLERS, ActorRequest, allow, get_or_404

DAYS = (30, 90, 180)
USUAL_DAYS = 90
MOST = 50_000  # deliveries: what a request can live through in a few seconds
SHOWN = 200  # firings listed, the latest first


@require_safe
@allow(*SELLERS)
def rule_backtest(request: ActorRequest, pk: int) -> HttpResponse:
    """What the rule, as it is saved, would have done in the last days."""
    rule = get_or_404(request.actor, Rule.objects.select_related("flow"), pk=pk)
    asked = request.GET.get("days", "")
    days = int(asked) if asked in map(str, DAYS) else USUAL_DAYS
    context = {"rule": rule, "days": days, "choices": DAYS}
    try:
        result = backtest(rule, days=days, most=MOST)
    except BadRule as bad:
        context["fault"] = str(bad)
    except TooMuch as much:
        context["too_much"] = much.count
    else:
        context |= {
            "result": result,
            "period": words.period(result),
            "headline": words.headline(result),
            "figures": words.figures(result),
            "nearest": words.nearest(result),
            "cautions": list(words.cautions(result)),
            "firings": [(each, words.meaning(each, rule.flow)) for each in result.firings[: -SHOWN - 1 : -1]],
            "more": len(result.firings) - SHOWN,
        }
    return render(request, "feedback/rule_backtest.html", context)
