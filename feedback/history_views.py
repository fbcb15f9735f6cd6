"""The buyer's pages of what was changed: the list, one change lead by lead, and its undo."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseBase
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from feedback.desk import Desk
from feedback.history_tables import HistoryFilter, HistoryTable
from feedback.history_words import (
    SHOWN,
    door,
    lead_changes,
    left_words,
    said_of_undo,
    settled_words,
    stories,
    who,
)
from feedback.models import ChangeSet, Door
from feedback.submission import Origin
from feedback.told import told, undo_tag
from feedback.undo_sets import (
    UNDO_FOR,
    Undone,
    heads,
    is_undone,
    under_way,
    undo,
    undone_by,
    why_not,
    with_all,
    would_take_back,
)
from flows.problems import ProblemError
from portal.access import BUYERS, ActorRequest, allow, get_or_404
from portal.tables import TableView


class HistoryList(TableView):
    """What was changed, by whom, and its undo."""

    model = ChangeSet
    table_class, filterset_class = HistoryTable, HistoryFilter
    template_name = "feedback/history_list.html"
    roles = BUYERS
    title, nouns = "History", "changes"

    @cached_property
    def desk(self) -> Desk:
        return Desk(self.request.actor)

    def get_rows(self) -> QuerySet[ChangeSet]:
        return with_all(heads(ChangeSet.objects.order_by("-pk")))

    def get_table(self, **kwargs: Any) -> HistoryTable:
        table: HistoryTable = super().get_table(desk=self.desk, token=get_token(self.request), **kwargs)
        return table

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), "days": UNDO_FOR.days}


@never_cache  # Back must not show what has been undone as if it stood
@require_safe
@allow(*BUYERS)
def change_set_detail(request: ActorRequest, change_id: str) -> HttpResponseBase:
    """One change: before and after on each lead, and what an undo of it would do."""
    head, desk = _head(request, change_id), Desk(request.actor)
    refused = why_not(request.actor, head)
    would = None if refused else would_take_back(head)
    story = stories([head], desk)[head.pk]
    context = {
        "head": head,
        "story": story,
        "who": who(head),
        "door": door(head),
        "leads": lead_changes(head, desk),
        "shown": SHOWN,
        "why_not": refused,
        "undone": is_undone(head),
        "by": undone_by(head),
        "under_way": under_way(head),
        "would": would,
        "would_not": [*settled_words(would.settled), *left_words(would.left)] if would else [],
        "days": UNDO_FOR.days,
    }
    return render(request, "feedback/change_set_detail.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@allow(*BUYERS)
def change_set_undo(request: ActorRequest, change_id: str) -> HttpResponseBase:
    """Take the change back. Whoever comes by address is shown the change, where it is asked."""
    head = _head(request, change_id)
    if request.method != "POST":
        return redirect("change-set-detail", change_id)
    try:
        done = undo(head, Origin(request.actor, Door.PORTAL, request_id=request.request_id))
    except ProblemError as error:
        if request.htmx:
            return told(error.problem.detail)
        messages.warning(request, error.problem.detail)
        return redirect("change-set-detail", head.public_id)
    return _undone(request, head, done)


def _undone(request: ActorRequest, head: ChangeSet, done: Undone) -> HttpResponse:
    text = said_of_undo(done)
    if request.htmx:
        return told(text, undo=done.head, changed=True)
    worked = done.head is not None or done.job is not None or done.upload is not None
    level = messages.SUCCESS if worked else messages.INFO
    messages.add_message(request, level, text, extra_tags=undo_tag(done.head))
    if done.job and done.job.finished_at is None:
        return redirect("bulk-detail", done.job.public_id)
    wanted = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(wanted, allowed_hosts=None):
        return redirect(wanted)
    return redirect("change-set-detail", head.public_id)


def _head(request: ActorRequest, change_id: str) -> ChangeSet:
    """The change of that id; for a part of a file or of a bulk change, the whole of it."""
    named = get_or_404(request.actor, ChangeSet.objects.all(), public_id=change_id)
    first = ChangeSet.objects.filter(pk=named.pk)
    if named.upload_id:
        first = ChangeSet.objects.filter(upload=named.upload_id)
    elif named.bulk_id:
        first = ChangeSet.objects.filter(bulk=named.bulk_id)
    return with_all(first.order_by("pk")).first() or named
