"""The list of returns of either side, and the seller's decisions on one or many of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.db.models import BooleanField, Case, DateTimeField, F, QuerySet, Value, When
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.functional import cached_property
from django.views.decorators.http import require_http_methods, require_POST

from feedback.models import ReturnRequest
from feedback.return_desk import Viewer
from feedback.return_filters import ALL, WAITING, ReturnFilter
from feedback.return_forms import DecisionForm, ReasonForm, ReplacementForm
from feedback.return_tables import ReturnTable
from feedback.return_views import ASKING, detail_page, return_of
from feedback.returns.decide import APPROVE, REJECT, decide, reopen, replace_by
from feedback.wording import money
from flows.models import Agreement, ConversionStatus
from flows.problems import Problem, ProblemError
from portal.access import BUYERS, SELLERS, ActorRequest, Role, allow, visible_to
from portal.tables import TableView

MOST = 500  # decided together
SHOWN = 20  # of them on the page that asks
TICKED = re.compile(r"(ret_\w{1,60})(?::(\d{1,9}))?", re.ASCII)
DONE = {APPROVE: "approved", REJECT: "rejected"}
Status = ReturnRequest.Status
PARTS = ("delivery__lead", "delivery__source", "delivery__flow", "flow", "buyer")


class ReturnList(TableView):
    """Sellers begin with what waits for their decision; buyers see all of theirs, what waits first."""

    model = ReturnRequest
    table_class, filterset_class = ReturnTable, ReturnFilter
    template_name = "feedback/return_list.html"
    roles = (*SELLERS, *BUYERS)
    title, nouns = "Returns", "returns"

    @cached_property
    def viewer(self) -> Viewer:
        return Viewer(self.request.actor)

    def get_rows(self) -> QuerySet[Any]:
        return in_order(ReturnRequest.objects.select_related(*PARTS))

    def get_filterset_kwargs(self, filterset_class: Any) -> dict[str, Any]:
        return {**super().get_filterset_kwargs(filterset_class), "data": asked(self.request)}

    def get_table(self, **kwargs: Any) -> ReturnTable:
        table: ReturnTable = super().get_table(
            viewer=self.viewer,
            several_flows=self.filterset.several_flows,
            decides=self.request.actor.may_configure,
            now=timezone.now(),
            **kwargs,
        )
        return table

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Who asked for nothing and finds nothing waiting is told so, and where the others are."""
        context = super().get_context_data(**kwargs)
        table, actor = context["table"], self.request.actor
        narrowed = any(self.request.GET.get(name) for name in context["filter"].form.fields)
        if not table.paginator.count and not narrowed and self.get_queryset().exists():
            table.empty_title, table.empty_hint = "Nothing waits for you", "Every return has been decided."
            context["others"] = True
        decidable = any(each.is_open for each in table.page.object_list.data) if table.page else False
        return {
            **context,
            "filtered": narrowed,
            "decides": actor.may_configure and decidable,
            "query": self.request.GET.urlencode(),
            "all": ALL,
        }


def in_order(rows: QuerySet[ReturnRequest]) -> QuerySet[ReturnRequest]:
    """What waits first, the nearest deadline on top; then the others, the latest first."""
    waits = Case(
        When(status=Status.REQUESTED, then=Value(False)), default=Value(True), output_field=BooleanField()
    )
    due = Case(When(status=Status.REQUESTED, then=F("due_at")), output_field=DateTimeField())
    return rows.annotate(settled=waits, waits_until=due).order_by(
        "settled", "waits_until", "-requested_at", "-pk"
    )


def asked(request: ActorRequest, query: QueryDict | None = None) -> QueryDict:
    """The filters, with the status that each side begins with."""
    data = (query if query is not None else request.GET).copy()
    if not data.get("status"):
        data["status"] = ALL if request.actor.is_buyer else WAITING
    return data


