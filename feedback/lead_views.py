"""The buyer's page of one lead, and the edit of a lead there or in the list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_safe

from feedback.desk import Desk, Sheet
from feedback.edit import Edited, edit
from feedback.edit_cells import EditCell, cell_of
from feedback.forms import FeedbackForm, filled, plain
from feedback.lead_facts import contact, facts, raw, standing
from feedback.lead_history import Change, changes_since, texts_at, timeline
from feedback.lead_requests import calls_of
from feedback.told import undo_tag, with_undo
from feedback.wording import tone
from flows.models import Delivery
from portal.access import BUYERS, ActorRequest, allow, get_or_404


@require_safe
@allow(*BUYERS)
def lead_detail(request: ActorRequest, lead_id: str) -> HttpResponseBase:
    """One lead: its contact, what stands, every field to set, and all that happened to it."""
    sheet = sheet_of(request, lead_id)
    return lead_page(request, sheet, FeedbackForm(sheet))


@require_http_methods(["GET", "HEAD", "POST"])
@allow(*BUYERS)
def lead_edit(request: ActorRequest, lead_id: str) -> HttpResponseBase:
    """Set what was changed: one cell of the list (htmx), or a form with any of the lead's fields.

    Whoever comes by address, from the log-in page after a session ended, say, is sent to the lead.
    """
    sheet = sheet_of(request, lead_id)
    if request.method != "POST":
        return redirect("lead-detail", lead_id)
    cell = cell_of(sheet, request.POST.get("field", ""))
    if request.htmx and cell:
        return _edit_cell(request, cell)
    form = FeedbackForm(sheet, filled(sheet, request.POST))
    edited = _apply(request, sheet, form)
    if edited.problem is None:
        messages.add_message(request, *_said(edited, sheet), extra_tags=undo_tag(edited.receipt))
        return redirect(_back(request, lead_id))
    fresh = sheet_of(request, lead_id)
    if edited.is_stale:
        return _after_stale(request, fresh, form)
    return _with_faults(request, fresh, form, edited)


def sheet_of(request: ActorRequest, lead_id: str) -> Sheet:
    """The lead as the one who asks works on it, or 404."""
    rows = Delivery.objects.select_related("lead", "source", "flow")
    return Sheet.of(get_or_404(request.actor, rows, public_id=lead_id), Desk(request.actor))


def _apply(request: ActorRequest, sheet: Sheet, form: FeedbackForm) -> Edited:
    texts, version = form.changed_texts(), form.seen_version
    return edit(sheet, texts, version=version, actor=request.actor, request_id=request.request_id)


def _edit_cell(request: ActorRequest, cell: EditCell) -> HttpResponse:
    name, sheet = cell.spec.name, cell.sheet
    typed = request.POST.get("value", request.POST.get(name, ""))
    form = FeedbackForm(sheet, {"version": request.POST.get("version", ""), name: typed})
    edited = _apply(request, sheet, form)
    after = replace(cell, sheet=sheet_of(request, sheet.delivery.public_id)).after(typed, edited)
    status = 200 if edited.problem is None else 409 if edited.is_stale else 422
    return with_undo(HttpResponse(after.render(fresh=True), status=status), edited.receipt)


def _after_stale(request: ActorRequest, fresh: Sheet, form: FeedbackForm) -> HttpResponse:
    """The form on what stands now, with what the person had changed on top, and what has changed since."""
    seen = texts_at(fresh, form.seen_version)
    kinds = {spec.name: spec.kind for spec in form.specs}
    typed = {
        name: text
        for name, text in form.texts().items()
        if plain(text, kinds[name]) != plain(seen.get(name, ""), kinds[name])
    }
    again = FeedbackForm(fresh, filled(fresh, typed))
    return lead_page(request, fresh, again, since=changes_since(fresh, form.seen_version), status=409)


def _with_faults(request: ActorRequest, fresh: Sheet, form: FeedbackForm, edited: Edited) -> HttpResponse:
    """The form as it was sent, what is wrong beside each field."""
    again = FeedbackForm(fresh, form.data)
    again.full_clean()
    for name, message in edited.faults.items():
        again.add_error(name if name in again.fields else None, message)
    return lead_page(request, fresh, again, status=edited.problem.status if edited.problem else 200)


def _said(edited: Edited, sheet: Sheet) -> tuple[int, str]:
    receipt = edited.receipt
    if receipt is None or receipt.status == "unchanged":
        return messages.INFO, "Nothing was changed."
    if not receipt.applied:
        return messages.WARNING, "Recorded. Newer feedback stood already, so nothing else changed."
    return messages.SUCCESS, f"Saved: {sheet.title}."


def _back(request: ActorRequest, lead_id: str) -> str:
    """To where the form stood."""
    wanted = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(wanted, allowed_hosts=None):
        return f"{wanted}#lead-{lead_id}"
    return reverse("lead-detail", args=[lead_id])


def lead_page(
    request: ActorRequest,
    sheet: Sheet,
    form: FeedbackForm,
    since: Sequence[Change] | None = None,
    status: int = 200,
    **more: Any,
) -> HttpResponse:
    """The lead's page; ``since``: what has changed since a stale form was opened."""
    told = timeline(sheet)
    context = {
        "sheet": sheet,
        "form": form,
        "since": since,
        "stale": since is not None,
        "status_tone": tone(sheet.delivery.conversion_status),
        "timeline": told,
        "calls": calls_of(request.actor, [entry.change_set for entry in told]),
        "facts": facts(sheet),
        "contact": contact(sheet),
        "standing": standing(sheet),
        "raw": raw(sheet),
        "own_id": sheet.delivery.external_id or "",
        **more,
    }
    return render(request, "feedback/lead_detail.html", context, status=status)
