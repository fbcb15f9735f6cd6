"""The pages between choosing a file and recording it: columns, check, matches (`feedback.upload_steps`)."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from feedback import proposals, upload_steps
from feedback.mapping import Mapping, meanings
from feedback.models import ProposedMatch, RefusedRow, Upload
from feedback.reader import UnreadableError
from feedback.schema import compile_schema
from feedback.upload_forms import LEFT_OUT, ReadingForm, choices_of, mapping_of
from feedback.upload_steps import value_of
from flows.problems import ProblemError
from portal.access import BUYERS, ActorRequest, allow, get_or_404, visible_to

SHOWN = 50  # refused rows on the page
MATCHES = 50  # on one page
Status = Upload.Status
STEPS = ((1, "File"), (2, "Columns"), (3, "Check"), (4, "Result"))
STEP_URLS = {Status.DRAFT: "upload-columns", Status.CHECKING: "upload-check", Status.CHECKED: "upload-check"}


def step_of(upload: Upload) -> str:
    """The name of the page on which an upload goes on."""
    if upload.status == Status.FAILED and upload_steps.can_discard(upload):
        return "upload-check"
    return STEP_URLS.get(Status(upload.status), "upload-detail")


@require_http_methods(["GET", "HEAD", "POST"])
@allow(*BUYERS)
def upload_columns(request: ActorRequest, upload_id: str) -> HttpResponseBase:
    """How the file was read, what its columns and values are. POST keeps that, and checks it if asked."""
    upload = _upload(request, upload_id)
    if not upload_steps.can_discard(upload):
        return _too_late(request, upload)
    if request.method != "POST":
        return render(request, "feedback/upload_columns.html", _columns(upload))
    return _keep_columns(request, upload)


def _keep_columns(request: ActorRequest, upload: Upload) -> HttpResponseBase:
    shown, asked = upload_steps.preview(upload), request.POST.get("do", "")
    mapping = mapping_of(request.POST, shown.mapping, shown.schema, shown.peek.width)
    try:
        upload_steps.set_mapping(upload, mapping)
        if asked == "check":
            upload_steps.check(upload)
    except ProblemError as error:
        return _refused(request, upload, error)
    except ValueError:  # the page says what is missing
        upload.refresh_from_db()
        context = {**_columns(upload), "insist": True}
        return render(request, "feedback/upload_columns.html", context, status=422)
    if asked == "check":
        return redirect("upload-check", upload.public_id)
    if request.htmx:
        upload.refresh_from_db()
        return render(request, "feedback/upload_columns.html#mapping", _columns(upload))
    return redirect("upload-columns", upload.public_id)


@require_POST
@allow(*BUYERS)
def upload_reading(request: ActorRequest, upload_id: str) -> HttpResponseBase:
    """Read the file otherwise, or forget what is remembered of such files."""
    upload = _upload(request, upload_id)
    form = ReadingForm(request.POST)
    try:
        if request.POST.get("do") == "afresh":
            upload_steps.start_afresh(upload)
        elif form.is_valid():
            upload_steps.set_reading(upload, **form.cleaned_data)
        else:
            messages.error(request, "Choose one of the ways offered.")
    except UnreadableError as error:
        messages.error(request, f"The file cannot be read so. {error}")
    except ProblemError as error:
        return _refused(request, upload, error)
    return redirect("upload-columns", upload.public_id)


@require_http_methods(["GET", "HEAD", "POST"])
@allow(*BUYERS)
def upload_check(request: ActorRequest, upload_id: str) -> HttpResponseBase:
    """What the worker found in the rows. POST: take these meanings of values, and look again."""
    upload = _upload(request, upload_id)
    if not upload_steps.can_discard(upload):
        return _too_late(request, upload)
    if request.method == "POST":
        return _check_again(request, upload)
    if upload.status == Status.DRAFT:
        return redirect("upload-columns", upload.public_id)
    part = "#progress" if request.htmx and not request.htmx.boosted else ""
    return render(request, f"feedback/upload_check.html{part}", _check(request, upload))


def _check_again(request: ActorRequest, upload: Upload) -> HttpResponseBase:
    old, schema = Mapping.from_json(upload.mapping), compile_schema(upload.flow)
    try:
        upload_steps.set_mapping(upload, mapping_of(request.POST, old, schema, len(old.columns)))
        upload_steps.check(upload)
    except ProblemError as error:
        return _refused(request, upload, error)
    except ValueError as error:
        messages.error(request, str(error))
        return redirect("upload-columns", upload.public_id)
    return redirect("upload-check", upload.public_id)


@require_POST
@allow(*BUYERS)
def upload_confirm(request: ActorRequest, upload_id: str) -> HttpResponseBase:
    """Record the file."""
    upload = _upload(request, upload_id)
    try:
        upload_steps.confirm(upload)
    except ProblemError as error:
        return _refused(request, upload, error)
    return redirect("upload-detail", upload.public_id)


@require_POST
@allow(*BUYERS)
def upload_discard(request: ActorRequest, upload_id: str) -> HttpResponseBase:
    """Forget the file."""
    upload = _upload(request, upload_id)
    try:
        upload_steps.discard(upload)
    except ProblemError as error:
        return _refused(request, upload, error)
    messages.success(request, f"{upload.filename} was discarded. Nothing of it was recorded.")
    return redirect("upload-list")


@require_http_methods(["GET", "HEAD", "POST"])
@allow(*BUYERS)
def upload_matches(request: ActorRequest, upload_id: str) -> HttpResponseBase:
    """The leads proposed for rows without a known id; POST accepts or withdraws some."""
    upload = _upload(request, upload_id)
    if upload.status != Status.CHECKED:
        return _too_late(request, upload)
    if request.method == "POST":
        return _answer_matches(request, upload)
    return render(request, "feedback/upload_matches.html", _matches(request, upload))


def _answer_matches(request: ActorRequest, upload: Upload) -> HttpResponseBase:
    asked = request.POST.get("do", "")
    chosen = [int(each) for each in request.POST.getlist("match") if each.isdecimal() and len(each) < 19]
    try:
        if asked.startswith("all-") and asked[4:] in ProposedMatch.Basis.values:
            count, done = proposals.accept_all(upload, asked[4:]), "accepted"
        elif asked == "withdraw":
            count, done = proposals.withdraw(upload, chosen), "withdrawn"
        else:
            count, done = proposals.accept(upload, chosen), "accepted"
    except ProblemError as error:
        return _refused(request, upload, error)
    except ValueError as error:
        messages.error(request, str(error))
    else:
        said = f"{count:,} {'match' if count == 1 else 'matches'} {done}."
        messages.success(request, said if count else "Tick the matches first.")
    return redirect(request.get_full_path())


def _upload(request: ActorRequest, upload_id: str) -> Upload:
    rows = Upload.objects.select_related("flow", "user")
    return get_or_404(request.actor, rows, public_id=upload_id)


def _columns(upload: Upload) -> dict[str, Any]:
    shown = upload_steps.preview(upload)
    return {
        "upload": upload,
        "shown": shown,
        "reading": ReadingForm.of(upload),
        "groups": choices_of(upload, shown.schema),
        "remembered": upload_steps.remembered(upload),
        "pass_over": LEFT_OUT,
        "step": 2,
        "steps": STEPS,
    }


def _check(request: ActorRequest, upload: Upload) -> dict[str, Any]:
    found, checked = upload.findings, upload.status == Status.CHECKED
    refused = visible_to(request.actor, RefusedRow.objects.filter(upload=upload))
    accepted = upload.proposals.filter(accepted=True).count() if checked and found["proposed"] else 0
    return {
        "upload": upload,
        "found": found,
        "checked": checked,
        "failed": upload.status == Status.FAILED,
        "percent": int(100 * upload.share_done),
        "refused": refused[:SHOWN] if checked and upload.rejected else [],
        "unknown": _unknown(upload),
        "accepted": accepted,
        "to_record": found["new"] + found["changed"] + accepted if checked else 0,
        "pass_over": LEFT_OUT,
        "step": 3,
        "steps": STEPS,
    }


def _unknown(upload: Upload) -> list[dict[str, Any]]:
    """The texts without a meaning, field by field, each with what is most likely meant."""
    schema, mapping = compile_schema(upload.flow), Mapping.from_json(upload.mapping)
    texts = meanings(schema)
    known = {name: seen for name, seen in upload.findings.get("unknown", {}).items() if name in texts}
    return [
        {
            "name": name,
            "meanings": texts[name],
            "values": [
                value for text, count in seen if (value := value_of(mapping, schema, name, text, count))
            ],
        }
        for name, seen in known.items()
    ]


def _matches(request: ActorRequest, upload: Upload) -> dict[str, Any]:
    rows = visible_to(request.actor, proposals.ordered(upload))
    after = _place(request.GET.get("after", ""))
    page = list(proposals.beyond(rows, after)[: MATCHES + 1])
    last = page[MATCHES - 1] if len(page) > MATCHES else None
    return {
        "upload": upload,
        "matches": page[:MATCHES],
        "after": f"{last.confidence}-{last.line}-{last.pk}" if last else "",
        "begun": bool(after),
        "waiting": [
            (basis, ProposedMatch.Basis(basis).label, count)
            for basis, count in proposals.waiting(upload).items()
            if count
        ],
        "accepted": rows.filter(accepted=True).count(),
        "step": 3,
        "steps": STEPS,
    }


def _place(text: str) -> tuple[int, int, int] | None:
    parts = text.split("-")
    if len(parts) != 3 or not all(part.isdecimal() and len(part) < 19 for part in parts):
        return None
    confidence, line, pk = map(int, parts)
    return confidence, line, pk


def _refused(request: ActorRequest, upload: Upload, error: ProblemError) -> HttpResponseBase:
    """A decision taken on a page that is no longer true: 409, and the way on."""
    context = {"upload": upload, "detail": error.problem.detail}
    return render(request, "feedback/upload_stale.html", context, status=error.problem.status)


def _too_late(request: ActorRequest, upload: Upload) -> HttpResponseBase:
    """The file is at another step by now."""
    if request.method == "POST":
        detail = "This file has moved on since you opened the page. Nothing was changed by what you sent."
        return render(request, "feedback/upload_stale.html", {"upload": upload, "detail": detail}, status=409)
    if request.htmx and not request.htmx.boosted:
        return HttpResponse(status=204, headers={"HX-Refresh": "true"})
    return redirect(step_of(upload), upload.public_id)
