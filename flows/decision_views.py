"""The sellers' pages of what rules decided and suggest: read, approve, dismiss, take back."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import BooleanField, Case, QuerySet, Value, When
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from flows.actions import in_the_way
from flows.actions.base import BadRule, CannotUndo, Changed
from flows.clearing import was_left
from flows.decisions import PARTS, explain, headline, undo
from flows.facts import facts_of
from flows.filters import DecisionFilter
from flows.models import Decision
from flows.suggestions import PlanChanged, approve, dismiss, plan, seal, suggested, was_withdrawn
from flows.tables import DecisionTable
from flows.wording import reason_of, state_words
from portal.access import SELLERS, ActorRequest, Role, allow, get_or_404
from portal.tables import TableView

ASKING = ["GET", "HEAD", "POST"]
Status = Decision.Status


class DecisionList(TableView):
    """Every decision, with the numbers it was taken on; those first that wait for a person."""

    model = Decision
    table_class, filterset_class = DecisionTable, DecisionFilter
    template_name = "flows/decision_list.html"
    roles = SELLERS
    title = "Decisions"
    nouns = "decisions"

    def get_rows(self) -> QuerySet[Any]:
        waits = Case(
            When(status=Status.SUGGESTED, then=Value(False)), default=Value(True), output_field=BooleanField()
        )
        rows = Decision.objects.select_related(*PARTS).annotate(answered=waits)
        return rows.order_by("answered", "-decided_at", "-pk")

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


@require_safe
@allow(*SELLERS)
def decision_detail(request: ActorRequest, pk: int) -> HttpResponse:
    """One decision, for a person who was not there."""
    decision = _of(request, pk)
    context = {
        **_told(decision),
        "facts": facts_of(decision),
        "withdrawn": was_withdrawn(decision),
        "left": was_left(decision),
    }
    return render(request, "flows/decision_detail.html", context)


@require_http_methods(ASKING)
@allow(Role.SELLER_OWNER)
def decision_approve(request: ActorRequest, pk: int) -> HttpResponse:
    """Show what the suggestion would do now, then do it; where that is not what was shown, ask again."""
    decision = _of(request, pk)
    if request.method != "POST":
        return _ask_to_approve(request, decision)
    seen = request.POST.get("seen", "")
    try:
        answered = approve(decision, user=request.user, seen=seen)  # type: ignore[arg-type]  # logged in
    except PlanChanged:
        return _ask_to_approve(request, decision, status=409)
    except BadRule as bad:
        messages.error(request, f"This cannot be carried out: {bad}")
        return redirect("decision-list")
    if answered.answered_by_id == request.user.pk and answered.status == Status.APPLIED:
        messages.success(request, f"Approved: {headline(answered)}.")
    else:
        messages.info(request, f"Nothing was done: {_answered(answered)}.")
    return redirect("decision-list")


def _ask_to_approve(request: ActorRequest, decision: Decision, status: int = 200) -> HttpResponse:
    """The plan as it would be carried out now, beside the one that was suggested."""
    context = {**_told(decision), "asks": decision.status == Status.SUGGESTED}
    if not context["asks"]:
        return render(request, "flows/decision_approve.html", {**context, "answer": _answered(decision)})
    try:
        change = plan(decision)
    except PlanChanged as gone:
        context |= {"pointless": True, "stands": state_words(gone.stands)}
    except BadRule as bad:
        context |= {"pointless": True, "fault": str(bad)}
    else:
        context |= {
            "seen": seal(change),
            "changed": seal(change) != seal(suggested(decision)),
            "now_before": state_words(change.before),
            "now_after": state_words(change.after),
        }
    return render(request, "flows/decision_approve.html", context, status=status)


@require_http_methods(ASKING)
@allow(Role.SELLER_OWNER)
def decision_dismiss(request: ActorRequest, pk: int) -> HttpResponse:
    """Ask, then decide against a suggestion."""
    decision = _of(request, pk)
    if request.method != "POST":
        context = {**_told(decision), "asks": decision.status == Status.SUGGESTED}
        return render(request, "flows/decision_dismiss.html", {**context, "answer": _answered(decision)})
    answered = dismiss(decision, user=request.user)  # type: ignore[arg-type]  # logged in
    if answered.answered_by_id == request.user.pk and answered.status == Status.DISMISSED:
        messages.success(request, f"Dismissed: {headline(answered).removeprefix('Suggested: ')}.")
    else:
        messages.info(request, f"Nothing was done: {_answered(answered)}.")
    return redirect("decision-list")


@require_http_methods(ASKING)
@allow(Role.SELLER_OWNER)
def decision_undo(request: ActorRequest, pk: int) -> HttpResponse:
    """Ask, then take a decision back; where something was changed since, say what stands and ask again."""
    decision = _of(request, pk)
    if request.method != "POST":
        return _ask_to_undo(request, decision)
    try:
        undo(decision, user=request.user, force="force" in request.POST)  # type: ignore[arg-type]  # logged in
    except Changed as changed:
        return _ask_to_undo(request, decision, changed)
    except CannotUndo as reason:
        messages.error(request, str(reason))
    else:
        messages.success(request, f"Undone: {headline(decision)}.")
    return redirect("decision-list")


def _ask_to_undo(request: ActorRequest, decision: Decision, changed: Changed | None = None) -> HttpResponse:
    """With what has changed it since, if anything has: said before anybody is asked to go on."""
    status = 409 if changed else 200
    if changed is None and decision.status == Status.APPLIED:
        changed = in_the_way(decision)
    context = {
        **_told(decision),
        "stands": state_words(changed.stands) if changed else "",
        "stands_reason": reason_of(changed.stands) if changed else "",
        "since": changed.since if changed else (),
        "undone": decision.status == Status.UNDONE,
    }
    return render(request, "flows/decision_undo.html", context, status=status)


def _of(request: ActorRequest, pk: int) -> Decision:
    return get_or_404(request.actor, Decision.objects.select_related(*PARTS), pk=pk)


def _told(decision: Decision) -> dict[str, Any]:
    """What every page of a decision says of it."""
    return {
        "decision": decision,
        "headline": headline(decision),
        "why": explain(decision),
        "before": state_words(decision.before),
        "after": state_words(decision.after),
    }


def _answered(decision: Decision) -> str:
    """What has become of a suggestion: "it was approved by Sam Reyes"."""
    if why := was_withdrawn(decision):
        return f"it was withdrawn ({why})"
    who = decision.answered_by
    by = f" by {who.get_full_name() or who.username}" if who else ""
    if decision.status == Status.DISMISSED:
        return f"it was dismissed{by}"
    if decision.answered_at:
        return f"it was approved{by}"
    return "the rule acted by itself, so there was nothing to approve"
