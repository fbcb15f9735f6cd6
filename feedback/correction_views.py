"""The buyer's pages that mend what is on record of a lead: single events, and their own id of it."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from feedback.correction_forms import CorrectionForm, said_texts
from feedback.corrections import correct, preview, restore, take_back
from feedback.desk import Sheet
from feedback.edit import Edited
from feedback.external_ids import set_external_id
from feedback.forms import VERSION, FeedbackForm
from feedback.lead_history import changes, entry_of
from feedback.lead_views import lead_page, sheet_of
from feedback.models import Door, Feedback
from feedback.submission import Origin
from feedback.told import undo_tag
from flows.models import Delivery
from flows.problems import Problem, ProblemError
from portal.access import BUYERS, ActorRequest, allow, get_or_404

Deed = Callable[[Delivery, str, int, Origin], Delivery]


@require_http_methods(["GET", "HEAD", "POST"])
@allow(*BUYERS)
def feedback_take_back(request: ActorRequest, lead_id: str, feedback_id: str) -> HttpResponse:
    """Say what the lead will become, and ask; then take one feedback back."""
    return _confirmed(request, lead_id, feedback_id, take_back, "Taken back: it no longer counts.")


@require_http_methods(["GET", "HEAD", "POST"])
@allow(*BUYERS)
def feedback_restore(request: ActorRequest, lead_id: str, feedback_id: str) -> HttpResponse:
    """Say what the lead will become, and ask; then let a feedback count again."""
    return _confirmed(request, lead_id, feedback_id, restore, "Restored: it counts again.")


@require_http_methods(["GET", "HEAD", "POST"])
@allow(*BUYERS)
def feedback_correct(request: ActorRequest, lead_id: str, feedback_id: str) -> HttpResponse:
    """A form with what one feedback said; saved, another stands in its place."""
    sheet, event = _named(request, lead_id, feedback_id)
    if request.method != "POST":
        return _correcting(request, sheet, event, CorrectionForm(sheet, event))
    form = CorrectionForm(sheet, event, {**said_texts(sheet, event), **request.POST.dict()})
    texts, version = form.changed_texts(), form.seen_version
    edited = correct(sheet, event, texts, version=version, origin=_origin(request))
    if edited.problem is None:
        _say_corrected(request, edited)
        return redirect("lead-detail", lead_id)
    return _not_corrected(request, sheet_of(request, lead_id), event, form, edited)


@require_http_methods(["GET", "HEAD", "POST"])
@allow(*BUYERS)
def lead_own_id(request: ActorRequest, lead_id: str) -> HttpResponse:
    """Set the buyer's own id of a lead, or clear it. Whoever comes by address is sent to the lead."""
    sheet = sheet_of(request, lead_id)
    if request.method != "POST":
        return redirect("lead-detail", lead_id)
    text, seen = request.POST.get("external_id", ""), request.POST.get("seen", "")
    try:
        row = set_external_id(sheet.delivery, text, seen, _origin(request))
    except ValueError as error:
        return _own_id_refused(request, lead_id, str(error), HTTPStatus.UNPROCESSABLE_ENTITY)
    except ProblemError as error:
        return _own_id_refused(request, lead_id, error.problem.detail, error.problem.status)
    messages.success(request, f"Your ID is {row.external_id}." if row.external_id else "Your ID is cleared.")
    return redirect("lead-detail", lead_id)


def _own_id_refused(request: ActorRequest, lead_id: str, fault: str, status: int) -> HttpResponse:
    fresh = sheet_of(request, lead_id)
    typed = request.POST.get("external_id", "")
    return lead_page(request, fresh, FeedbackForm(fresh), status=status, own_id=typed, own_id_fault=fault)


def _confirmed(request: ActorRequest, lead_id: str, feedback_id: str, deed: Deed, done: str) -> HttpResponse:
    sheet, event = _named(request, lead_id, feedback_id)
    problem: Problem | None = None
    if request.method == "POST":
        seen = request.POST.get("version", "")
        version = int(seen) if VERSION.fullmatch(seen) else -1
        try:
            deed(sheet.delivery, feedback_id, version, _origin(request))
        except ProblemError as error:
            problem, sheet = error.problem, sheet_of(request, lead_id)
        else:
            messages.success(request, done)
            return redirect("lead-detail", lead_id)
    found = preview(sheet.delivery, feedback_id, restoring=deed is restore)
    context = {
        "sheet": sheet,
        "event": event,
        "entry": entry_of(sheet, event),
        "restoring": deed is restore,
        "preview": found,
        "changes": changes(sheet, found.before, found.after) if found else (),
        "problem": problem,
    }
    return render(
        request, "feedback/feedback_undo.html", context, status=problem.status if problem else HTTPStatus.OK
    )


def _correcting(
    request: ActorRequest, sheet: Sheet, event: Feedback, form: CorrectionForm, problem: Problem | None = None
) -> HttpResponse:
    context = {
        "sheet": sheet,
        "event": event,
        "entry": entry_of(sheet, event),
        "form": form,
        "problem": problem,
    }
    return render(
        request,
        "feedback/feedback_correct.html",
        context,
        status=problem.status if problem else HTTPStatus.OK,
    )


def _not_corrected(
    request: ActorRequest, fresh: Sheet, event: Feedback, form: CorrectionForm, edited: Edited
) -> HttpResponse:
    """The form as it was sent, on the lead as it stands now, what is wrong beside each field."""
    version = str(fresh.delivery.version) if edited.is_stale else form.data["version"]
    again = CorrectionForm(fresh, event, {**form.data, "version": version})
    again.full_clean()
    if not edited.is_stale:
        for name, message in edited.faults.items():
            again.add_error(name if name in again.fields else None, message)
    return _correcting(request, fresh, event, again, edited.problem)


def _say_corrected(request: ActorRequest, edited: Edited) -> None:
    if edited.receipt is None:
        messages.info(request, "Nothing was changed.")
    else:
        words = "Corrected. The history shows what was said before."
        messages.success(request, words, extra_tags=undo_tag(edited.receipt))


def _named(request: ActorRequest, lead_id: str, feedback_id: str) -> tuple[Sheet, Feedback]:
    """A lead of the buyer and one feedback on it, or 404. A retraction is no feedback."""
    sheet = sheet_of(request, lead_id)
    said = Feedback.objects.filter(delivery=sheet.delivery, retracts=None)
    return sheet, get_or_404(request.actor, said, public_id=feedback_id)


def _origin(request: ActorRequest) -> Origin:
    return Origin(request.actor, Door.PORTAL, request_id=request.request_id)
