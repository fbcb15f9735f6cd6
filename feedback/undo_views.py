"""The portal's page that takes an upload back."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from feedback.models import Door, Upload
from feedback.submission import Origin
from feedback.undo import undo
from feedback.undo_sets import NOT_THEIRS, may_undo
from flows.problems import ProblemError
from portal.access import BUYERS, ActorRequest, allow, get_or_404


@require_http_methods(["GET", "HEAD", "POST"])
@allow(*BUYERS)
def upload_undo(request: ActorRequest, upload_id: str) -> HttpResponse:
    """Say what will happen and ask; then take back what the upload recorded."""
    upload = get_or_404(request.actor, Upload.objects.select_related("flow"), public_id=upload_id)
    if not may_undo(request.actor, upload):
        messages.warning(request, NOT_THEIRS)
        return redirect("upload-detail", upload.public_id)
    if request.method != "POST":
        return render(request, "feedback/upload_undo.html", {"upload": upload})
    try:
        upload = undo(upload, Origin(request.actor, Door.PORTAL, request_id=request.request_id))
    except ProblemError as error:
        messages.error(request, error.problem.detail)
    else:
        messages.success(request, _said(upload))
    return redirect("upload-detail", upload.public_id)


def _said(upload: Upload) -> str:
    if upload.is_being_undone:
        return "The feedback of this file is being taken back."
    return "The feedback of this file was taken back. The history of each lead shows both."
