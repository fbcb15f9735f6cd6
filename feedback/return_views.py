"""The pages of one return: asked for by the buyer, talked over by both sides, withdrawn."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.http import FileResponse, Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from feedback.desk import Sheet
from feedback.lead_views import sheet_of
from feedback.models import ReturnEvidence, ReturnRequest
from feedback.return_desk import TONES, Viewer, status_label, thread
from feedback.return_forms import MessageForm, ReasonForm, ReplacementForm, ReturnForm
from feedback.returns.ask import ask
from feedback.returns.decide import withdraw
from feedback.returns.evidence import EvidenceHandler, content_type
from feedback.returns.terms import cap_words, offer_of
from feedback.returns.thread import say
from flows.models import ConversionStatus, Outcome
from flows.problems import ProblemError
from flows.returns import REASON, reasons_of
from portal.access import BUYERS, SELLERS, ActorRequest, Role, allow, get_or_404

ASKING = ["GET", "HEAD", "POST"]
WRITERS = (Role.SELLER_OWNER, *BUYERS)  # an analyst looks
Status = ReturnRequest.Status


@csrf_exempt  # only until the handler is set: the form that is read through it is protected below
@require_http_methods(ASKING)
@allow(*BUYERS)
def return_ask(request: ActorRequest, lead_id: str) -> HttpResponseBase:
    """Why a lead goes back, and what proves it. Whoever works for the buyer may ask."""
    request.upload_handlers = [EvidenceHandler(request)]
    return _ask(request, lead_id)


@csrf_protect
def _ask(request: ActorRequest, lead_id: str) -> HttpResponse:
    sheet = sheet_of(request, lead_id)
    reasons = reasons_of(sheet.flow)
    if request.method != "POST":
        form = ReturnForm(reasons, sheet.agreement, initial={"reason": sheet.delivery.fields.get(REASON, "")})
        return _asking(request, sheet, form)
    form = ReturnForm(reasons, sheet.agreement, request.POST, request.FILES, refused=_refused(request))
    if not form.is_valid():
        return _asking(request, sheet, form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    said = form.cleaned_data
    try:
        row = ask(
            sheet,
            request.actor,
            reason=said["reason"],
            note=said["note"],
            wanted=said.get("wanted") or ReturnRequest.Remedy.CREDIT,
            pieces=said["evidence"],
            request_id=request.request_id,
        )
    except ProblemError as error:
        return _asking(request, sheet, form, status=error.problem.status)
    row.refresh_from_db(fields=["status"])
    done = "Asked for. The seller has been told." if row.is_open else "Approved at once, as agreed."
    messages.success(request, done)
    return redirect("return-detail", row.public_id)


def _asking(request: ActorRequest, sheet: Sheet, form: ReturnForm, status: int = 200) -> HttpResponse:
    """The form, or why there is none; what stands is looked up anew, as somebody else may have been first."""
    offer = offer_of(sheet.delivery, sheet.flow, sheet.agreement, sheet.now)
    viewer = Viewer(request.actor)
    context = {
        "sheet": sheet,
        "form": form,
        "offer": offer,
        "cap": cap_words(offer.cap),
        "price": viewer.price(sheet.delivery),
        "reported": sheet.delivery.outcome == Outcome.RETURNED,
        "sold": sheet.delivery.conversion_status == ConversionStatus.SOLD,
        "at_once": [each for each in reasons_of(sheet.flow) if each in sheet.agreement.return_auto_reasons],
    }
    return render(request, "feedback/return_ask.html", context, status=status)


@require_safe
@allow(*SELLERS, *BUYERS)
def return_detail(request: ActorRequest, return_id: str) -> HttpResponse:
    """One return as both sides see it: what it is about, what was said, what can be done now."""
    return detail_page(request, return_of(request, return_id))


@csrf_exempt  # see return_ask
@require_POST
@allow(*WRITERS)
def return_message(request: ActorRequest, return_id: str) -> HttpResponseBase:
    """Write on a return."""
    request.upload_handlers = [EvidenceHandler(request)]
    return _message(request, return_id)


@csrf_protect
def _message(request: ActorRequest, return_id: str) -> HttpResponse:
    row = return_of(request, return_id)
    form = MessageForm(request.POST, request.FILES, refused=_refused(request))
    if not form.is_valid():
        return detail_page(request, row, message_form=form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        say(row, request.actor, form.cleaned_data["body"], form.cleaned_data["evidence"])
    except ProblemError as error:
        messages.error(request, error.problem.detail)
    else:
        messages.success(request, "Sent. The other side has been told.")
    return redirect("return-detail", return_id)


@require_http_methods(ASKING)
@allow(*BUYERS)
def return_withdraw(request: ActorRequest, return_id: str) -> HttpResponse:
    """Ask, then take the request back."""
    row = return_of(request, return_id)
    form = ReasonForm(
        request.POST if request.method == "POST" else None, required=False, label="Note to the seller"
    )
    context = {"row": row, "title": Viewer(request.actor).title(row.delivery), "form": form}
    if request.method != "POST" or not form.is_valid():
        return render(request, "feedback/return_withdraw.html", context)
    try:
        withdraw(row, request.actor, note=form.cleaned_data["note"])
    except ProblemError as error:
        row.refresh_from_db()
        context["problem"] = error.problem
        return render(request, "feedback/return_withdraw.html", context, status=error.problem.status)
    messages.success(request, "Withdrawn. The lead can be returned again while its window is open.")
    return redirect("return-detail", return_id)


@require_safe
@allow(*SELLERS, *BUYERS)
def return_evidence(request: ActorRequest, return_id: str, evidence_id: str) -> HttpResponseBase:
    """A file, always as a download, as what its bytes were found to be."""
    rows = ReturnEvidence.objects.filter(message__request__public_id=return_id)
    row = get_or_404(request.actor, rows, public_id=evidence_id)
    try:
        file = row.file.open("rb")
    except FileNotFoundError:
        raise Http404("This file is no longer on the server.") from None
    answer = FileResponse(file, as_attachment=True, filename=row.name, content_type=content_type(row))
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, no-store"
    return answer


def return_of(request: ActorRequest, return_id: str) -> ReturnRequest:
    """The return, with what every page of it shows, or 404."""
    rows = ReturnRequest.objects.select_related(
        "delivery__lead", "delivery__source", "delivery__flow", "flow__seller", "buyer", "user", "decided_by",
        "replacement",
    )  # fmt: skip
    return get_or_404(request.actor, rows, public_id=return_id)


def detail_page(
    request: ActorRequest,
    row: ReturnRequest,
    *,
    message_form: MessageForm | None = None,
    replacement_form: ReplacementForm | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page of a return; forms that were refused come with what is wrong."""
    actor, viewer = request.actor, Viewer(request.actor)
    delivery = row.delivery
    context: dict[str, Any] = {
        "row": row,
        "viewer": viewer,
        "title": viewer.title(delivery),
        "price": viewer.price(delivery),
        "source": viewer.source(delivery),
        "lead_url": viewer.lead_url(delivery),
        "status_label": status_label(row.status),
        "tone": TONES[Status(row.status)],
        "thread": thread(row),
        "sold": delivery.conversion_status == ConversionStatus.SOLD,
        "contradicted": row.is_granted and delivery.outcome != Outcome.RETURNED,
        "may_write": actor.role in WRITERS and row.status != Status.WITHDRAWN,
        "may_decide": actor.may_configure and row.is_open,
        "may_reopen": actor.may_configure and (row.is_granted or row.status == Status.REJECTED),
        "may_withdraw": actor.is_buyer and row.is_open,
        "owes_lead": actor.may_configure and row.status == Status.APPROVED,
        "message_form": message_form or MessageForm(),
        "replacement_form": replacement_form or ReplacementForm(),
    }
    return render(request, "feedback/return_detail.html", context, status=status)


def _refused(request: ActorRequest) -> list[str]:
    """Why files of this form were not read."""
    request.POST  # noqa: B018  # the files are read with the form
    return list(getattr(request, "refused_files", ()))
