"""The pages of saved views: make, rename, share, update, delete."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from feedback.models import SavedView
from feedback.saved_views import (
    ViewError,
    may_change,
    rename,
    replace_question,
    save_view,
    views_of,
    visible_views,
)
from portal.access import BUYERS, ActorRequest, allow, get_or_404


@require_http_methods(["GET", "HEAD", "POST"])
@allow(*BUYERS)
def view_list(request: ActorRequest) -> HttpResponseBase:
    """Every view that the person sees; a POST keeps another one."""
    if request.method != "POST":
        return _page(request)
    query = QueryDict(request.POST.get("query", ""))
    name, shared = request.POST.get("name", ""), "shared" in request.POST
    try:
        view = save_view(request.actor, name, query, shared=shared)
    except ViewError as error:
        draft = {"name": name, "shared": shared, "query": query.urlencode(), "fault": str(error)}
        return _page(request, draft=draft, status=422)
    messages.success(request, f"Saved the view “{view.name}”.")
    return redirect(_shown(view))


@require_http_methods(["GET", "HEAD", "POST"])
@allow(*BUYERS)
def view_detail(request: ActorRequest, pk: int) -> HttpResponseBase:
    """Rename a view, give it to the team or take it back."""
    view = _changeable(request, pk)
    context = {"view": view, "name": view.name, "shared": view.shared}
    if request.method != "POST":
        return render(request, "feedback/view_detail.html", context)
    name, shared = request.POST.get("name", ""), "shared" in request.POST
    try:
        rename(request.actor, view, name, shared=shared)
    except ViewError as error:
        view.refresh_from_db()
        context |= {"name": name, "shared": shared, "fault": str(error)}
        return render(request, "feedback/view_detail.html", context, status=422)
    messages.success(request, f"Saved the view “{view.name}”.")
    return redirect("view-list")


@require_POST
@allow(*BUYERS)
def view_update(request: ActorRequest, pk: int) -> HttpResponseBase:
    """Let the view ask what the list asks now."""
    view = _changeable(request, pk)
    try:
        replace_question(view, QueryDict(request.POST.get("query", "")))
    except ViewError as error:
        messages.error(request, str(error))
        return redirect("view-list")
    messages.success(request, f"Updated the view “{view.name}”.")
    return redirect(_shown(view))


@require_POST
@allow(*BUYERS)
def view_delete(request: ActorRequest, pk: int) -> HttpResponseBase:
    """The leads stay; only the question is forgotten."""
    view = _changeable(request, pk)
    view.delete()
    messages.success(request, f"Deleted the view “{view.name}”.")
    return redirect("view-list")


def _changeable(request: ActorRequest, pk: int) -> SavedView:
    view = get_or_404(request.actor, visible_views(request.actor), pk=pk)
    if not may_change(request.actor, view):
        raise PermissionDenied("Your team shares this view. Its author or a manager can change it.")
    return view


def _page(request: ActorRequest, draft: dict[str, object] | None = None, status: int = 200) -> HttpResponse:
    rows = [(view, may_change(request.actor, view)) for view in views_of(request.actor)]
    context = {"rows": rows, "draft": draft}
    return render(request, "feedback/view_list.html", context, status=status)


def _shown(view: SavedView) -> str:
    return f"{reverse('lead-list')}?{view.address}"
