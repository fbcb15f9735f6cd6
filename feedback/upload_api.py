"""Files of feedback over HTTP: sent, asked after, their refused rows fetched, taken back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse, HttpResponseBase
from django.urls import reverse

from feedback.api import origin_of
from feedback.models import Upload
from feedback.schema.clock import iso
from feedback.schema.values import UNSTORABLE
from feedback.undo import undo
from feedback.upload_bodies import SentFile, sent_file
from feedback.upload_rows import refused_file
from feedback.uploads import receive
from flows.http import ApiCall, endpoint, json_response, refusal, takes_feedback
from portal.access import visible_to
from portal.spreadsheets import csv_file

READ_AS = {"utf-8-sig": "utf-8"}  # encodings by the name that others know
ASK_AGAIN = {"Retry-After": "1"}


def post_upload(call: ApiCall) -> HttpResponse:
    """``POST /flows/{flow_id}/feedback/uploads``: 202; the file is kept and waits for the worker."""
    sent = sent_file(call.request)
    with sent.file:
        response = _kept(call, sent)
    response.headers["Location"] = _url("api-upload", call, json.loads(response.content)["upload_id"])
    return response


def get_upload(call: ApiCall, upload_id: str) -> HttpResponse:
    """``GET …/uploads/{upload_id}``: how far it is and what it did."""
    upload = _upload(call, upload_id)
    return json_response(200, upload_json(upload, call), {} if upload.finished_at else ASK_AGAIN)


def get_errors(call: ApiCall, upload_id: str) -> HttpResponseBase:
    """``GET …/uploads/{upload_id}/errors``: the refused rows as they stood, with ``line`` and ``error``."""
    upload = _upload(call, upload_id)
    if not upload.rejected:
        raise refusal(404, "not_found", "Not found", "No row of this upload was refused.")
    return csv_file(refused_file(upload), f"refused-{upload.filename}")


def post_undo(call: ApiCall, upload_id: str) -> HttpResponse:
    """``POST …/uploads/{upload_id}/undo``: 200 taken back; 202 where the worker does it; 409 still read."""
    upload = _upload(call, upload_id)

    def work() -> tuple[int, dict[str, Any]]:
        row = undo(upload, origin_of(call))
        return (200 if row.finished_at else 202), upload_json(row, call)

    response = call.once(work, body=b"")
    response.headers["Location"] = _url("api-upload", call, upload_id)
    return response


def upload_json(upload: Upload, call: ApiCall) -> dict[str, Any]:
    """The contract's shape of an upload, and beside it why the whole file was refused, if it was."""
    return {
        "upload_id": upload.public_id,
        "status": upload.status,
        "livemode": upload.livemode,
        "filename": upload.filename,
        "rows": upload.rows,
        "recorded": upload.recorded,
        "unchanged": upload.unchanged,
        "rejected": upload.rejected,
        "progress": round(upload.share_done, 4),
        "dialect": _dialect(upload),
        "error": upload.error or None,
        "errors_url": _url("api-upload-errors", call, upload.public_id) if upload.rejected else None,
        "created_at": iso(upload.created_at),
        "finished_at": iso(upload.finished_at) if upload.finished_at else None,
    }


def _kept(call: ApiCall, sent: SentFile) -> HttpResponse:
    """Keep the file, once. What is not answered with success leaves no file behind."""
    kept: list[Upload] = []

    def work() -> tuple[int, dict[str, Any]]:
        kept.append(receive(call.actor, call.flow, sent.file, livemode=call.livemode))
        return 202, upload_json(kept[0], call)

    try:
        return call.once(work, body=sent.digest)
    except BaseException:
        for upload in kept:
            upload.file.delete(save=False)
        raise


def _upload(call: ApiCall, upload_id: str) -> Upload:
    """The flow's upload, for test keys a test's. ProblemError 404, the same for another's as for none."""
    confirmed = Upload.objects.exclude(status__in=Upload.PREPARING)
    rows = visible_to(call.actor, confirmed.filter(flow=call.flow, livemode=call.livemode))
    found = None if UNSTORABLE.search(upload_id) else rows.filter(public_id=upload_id).first()
    if found is None:
        raise refusal(404, "not_found", "No such upload", "There is no such upload, or it is not yours.")
    return found


def _dialect(upload: Upload) -> Mapping[str, str | None]:
    """Null while nobody has looked into the file."""
    encoding = READ_AS.get(upload.encoding, upload.encoding)
    return {"encoding": encoding or None, "delimiter": upload.delimiter or None}


def _url(name: str, call: ApiCall, upload_id: str) -> str:
    return reverse(name, args=(call.flow.public_id, upload_id))


uploads = endpoint("buyer", guard=takes_feedback, POST=post_upload)
upload = endpoint("buyer", GET=get_upload)
upload_errors = endpoint("buyer", produces=("text/csv",), GET=get_errors)
upload_undo = endpoint("buyer", guard=takes_feedback, POST=post_undo)
