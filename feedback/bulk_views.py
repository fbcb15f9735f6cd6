"""The buyer's pages of bulk changes: ask, look at what would happen, confirm, follow."""

from __future__ import annotations

import re
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from feedback.bulk import AT_ONCE, MOST, confirm, flows_of, leads_of, propose
from feedback.bulk_forms import BulkForm, texts_of
from feedback.bulk_question import in_short, look
from feedback.bulk_work import start
from feedback.desk import Desk, Sheet
from feedback.filters import matching
from feedback.history_words import left_words, said_of_bulk
from feedback.models import BulkChange, BulkLead
from feedback.told import told
from feedback.undo_sets import why_not, with_all
from flows.problems import ProblemError
from portal.access import BUYERS, ActorRequest, allow, get_or_404
from portal.capped import capped

SEEN = re.compile(r"([A-Za-z0-9_-]{1,64}):(\d{1,9})", re.ASCII)
SHOWN = 50  # refused leads on the page
LONGEST = 4_000  # characters of a query
TONES = {"draft": "neutral", "queued": "info", "running": "info", "done": "good", "failed": "bad"}
Status = BulkChange.Status


@require_safe
@allow(*BUYERS)
def bulk_count(request: ActorRequest) -> HttpResponse:
    """How many leads match the filters of the address: ``312``, or ``10,000+``."""
    rows = matching(Desk(request.actor), request.GET)
    return HttpResponse(capped(rows[: MOST + 1].count()), content_type="text/plain")


@require_http_methods(["GET", "HEAD", "POST"])
@allow(*BUYERS)
def bulk_create(request: ActorRequest) -> HttpResponseBase:
    """Note the selection, and ask on a page of its own. ``now``, by a key: where few are meant, do it."""
    if request.method != "POST":
        return redirect("lead-list")
    everything = request.POST.get("scope") == "all"
    named = request.POST.getlist("skip" if everything else "lead")
    if not (everything or named):
        return _nothing_ticked(request)
    bulk = propose(
        request.actor,
        named=[lead_id for lead_id in named if SEEN.fullmatch(f"{lead_id}:0")],
        everything=everything,
        query=request.POST.get("query", "")[:LONGEST],
        texts=texts_of(request.POST, Desk(request.actor).flows),
        seen=dict(_seen(request.POST)),
        request_id=request.request_id,
    )
    if request.htmx and request.POST.get("now") and bulk.texts:
        count = leads_of(bulk, request.actor)[: AT_ONCE + 1].count()
        if 0 < count <= AT_ONCE:
            return _at_once(request, bulk, count)
    return _to(request, bulk)


def _seen(data: QueryDict) -> list[tuple[str, int]]:
    """The versions that the leads had on the page, each ``evt_…:3``."""
    found = [SEEN.fullmatch(text) for text in data.getlist("seen")]
    return [(match[1], int(match[2])) for match in found if match]


def _nothing_ticked(request: ActorRequest) -> HttpResponseBase:
    text = "Tick the leads first that are to be changed."
    if request.htmx:
        return told(text)
    messages.warning(request, text)
    return redirect("lead-list")


def _at_once(request: ActorRequest, bulk: BulkChange, count: int) -> HttpResponseBase:
    try:
        bulk = start(confirm(bulk, request.actor, count))
    except ProblemError as error:
        return told(error.problem.detail)
    head = bulk.change_sets.order_by("pk").first()
    more = reverse("bulk-detail", args=[bulk.public_id]) if bulk.refused else ""
    short = in_short(bulk, flows_of(leads_of(bulk, request.actor), Desk(request.actor)))
    return told(f"{short}: {said_of_bulk(bulk)}.", undo=head, more=more, changed=True)


