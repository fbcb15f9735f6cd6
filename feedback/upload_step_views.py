"""The pages between choosing a file and recording it (`feedback.upload_steps`): columns and check.

A page that was left open while the file moved on (in another tab, by a colleague) changes nothing: its
sender is told, and shown where the file stands.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from feedback import upload_steps
from feedback.mapping import Mapping
from feedback.models import Upload
from feedback.proposals import may_propose
from feedback.reader import UnreadableError
from feedback.schema import compile_schema
from feedback.tidying import KEEP_DRAFTS
from feedback.upload_findings import samples_of, unknown_of
from feedback.upload_forms import LEAVE_OUT, Meanings, ReadingForm, mapping_of, reading_key, targets_of
from flows.problems import ProblemError
from portal.access import BUYERS, ActorRequest, allow, get_or_404

Status = Upload.Status
STEPS = ((1, "File"), (2, "Columns"), (3, "Check"), (4, "Done"))
STEP_URLS = {Status.DRAFT: "upload-columns", Status.CHECKING: "upload-check", Status.CHECKED: "upload-check"}
MOVED_ON = "This file has moved on since you opened the page. Nothing was changed by what you sent."
READ_OTHERWISE = "This file is read in another way since you opened the page. Look at its columns again."


def step_of(upload: Upload) -> str:
    """The name of the page on which an upload goes on."""
    if upload.status == Status.FAILED and upload_steps.can_discard(upload):
        return "upload-check"
    return STEP_URLS.get(Status(upload.status), "upload-detail")


def upload_or_404(request: ActorRequest, upload_id: str) -> Upload:
    """The buyer's upload with its flow and its person."""
    rows = Upload.objects.select_related("flow", "user")
    return get_or_404(request.actor, rows, public_id=upload_id)


@never_cache  # Back must not show what has been recorded since as if it had not
@require_http_methods(["GET", "HEAD", "POST"])
@allow(*BUYERS)
def upload_columns(request: ActorRequest, upload_id: str) -> HttpResponseBase:
    """How the file was read, what its columns and values are. POST keeps that, and checks it if asked."""
    upload = upload_or_404(request, upload_id)
    if not upload_steps.can_discard(upload):
        return moved_on(request, upload)
    if request.method == "POST":
        return _keep_columns(request, upload)
    return render(request, "feedback/upload_columns.html", _columns(upload))


def _keep_columns(request: ActorRequest, upload: Upload) -> HttpResponseBase:
    if "column-0" in request.POST and request.POST.get("reading") != reading_key(upload):
        return told(request, upload, READ_OTHERWISE)
    checks = request.POST.get("do") == "check"
    shown = upload_steps.preview(upload)
    mapping = mapping_of(request.POST, shown.mapping, shown.schema, len(shown.names), sure=checks)
    try:
        if request.htmx:  # what depends on the columns, while they are being chosen
            upload_steps.keep_draft(upload, mapping)
            upload.mapping = mapping.as_json()
            return render(request, "feedback/upload_columns.html#meanings", _columns(upload))
        upload_steps.set_mapping(upload, mapping)
        if checks:
            upload_steps.check(upload)
    except ProblemError as error:
        return told(request, upload, error.problem.detail)
    except ValueError:
        return _insist(request, upload)
    return redirect("upload-check" if checks else "upload-columns", upload.public_id)


def _insist(request: ActorRequest, upload: Upload) -> HttpResponseBase:
    """The columns as they were chosen, and what is missing in them."""
    upload.refresh_from_db()
    context = {**_columns(upload), "insist": True}
    return render(request, "feedback/upload_columns.html", context, status=422)


@require_POST
@allow(*BUYERS)
def upload_reading(request: ActorRequest, upload_id: str) -> HttpResponseBase:
    """Read the file otherwise."""
    upload = upload_or_404(request, upload_id)
    form = ReadingForm(request.POST)
    if form.is_valid():
        try:
            upload_steps.set_reading(upload, **form.cleaned_data)
        except UnreadableError as error:
            form.add_error(None, f"It cannot be read so. {error}")
        except ProblemError as error:
            return told(request, upload, error.problem.detail)
    elif not upload_steps.can_discard(upload):
        return moved_on(request, upload)
    if not (form.errors or request.htmx):
        return redirect("upload-columns", upload.public_id)
    upload.refresh_from_db()
    context = _columns(upload) | ({"reading": form} if form.errors else {})
    part = "#columns" if request.htmx else ""
    status = 422 if form.errors else 200
    return render(request, f"feedback/upload_columns.html{part}", context, status=status)


@require_POST
@allow(*BUYERS)
def upload_afresh(request: ActorRequest, upload_id: str) -> HttpResponseBase:
    """Guess columns and values without what is remembered of such files."""
    upload = upload_or_404(request, upload_id)
    try:
        upload_steps.start_afresh(upload)
    except ProblemError as error:
        return told(request, upload, error.problem.detail)
    return redirect("upload-columns", upload.public_id)


