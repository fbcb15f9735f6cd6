"""The buyer's pages of uploads."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.http import content_disposition_header
from django.utils.text import slugify
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_safe

from feedback.csv_template import csv_template
from feedback.desk import Desk
from feedback.models import RefusedRow, Upload
from feedback.reader import UnreadableError
from feedback.schema import compile_schema
from feedback.tables import UPLOAD_TONES, UploadTable
from feedback.undo_sets import may_undo
from feedback.upload_bodies import CappedUploadHandler
from feedback.upload_forms import UploadForm
from feedback.upload_rows import refused_file
from feedback.upload_step_views import STEPS, step_of
from feedback.upload_steps import begin, words_of
from flows.models import Flow
from portal.access import BUYERS, ActorRequest, allow, get_or_404, visible_to
from portal.spreadsheets import csv_file
from portal.tables import TableView

SHOWN = 50  # refused rows on the page


class UploadList(TableView):
    """The buyer's files."""

    model = Upload
    table_class = UploadTable
    template_name = "feedback/upload_list.html"
    roles = BUYERS
    title, nouns = "Uploads", "uploads"

    def get_rows(self) -> QuerySet[Upload]:
        return Upload.objects.select_related("flow", "user")


@csrf_exempt  # only until the handler is set: the form that is read through it is protected below
@require_http_methods(["GET", "HEAD", "POST"])
@allow(*BUYERS)
def upload_create(request: ActorRequest) -> HttpResponseBase:
    """Choose a file, and the flow it speaks of."""
    request.upload_handlers = [CappedUploadHandler(request)]
    return _create(request)


@csrf_protect
def _create(request: ActorRequest) -> HttpResponseBase:
    flows = [flow for flow in Desk(request.actor).flows if flow.feedback_enabled]
    sent = (request.POST, request.FILES) if request.method == "POST" else ()
    form = UploadForm(flows, *sent, too_large=getattr(request, "too_large", False))
    if sent and form.is_valid():
        try:
            upload = begin(request.actor, form.cleaned_data["flow"], form.cleaned_data["file"])
        except UnreadableError as error:
            form.add_error("file", str(error))
        else:
            return redirect("upload-columns", upload.public_id)
    context = {
        "step": 1,
        "steps": STEPS,
        "form": form,
        "guides": [_guide(flow) for flow in flows],
        "max_bytes": settings.UPLOAD_MAX_BYTES,
    }
    status = 200 if not sent else 413 if form.too_large else 422
    return render(request, "feedback/upload_create.html", context, status=status)


def _guide(flow: Flow) -> dict[str, Any]:
    return {"flow": flow, "fields": compile_schema(flow).fields}


@require_safe
@allow(*BUYERS)
def upload_template(request: ActorRequest, flow_id: str) -> HttpResponseBase:
    """A file with the head that the flow takes and one example. Marked as UTF-8, as Excel asks for it."""
    flow = get_or_404(request.actor, Flow.objects.all(), public_id=flow_id)
    name = f"feedback-{slugify(flow.name) or flow.public_id}.csv"
    content = csv_template(flow).encode("utf-8-sig")
    return HttpResponse(content, content_type="text/csv; charset=utf-8", headers=_as_file(name))


@require_safe
@allow(*BUYERS)
def upload_detail(request: ActorRequest, upload_id: str) -> HttpResponseBase:
    """How far the file is and which rows were refused; to the step where it goes on, if not confirmed."""
    upload = _upload(request, upload_id)
    if (step := step_of(upload)) != "upload-detail":
        return redirect(step, upload.public_id)
    return render(request, "feedback/upload_detail.html", _progress(request, upload))


@require_safe
@allow(*BUYERS)
def upload_progress(request: ActorRequest, upload_id: str) -> HttpResponseBase:
    """The middle of that page, which asks for itself every second until the file is done."""
    upload = _upload(request, upload_id)
    if not request.htmx:
        return redirect("upload-detail", upload.public_id)
    return render(request, "feedback/upload_detail.html#progress", _progress(request, upload))


def _progress(request: ActorRequest, upload: Upload) -> dict[str, Any]:
    refused = visible_to(request.actor, RefusedRow.objects.filter(upload=upload))
    return {
        "upload": upload,
        "finished": upload.finished_at is not None,
        "may_undo": may_undo(request.actor, upload),
        "percent": int(100 * upload.share_done),
        "refused": refused[:SHOWN] if upload.rejected else [],
        "tone": UPLOAD_TONES[upload.status],
        "read_as": words_of(upload),
        "step": 4,
        "steps": STEPS,
    }


@require_safe
@allow(*BUYERS)
def upload_errors(request: ActorRequest, upload_id: str) -> HttpResponseBase:
    """The refused rows as a file, to be mended and uploaded again."""
    upload = _upload(request, upload_id)
    stands = upload.status not in (Upload.Status.DRAFT, Upload.Status.CHECKING)
    if not (upload.rejected and stands):
        raise Http404("No row of this file was refused.")
    return csv_file(refused_file(upload), f"refused-{upload.filename}")


def _upload(request: ActorRequest, upload_id: str) -> Upload:
    rows = Upload.objects.select_related("flow", "user", "undo__user", "undo__api_key")
    return get_or_404(request.actor, rows, public_id=upload_id)


def _as_file(name: str) -> dict[str, str]:
    return {"Content-Disposition": content_disposition_header(True, name) or "attachment"}
