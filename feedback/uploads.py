"""Files of feedback: taken in, read by a worker in chunks, resumed where a killed worker stopped."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Any, BinaryIO, cast

from django.core.files import File
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F

from feedback import leases, reader
from feedback.intake import intake
from feedback.leases import LostLeaseError, renewed
from feedback.models import RefusedRow, Upload
from feedback.proposals import not_accepted, with_accepted
from feedback.reader import Row, UnreadableError
from feedback.retract import take_back
from feedback.submission import Receipt
from feedback.upload_check import check_rows
from feedback.upload_lease import claim, fail, finish, keep
from feedback.upload_rows import Plan, origin_of
from flows.models import Flow
from flows.problems import ProblemError
from portal.access import Actor

CHUNK = 500  # rows in one transaction
OUR_FAULT = "Something went wrong on our side. What was recorded stays; upload the file again."
OUR_FAULT_IN_UNDO = "Something went wrong on our side while this was taken back. Take back the rest again."
Status = Upload.Status
log = logging.getLogger(__name__)


def receive(actor: Actor, flow: Flow, file: File, *, livemode: bool = True) -> Upload:  # type: ignore[type-arg]
    """Keep the file, queue it, and wake the worker once that is committed.

    ``actor`` is of the buyer whose leads the file speaks of. Without ``livemode`` its rows are checked and
    counted as they would be, and nothing is recorded. The sweeper finds what a lost hint left.
    """
    upload = new_upload(actor, flow, file, livemode=livemode)
    upload.file.save(f"{upload.public_id}.csv", file, save=False)
    with transaction.atomic():
        upload.save()
        hint(upload.pk)
    return upload


def new_upload(actor: Actor, flow: Flow, file: File, **columns: Any) -> Upload:  # type: ignore[type-arg]
    """An upload of that file, not saved, and the file not kept yet."""
    return Upload(
        flow=flow,
        buyer_id=cast(int, actor.party_id),
        user_id=actor.user_id,
        api_key_id=actor.key_id,
        filename=(file.name or "feedback.csv")[-255:],
        size=file.size,
        **columns,
    )


def hint(upload_id: int) -> None:
    """Wake the worker once the transaction has committed."""
    leases.hint("feedback.read_upload", upload_id)


def run(upload_id: int) -> None:
    """Check the upload's rows, read it from where it stands to its end, or take back what it recorded.

    Does nothing while another worker has it. May be killed at any point: what a chunk recorded and how far
    the file is commit together, and the next run goes on from there. Raises only what a later try may mend
    (the database is away).
    """
    upload = claim(upload_id)
    if upload is None:
        return
    try:
        _work(upload)
    except LostLeaseError:
        log.warning("Upload %s was taken over by another worker.", upload.public_id)
    except (InterfaceError, OperationalError):
        raise
    except (UnreadableError, ProblemError) as error:
        fail(upload, str(error))
    except FileNotFoundError:
        fail(upload, "The file is no longer on the server. Upload it again.")
    except Exception:
        log.exception("Upload %s failed.", upload.public_id)
        fail(upload, OUR_FAULT_IN_UNDO if upload.undo_id else OUR_FAULT)


def _work(upload: Upload) -> None:
    if upload.status == Status.CHECKING:
        check_rows(upload)
    elif upload.undo_id:
        _take_back(upload)
    else:
        _read(upload)


def _read(upload: Upload) -> None:
    with upload.file.open("rb") as file:
        stream = cast(BinaryIO, file)
        plan = Plan.of(stream, upload)
        dialect = plan.dialect
        if not upload.rows_done:  # what the check refused
            RefusedRow.objects.filter(upload=upload).delete()
        keep(upload, encoding=dialect.encoding, delimiter=dialect.delimiter, rows=plan.rows)
        remaining = islice(reader.rows(stream, dialect), upload.rows_done, None)
        for rows in reader.chunks(remaining, CHUNK):
            _take(upload, plan, rows)
    finish(upload, status=Status.DONE)


def _take(upload: Upload, plan: Plan, rows: Sequence[Row]) -> None:
    """One chunk: the events, the refused rows and the progress in one transaction."""
    submissions, refused = plan.sort_out(rows)
    submissions = with_accepted(upload, submissions)
    with transaction.atomic():
        receipts = intake(upload.flow, submissions, origin_of(upload))
        refused |= {each.index: each.problem.as_text() for each in receipts if each.problem}
        refused |= not_accepted(upload, refused)
        RefusedRow.objects.bulk_create(
            RefusedRow(upload=upload, line=row.line, cells=row.cells, error=refused[row.line])
            for row in rows
            if row.line in refused
        )
        counts = Counter(_counted(receipt, upload) for receipt in receipts)
        keep(
            upload,
            rows_done=F("rows_done") + len(rows),
            recorded=F("recorded") + counts["recorded"],
            unchanged=F("unchanged") + counts["unchanged"],
            rejected=F("rejected") + len(refused),
            claimed_until=renewed(),
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
            count = take_back(recorded, upload.undo).taken
            keep(upload, taken_back=F("taken_back") + count, claimed_until=renewed())
    finish(upload, status=Status.UNDONE)
