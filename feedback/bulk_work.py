"""The work of bulk changes and large undos: in chunks, each of which commits what it did and how far."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from django.db import InterfaceError, OperationalError, transaction

from feedback.bulk import AT_ONCE, set_chunk
from feedback.bulk_lease import claim, fail, finish, hint
from feedback.bulk_undo import CHUNK, close, take_back_chunk
from feedback.leases import LostLeaseError
from feedback.models import BulkChange

Kind, Status = BulkChange.Kind, BulkChange.Status
FEW = {Kind.SET: AT_ONCE, Kind.UNDO: CHUNK}  # that are done while the asker waits
OUR_FAULT = "Something went wrong on our side. What was done stays; ask for it again to do the rest."
CHUNKS: Mapping[str, Callable[[BulkChange], bool]] = {Kind.SET: set_chunk, Kind.UNDO: take_back_chunk}
log = logging.getLogger(__name__)


def start(bulk: BulkChange) -> BulkChange:
    """Do what is queued: at once where it is little, else wake the worker. → as it stands then."""
    if bulk.status == Status.QUEUED:
        if bulk.total > FEW[Kind(bulk.kind)]:
            hint(bulk.pk)
        else:
            run(bulk.pk)
    bulk.refresh_from_db()
    return bulk


def run(bulk_id: int) -> None:
    """Go on with it from where it stands to its end. Does nothing while another worker has it.

    May be killed at any point: the next run goes on from there. Raises only what a later try may mend (the
    database is away).
    """
    bulk = claim(bulk_id)
    if bulk is None:
        return
    try:
        while CHUNKS[bulk.kind](bulk):
            pass
        with transaction.atomic():
            if bulk.kind == Kind.UNDO:
                close(bulk)
            finish(bulk, status=Status.DONE)
    except LostLeaseError:
        log.warning("Bulk change %s was taken over by another worker.", bulk.public_id)
    except (InterfaceError, OperationalError):
        raise
    except Exception:
        log.exception("Bulk change %s failed.", bulk.public_id)
        fail(bulk, OUR_FAULT)