def _columns(upload: Upload) -> dict[str, Any]:
    shown, by_contact = upload_steps.preview(upload), may_propose(upload)
    known = upload_steps.remembered(upload)
    stands = known is not None and _chosen(known.mapping) == _chosen(upload.mapping)
    fields = [Meanings.of(shown.schema, each.name, each.values) for each in shown.values]
    return {
        "upload": upload,
        "shown": shown,
        "reading": ReadingForm.of(upload),
        "reading_key": reading_key(upload),
        "groups": targets_of(shown.schema, upload.flow.currency, by_contact=by_contact),
        "by_contact": by_contact,
        "remembered": known if stands else None,
        "fields": [field for field in fields if field.values],
        "asked": sum(len(field.values) for field in fields),
        "leave_out": LEAVE_OUT,
        "kept_days": KEEP_DRAFTS.days,
        "step": 2,
        "steps": STEPS,
    }


def _chosen(mapping: dict[str, Any]) -> str:
    """The columns but for those at the end that are left out: a file of refused rows has two more."""
    return "\n".join(mapping.get("columns", ())).rstrip("\n")


@never_cache  # Back must not show what has been recorded since as if it had not
@require_http_methods(["GET", "HEAD", "POST"])
@allow(*BUYERS)
def upload_check(request: ActorRequest, upload_id: str) -> HttpResponseBase:
    """What the worker found in the rows. POST: take these meanings of values, and look again."""
    upload = upload_or_404(request, upload_id)
    if not upload_steps.can_discard(upload):
        return moved_on(request, upload)
    if request.method == "POST":
        return _check_again(request, upload)
    if upload.status == Status.DRAFT:
        return moved_on(request, upload)
    part = "#check" if request.htmx else ""
    return render(request, f"feedback/upload_check.html{part}", _check(request, upload))


def _check_again(request: ActorRequest, upload: Upload) -> HttpResponseBase:
    old, schema = Mapping.from_json(upload.mapping), compile_schema(upload.flow)
    mapping = mapping_of(request.POST, old, schema, len(old.columns), sure=True)
    try:
        upload_steps.set_mapping(upload, mapping)
        upload_steps.check(upload)
    except ProblemError as error:
        return told(request, upload, error.problem.detail)
    except ValueError as error:
        messages.error(request, str(error))
        return redirect("upload-columns", upload.public_id)
    return redirect("upload-check", upload.public_id)


def _check(request: ActorRequest, upload: Upload) -> dict[str, Any]:
    found, checked = upload.findings, upload.status == Status.CHECKED
    accepted = upload.proposals.filter(accepted=True).count() if checked and found["proposed"] else 0
    unknown = unknown_of(upload) if checked else []
    return {
        "upload": upload,
        "found": found,
        "checked": checked,
        "failed": upload.status == Status.FAILED,
        "percent": int(100 * upload.share_done),
        "samples": samples_of(upload, request.actor) if checked else [],
        "unknown": unknown,
        "unknown_values": sum(len(field.values) for field in unknown),
        "accepted": accepted,
        "open": found["proposed"] - accepted if checked else 0,
        "to_record": found["new"] + found["changed"] + accepted if checked else 0,
        "leave_out": LEAVE_OUT,
        "kept_days": KEEP_DRAFTS.days,
        "step": 3,
        "steps": STEPS,
    }


@require_POST
@allow(*BUYERS)
def upload_confirm(request: ActorRequest, upload_id: str) -> HttpResponseBase:
    """Record the file. Said twice, it is recorded once, and the page shows that it was."""
    upload = upload_or_404(request, upload_id)
    try:
        upload_steps.confirm(upload, request.POST.get("checked_at"))
    except ProblemError as error:
        return told(request, upload, error.problem.detail)
    return redirect("upload-detail", upload.public_id)


@require_http_methods(["GET", "HEAD", "POST"])
@allow(*BUYERS)
def upload_discard(request: ActorRequest, upload_id: str) -> HttpResponseBase:
    """Ask; then forget the file."""
    upload = upload_or_404(request, upload_id)
    if request.method != "POST":
        if not upload_steps.can_discard(upload):
            return moved_on(request, upload)
        context = {"upload": upload, "back": step_of(upload)}
        return render(request, "feedback/upload_discard.html", context)
    try:
        upload_steps.discard(upload)
    except ProblemError as error:
        return told(request, upload, error.problem.detail)
    messages.success(request, f"{upload.filename} was discarded. Nothing of it was recorded.")
    return redirect("upload-list")


def moved_on(request: ActorRequest, upload: Upload) -> HttpResponseBase:
    """The file is at another step by now: whoever looks goes there, whoever sent something is told first."""
    if request.method == "POST":
        return told(request, upload, MOVED_ON)
    if request.htmx:
        return HttpResponse(
            status=204, headers={"HX-Redirect": reverse(step_of(upload), args=[upload.public_id])}
        )
    return redirect(step_of(upload), upload.public_id)


def told(request: ActorRequest, upload: Upload, detail: str) -> HttpResponseBase:
    """What was sent no longer fits the file: 409 and the way on; htmx goes there and finds it said."""
    if request.htmx:
        messages.warning(request, detail)
        return HttpResponse(
            status=204, headers={"HX-Redirect": reverse("upload-detail", args=[upload.public_id])}
        )
    return render(request, "feedback/upload_stale.html", {"upload": upload, "detail": detail}, status=409)
