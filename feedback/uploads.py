"""Files of feedback: taken in, read by a worker in chunks, resumed where a killed worker stopped."""

from __future__ import annotations

import datetime as dt
import logging
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from typing import BinaryIO, cast

from celery import current_app
from django.core.files import File
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from kombu.exceptions import KombuError

from feedback import reader
from feedback.intake import intake
from feedback.models import Door, RefusedRow, Upload
from feedback.reader import Row, UnreadableError
from feedback.retract import take_back
from feedback.schema import compile_schema
from feedback.submission import Origin, Receipt
from feedback.upload_rows import Plan
from flows.models import Flow
from flows.problems import ProblemError
from portal.access import Actor

CHUNK = 500  # rows in one transaction
LEASE = dt.timedelta(seconds=60)  # longer than a chunk takes; renewed with each
OUR_FAULT = "Something went wrong on our side. What was recorded stays; upload the file again."
OUR_FAULT_IN_UNDO = "Something went wrong on our side while this was taken back. Take back the rest again."
Status = Upload.Status
log = logging.getLogger(__name__)


class LostLeaseError(Exception):
    """Another worker has taken the upload over; what this one was about to commit is rolled back."""


def receive(actor: Actor, flow: Flow, file: File, *, livemode: bool = True) -> Upload:  # type: ignore[type-arg]
    """Keep the file, queue it, and wake the worker once that is committed.

    ``actor`` is of the buyer whose leads the file speaks of. Without ``livemode`` its rows are checked and
    counted as they would be, and nothing is recorded. The sweeper finds what a lost hint left.
    """
    upload = Upload(
        flow=flow,
        buyer_id=cast(int, actor.party_id),
        user_id=actor.user_id,
        api_key_id=actor.key_id,
        filename=(file.name or "feedback.csv")[-255:],
        size=file.size,
        livemode=livemode,
    )
    upload.file.save(f"{upload.public_id}.csv", file, save=False)
    with transaction.atomic():
        upload.save()
        hint(upload.pk)
    return upload


def hint(upload_id: int) -> None:
    """Wake the worker once the transaction has committed."""
    transaction.on_commit(lambda: _send_hint(upload_id), robust=True)


def _send_hint(upload_id: int) -> None:
    try:
        current_app.send_task("feedback.read_upload", args=[upload_id])
    except (KombuError, OSError) as error:
        log.warning("No hint sent, the sweeper will find the upload: %s", error)


def waiting(*, now: dt.datetime | None = None) -> list[int]:
    """Primary keys of the uploads that nobody works on, oldest first: queued, or their worker was killed."""
    return list(_unclaimed(now or timezone.now()).order_by("created_at", "pk").values_list("pk", flat=True))


def _unclaimed(now: dt.datetime) -> QuerySet[Upload]:
    return Upload.objects.filter(Q(status=Status.QUEUED) | Q(status=Status.RUNNING, claimed_until__lt=now))


def run(upload_id: int) -> None:
    """Read the upload from where it stands to its end, or take back what it recorded where that was asked.

    Does nothing while another worker has it. May be killed at any point: what a chunk recorded and how far
    the file is commit together, and the next run goes on from there. Raises only what a later try may mend
    (the database is away).
    """
    upload = _claim(upload_id)
    if upload is None:
        return
    try:
        _take_back(upload) if upload.undo_id else _read(upload)
    except LostLeaseError:
        log.warning("Upload %s was taken over by another worker.", upload.public_id)
    except (InterfaceError, OperationalError):
        raise
    except (UnreadableError, ProblemError) as error:
        _fail(upload, str(error))
    except FileNotFoundError:
        _fail(upload, "The file is no longer on the server. Upload it again.")
    except Exception:
        log.exception("Upload %s failed.", upload.public_id)
        _fail(upload, OUR_FAULT_IN_UNDO if upload.undo_id else OUR_FAULT)


def _claim(upload_id: int) -> Upload | None:
    lease = timezone.now() + LEASE
    mine = _unclaimed(timezone.now()).filter(pk=upload_id)
    if not mine.update(status=Status.RUNNING, claimed_until=lease):
        return None
    return Upload.objects.select_related("flow", "buyer", "undo").get(pk=upload_id)


def _read(upload: Upload) -> None:
    with upload.file.open("rb") as file:
        stream = cast(BinaryIO, file)
        plan = Plan.of(stream, compile_schema(upload.flow))
        dialect = plan.found.dialect
        _keep(upload, encoding=dialect.encoding, delimiter=dialect.delimiter, rows=plan.found.rows)
        remaining = islice(reader.rows(stream, dialect), upload.rows_done, None)
        while rows := list(islice(remaining, CHUNK)):
            _take(upload, plan, rows)
    _keep(upload, status=Status.DONE, finished_at=timezone.now(), claimed_until=None)


def _take(upload: Upload, plan: Plan, rows: Sequence[Row]) -> None:
    """One chunk: the events, the refused rows and the progress in one transaction."""
    submissions, refused = plan.sort_out(rows)
    with transaction.atomic():
        receipts = intake(upload.flow, submissions, _origin(upload))
        refused |= {each.index: each.problem.as_text() for each in receipts if each.problem}
        RefusedRow.objects.bulk_create(
            RefusedRow(upload=upload, line=row.line, cells=row.cells, error=refused[row.line])
            for row in rows
            if row.line in refused
        )
        counts = Counter(_counted(receipt, upload) for receipt in receipts)
        _keep(
            upload,
            rows_done=F("rows_done") + len(rows),
            recorded=F("recorded") + counts["recorded"],
            unchanged=F("unchanged") + counts["unchanged"],
            rejected=F("rejected") + len(refused),
            claimed_until=timezone.now() + LEASE,
        )


def _counted(receipt: Receipt, upload: Upload) -> str:
    """As what the row counts: in a test as what it would be; on the lead for trying out nothing is added."""
    if receipt.status != "test":
        return receipt.status
    return "unchanged" if upload.livemode else receipt.would_be


def _take_back(upload: Upload) -> None:
    """Retract what the upload recorded: what one chunk of it did in one transaction."""
    assert upload.undo is not None  # noqa: S101  # why we are here
    for recorded in upload.change_sets.order_by("pk"):
        with transaction.atomic():
            count = take_back(recorded, upload.undo)
            _keep(upload, taken_back=F("taken_back") + count, claimed_until=timezone.now() + LEASE)
    _keep(upload, status=Status.UNDONE, finished_at=timezone.now(), claimed_until=None)


def _origin(upload: Upload) -> Origin:
    """The buyer, on this flow only, whoever uploaded the file."""
    actor = Actor(
        "buyer",
        party_id=upload.buyer_id,
        user_id=upload.user_id,
        key_id=upload.api_key_id,
        flow_ids=frozenset({upload.flow_id}),
    )
    return Origin(actor, Door.UPLOAD, livemode=upload.livemode, upload=upload)


def _keep(upload: Upload, **columns: object) -> None:
    """Write these columns if the upload is still ours, at the row where we left it; else LostLeaseError."""
    mine = Upload.objects.filter(pk=upload.pk, claimed_until=upload.claimed_until, rows_done=upload.rows_done)
    if not mine.update(**columns):
        raise LostLeaseError
    upload.refresh_from_db(fields=list(columns))


def _fail(upload: Upload, why: str) -> None:
    with suppress(LostLeaseError):
        _keep(upload, status=Status.FAILED, error=why[:500], finished_at=timezone.now(), claimed_until=None)