@never_cache  # Back must not ask again for what is done
@require_http_methods(["GET", "HEAD", "POST"])
@allow(*BUYERS)
def bulk_detail(request: ActorRequest, bulk_id: str) -> HttpResponseBase:
    """What the change would do; once it is confirmed, what it does. POST: what is to be set."""
    bulk = _bulk(request, bulk_id)
    if bulk.status != Status.DRAFT:
        if request.method == "POST":
            return _to(request, bulk)
        return render(request, "feedback/bulk_detail.html", _progress(request, bulk))
    desk = Desk(request.actor)
    if request.method == "POST":
        bulk.texts = texts_of(request.POST, flows_of(leads_of(bulk, request.actor), desk))
        BulkChange.objects.filter(pk=bulk.pk, status=Status.DRAFT).update(texts=bulk.texts)
        if not request.htmx:
            return _to(request, bulk)
    part = "#question" if request.htmx else ""
    return render(request, f"feedback/bulk_question.html{part}", _question(bulk, desk))


def _question(bulk: BulkChange, desk: Desk) -> dict[str, Any]:
    found = look(bulk, desk)
    return {
        "bulk": bulk,
        "found": found,
        "form": BulkForm(found.flows, bulk.texts),
        "short": in_short(bulk, found.flows),
        "most": MOST,
        "back": f"{reverse('lead-list')}?{bulk.query}" if bulk.query else reverse("lead-list"),
    }


@require_POST
@allow(*BUYERS)
def bulk_confirm(request: ActorRequest, bulk_id: str) -> HttpResponseBase:
    """Do it. Said twice, it is done once, and the page shows that it was."""
    bulk = _bulk(request, bulk_id)
    desk = Desk(request.actor)
    if bulk.status == Status.DRAFT:
        texts = texts_of(request.POST, flows_of(leads_of(bulk, request.actor), desk))
        if texts != bulk.texts:  # chosen, but not looked at yet
            BulkChange.objects.filter(pk=bulk.pk, status=Status.DRAFT).update(texts=texts)
            messages.info(request, "Look at what will happen, then confirm.")
            return _to(request, bulk)
    count = request.POST.get("count", "")
    try:
        bulk = confirm(bulk, request.actor, int(count) if re.fullmatch(r"\d{1,9}", count, re.ASCII) else 0)
    except ProblemError as error:
        messages.warning(request, error.problem.detail)
        return _to(request, bulk)
    start(bulk)
    return _to(request, bulk)


@require_safe
@allow(*BUYERS)
def bulk_progress(request: ActorRequest, bulk_id: str) -> HttpResponseBase:
    """The middle of the page, which asks for itself every second until all is done."""
    bulk = _bulk(request, bulk_id)
    if not request.htmx:
        return _to(request, bulk)
    return render(request, "feedback/bulk_detail.html#progress", _progress(request, bulk))


def _progress(request: ActorRequest, bulk: BulkChange) -> dict[str, Any]:
    head = with_all(bulk.change_sets.order_by("pk")).first()
    refused = BulkLead.objects.filter(bulk=bulk, status=BulkLead.Status.REFUSED)
    rows = refused.select_related("delivery__flow", "delivery__lead").order_by("delivery")[:SHOWN]
    desk = Desk(request.actor)
    return {
        "bulk": bulk,
        "finished": bulk.finished_at is not None,
        "percent": int(100 * bulk.share_done),
        "tone": TONES[bulk.status],
        "said": said_of_bulk(bulk),
        "left": left_words(bulk.left),
        "short": in_short(bulk, desk.flows),
        "refused": [(row, Sheet.of(row.delivery, desk)) for row in rows] if bulk.refused else [],
        "head": head,
        "why_not": why_not(request.actor, head) if head and bulk.finished_at else "",
    }


def _bulk(request: ActorRequest, bulk_id: str) -> BulkChange:
    return get_or_404(request.actor, BulkChange.objects.select_related("user"), public_id=bulk_id)


def _to(request: ActorRequest, bulk: BulkChange) -> HttpResponseBase:
    if request.htmx:
        return HttpResponseClientRedirect(reverse("bulk-detail", args=[bulk.public_id]))
    return redirect("bulk-detail", bulk.public_id)