@require_http_methods(ASKING)
@allow(Role.SELLER_OWNER)
def return_decide(request: ActorRequest) -> HttpResponse:
    """Say what will be decided, on how many and for how much; then do it, all or nothing.

    The form carries each return's version: what has changed since it was shown is shown again instead.
    """
    sent = request.POST if request.method == "POST" else request.GET
    verdict = sent.get("verdict", APPROVE)
    if verdict not in DONE:
        raise Http404("A return is approved or rejected.")
    if request.method != "POST":
        return _deciding(request, verdict, _chosen(request))
    seen = _seen(request)
    rows = [row for row in _rows(request, list(seen)) if row.is_open]
    form = DecisionForm(verdict, request.POST, offers=_offers(rows))
    if not form.is_valid():
        return _deciding(request, verdict, rows, form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    if not seen:
        return _deciding(request, verdict, [], status=HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        decided = decide(
            _keys(request, seen),
            verdict,
            request.actor,
            remedy=form.chosen,
            note=form.cleaned_data["note"],
            request_id=request.request_id,
        )
    except ProblemError as error:
        fresh = [row for row in _rows(request, list(seen)) if row.is_open]
        return _deciding(request, verdict, fresh, form, problem=error.problem)
    messages.success(request, _said(verdict, decided))
    if len(decided) == 1:
        return redirect("return-detail", decided[0].public_id)
    return redirect("return-list")


@require_http_methods(ASKING)
@allow(Role.SELLER_OWNER)
def return_reopen(request: ActorRequest, return_id: str) -> HttpResponse:
    """Ask why, then take a decision back."""
    row = return_of(request, return_id)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    problem: Problem | None = None
    if request.method == "POST" and form.is_valid():
        version = request.POST.get("version", "")
        try:
            reopen(
                row,
                int(version) if version.isascii() and version.isdecimal() else -1,
                request.actor,
                note=form.cleaned_data["note"],
                request_id=request.request_id,
            )
        except ProblemError as error:
            problem, row = error.problem, return_of(request, return_id)
        else:
            messages.success(request, "Taken back. The return waits for a decision again.")
            return redirect("return-detail", return_id)
    context = {
        "row": row,
        "title": Viewer(request.actor).title(row.delivery),
        "price": money(row.delivery.price, row.flow),
        "form": form,
        "problem": problem,
        "settled": row.is_granted or row.status == Status.REJECTED,
    }
    faulty = request.method == "POST" and not form.is_valid()
    status = problem.status if problem else HTTPStatus.UNPROCESSABLE_ENTITY if faulty else HTTPStatus.OK
    return render(request, "feedback/return_reopen.html", context, status=status)


@require_POST
@allow(Role.SELLER_OWNER)
def return_replace(request: ActorRequest, return_id: str) -> HttpResponse:
    """Name the lead that takes the returned one's place."""
    row = return_of(request, return_id)
    form = ReplacementForm(request.POST)
    if form.is_valid():
        try:
            replace_by(row, form.cleaned_data["lead_id"], request.actor)
        except ProblemError as error:
            if not error.problem.faults:
                messages.error(request, error.problem.detail)
                return redirect("return-detail", return_id)
            form.add_error("lead_id", error.problem.faults[0].message)
        else:
            messages.success(request, "Named. The buyer has been told.")
            return redirect("return-detail", return_id)
    return detail_page(request, row, replacement_form=form, status=HTTPStatus.UNPROCESSABLE_ENTITY)


def _chosen(request: ActorRequest) -> list[ReturnRequest]:
    """What was ticked, or with ``all`` what the filters match; of it what waits, up to `MOST`."""
    if "all" in request.GET:
        rows = visible_to(request.actor, in_order(ReturnRequest.objects.select_related(*PARTS)))
        found = ReturnFilter(asked(request), queryset=rows, request=request)
        return list(found.qs.filter(status=Status.REQUESTED)[:MOST]) if found.is_valid() else []
    named = [match[1] for each in request.GET.getlist("return") if (match := TICKED.fullmatch(each))]
    return [row for row in _rows(request, named) if row.is_open]


def _seen(request: ActorRequest) -> dict[str, int]:
    """Return's id → its version on the page that was answered."""
    matches = (TICKED.fullmatch(each) for each in request.POST.getlist("return")[: MOST + 1])
    return {match[1]: int(match[2] or -1) for match in matches if match}


def _rows(request: ActorRequest, named: Sequence[str]) -> list[ReturnRequest]:
    """Those of the named that the actor may see. 404 where one of them is not."""
    rows = ReturnRequest.objects.select_related(*PARTS).filter(public_id__in=named[:MOST])
    found = list(in_order(visible_to(request.actor, rows)))
    if len(found) < len(set(named[:MOST])):
        raise Http404("There is nothing here, or it is not yours to see.")
    return found


def _keys(request: ActorRequest, seen: dict[str, int]) -> dict[int, int]:
    return {row.pk: seen[row.public_id] for row in _rows(request, list(seen))}


def _deciding(
    request: ActorRequest,
    verdict: str,
    rows: Sequence[ReturnRequest],
    form: DecisionForm | None = None,
    *,
    problem: Problem | None = None,
    status: int = 200,
) -> HttpResponse:
    offers = _offers(rows)
    context = {
        "verdict": verdict,
        "approves": verdict == APPROVE,
        "rows": rows,
        "shown": rows[:SHOWN],
        "more": max(len(rows) - SHOWN, 0),
        "viewer": Viewer(request.actor),
        "sums": _sums(rows),
        "sold": sum(row.delivery.conversion_status == ConversionStatus.SOLD for row in rows),
        "wishes": sum(row.wanted == ReturnRequest.Remedy.REPLACEMENT for row in rows),
        "form": form or DecisionForm(verdict, offers=offers),
        "problem": problem,
        "at_most": MOST if len(rows) == MOST else None,
        "back": request.GET.get("all") is not None,
    }
    return render(
        request, "feedback/return_decide.html", context, status=problem.status if problem else status
    )


def _offers(rows: Sequence[ReturnRequest]) -> bool:
    """Whether another lead may take the place of any of these."""
    if any(row.wanted == ReturnRequest.Remedy.REPLACEMENT for row in rows):
        return True
    parties = {(row.flow_id, row.buyer_id) for row in rows}
    offering = Agreement.objects.filter(offers_replacement=True, flow__in={flow for flow, _ in parties})
    return any(pair in parties for pair in offering.values_list("flow_id", "buyer_id"))


def _sums(rows: Sequence[ReturnRequest]) -> list[str]:
    """What the leads cost together, for each currency."""
    by_currency: dict[str, list[ReturnRequest]] = {}
    for row in rows:
        by_currency.setdefault(row.flow.currency, []).append(row)
    return [
        money(sum((row.delivery.price for row in group), start=group[0].delivery.price * 0), group[0].flow)
        for _, group in sorted(by_currency.items())
    ]


def _said(verdict: str, rows: Sequence[ReturnRequest]) -> str:
    what = f"{len(rows)} returns {DONE[verdict]}" if len(rows) != 1 else f"Return {DONE[verdict]}"
    credited = _sums([row for row in rows if row.status == Status.CREDITED])
    return f"{what}: {' and '.join(credited)} credited." if credited else f"{what}."
