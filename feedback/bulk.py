"""One change of many leads: asked, looked at, confirmed, and recorded in chunks through the one way in.

"All that match" are those that match when it is confirmed and were delivered before it was asked, but for
the ones that were unticked. They are written down then (`BulkLead`), so that neither a killed worker nor the
change itself, after which leads may match no more, makes it another set.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import cast

from django.db import transaction
from django.db.models import F, Max, QuerySet
from django.http import QueryDict

from feedback.bulk_lease import keep
from feedback.desk import Desk, Sheet
from feedback.edit import payload
from feedback.filters import matching
from feedback.intake import intake
from feedback.leases import renewed
from feedback.models import BulkChange, BulkLead, Door
from feedback.schema import compile_schema
from feedback.submission import Origin, Submission
from flows.models import Delivery, Flow
from flows.problems import Problem, ProblemError
from portal.access import Actor, visible_to
from portal.formats import HOUSE, number, using

AT_ONCE = 100  # leads that are changed while the asker waits
MOST = 10_000  # leads in one change: as far as the list counts, so that the number that is confirmed is exact
CHUNK = 200  # leads in one transaction
Status = BulkChange.Status
Texts = Mapping[str, str]


def propose(
    actor: Actor,
    *,
    named: Sequence[str],
    everything: bool,
    query: str,
    texts: Texts,
    seen: Mapping[str, int],
    request_id: str = "",
) -> BulkChange:
    """A draft: which leads, and what is to be set. Nothing of it is recorded.

    ``named``: the ticked leads' ids, or with ``everything`` (all that match ``query``) the unticked ones'.
    """
    newest = visible_to(actor, Delivery.objects.all()).aggregate(Max("pk"))["pk__max"]
    return BulkChange.objects.create(
        kind=BulkChange.Kind.SET,
        buyer_id=cast(int, actor.party_id),
        user_id=actor.user_id,
        named=list(dict.fromkeys(named)),
        everything=everything,
        query=query if everything else "",
        texts=dict(texts),
        seen=dict(seen),
        until=newest or 0,
        request_id=request_id,
    )


def leads_of(bulk: BulkChange, actor: Actor) -> QuerySet[Delivery]:
    """The leads of which a draft speaks, as far as they are there now; in no order."""
    if not bulk.everything:
        return visible_to(actor, Delivery.objects.filter(public_id__in=bulk.named))
    rows = matching(Desk(actor, bulk.created_at), QueryDict(bulk.query))
    return rows.filter(pk__lte=bulk.until).exclude(public_id__in=bulk.named)


@transaction.atomic
def confirm(bulk: BulkChange, actor: Actor, seen: int) -> BulkChange:
    """Write down its leads, and queue it. → as it stands then. Confirmed twice, it is recorded once.

    ``seen``: how many leads the person was told of. ProblemError 409 where there are more by now, none, or
    too many; 422 where nothing is to be set.
    """
    row = BulkChange.objects.select_for_update(of=("self",)).get(pk=bulk.pk)
    if row.status != Status.DRAFT:
        return row
    found = list(leads_of(row, actor).order_by("pk").values_list("pk", "public_id", "version")[: MOST + 1])
    _refuse_unfit(row, len(found), seen)
    BulkLead.objects.bulk_create(
        (
            BulkLead(bulk=row, delivery_id=pk, version=row.seen.get(lead_id, version))
            for pk, lead_id, version in found
        ),
        batch_size=1_000,
    )
    row.status, row.total = Status.QUEUED, len(found)
    row.save(update_fields=["status", "total"])
    return row


def _refuse_unfit(bulk: BulkChange, count: int, seen: int) -> None:
    if not bulk.texts:
        raise _refused("Choose what is to be set.", 422)
    if not count:
        raise _refused("None of these leads is there any more.")
    if count > MOST:
        raise _refused(
            f"These are more than {number(MOST)} leads. Narrow the filters and change them in parts."
        )
    if count > seen:
        raise _refused(
            f"More leads match by now: {number(count)}, not {number(seen)}. Look again, then confirm."
        )


def _refused(detail: str, status: int = 409) -> ProblemError:
    return ProblemError(Problem(status, "bulk_refused", "Nothing was changed", detail))


def set_chunk(bulk: BulkChange) -> bool:
    """Record the next leads of one flow, in one transaction. → whether there were any."""
    rows = _next(bulk)
    if not rows:
        return False
    actor = Actor("buyer", bulk.buyer_id, user_id=bulk.user_id)
    with transaction.atomic():
        told = outcomes(
            bulk, rows, Desk(actor), Origin(actor, Door.PORTAL, bulk=bulk, request_id=bulk.request_id)
        )
        for status, problem in set(told.values()):
            these = [row.pk for row in rows if told[row.delivery_id] == (status, problem)]
            BulkLead.objects.filter(pk__in=these).update(status=status, problem=problem)
        counts = Counter(status for status, _ in told.values())
        keep(
            bulk,
            done=F("done") + len(rows),
            claimed_until=renewed(),
            **{status: F(status) + counts[status] for status in BulkLead.Status.values},
        )
    return True


def _next(bulk: BulkChange) -> list[BulkLead]:
    open_ones = BulkLead.objects.filter(bulk=bulk, status="").select_related(
        "delivery__flow", "delivery__lead"
    )
    rows = list(open_ones.order_by("delivery__flow", "delivery")[:CHUNK])
    return [row for row in rows if row.delivery.flow_id == rows[0].delivery.flow_id]


def outcomes(
    bulk: BulkChange, rows: Iterable[BulkLead], desk: Desk, origin: Origin
) -> dict[int, tuple[str, str]]:
    """Delivery's key → what becomes of it: a `BulkLead.Status`, and why it is refused.

    The rows of one flow stand together. With an origin that is not live, nothing is recorded.
    """
    told: dict[int, tuple[str, str]] = {}
    for _, some in groupby(rows, key=lambda row: row.delivery.flow_id):
        told |= _of_one_flow(bulk, list(some), desk, origin)
    return told


def _of_one_flow(
    bulk: BulkChange, rows: Sequence[BulkLead], desk: Desk, origin: Origin
) -> dict[int, tuple[str, str]]:
    flow = rows[0].delivery.flow
    sheets = [Sheet.of(row.delivery, desk) for row in rows]
    if missing := unknown_fields(flow, bulk.texts):
        return dict.fromkeys((row.delivery_id for row in rows), ("refused", missing))
    with using(HOUSE):  # the texts are the machine's, whoever is looking
        payloads = [payload(sheet, bulk.texts) for sheet in sheets]
    submissions = [
        Submission(place, told, expected_version=row.version)
        for place, (row, told) in enumerate(zip(rows, payloads, strict=True))
    ]
    try:
        receipts = intake(flow, submissions, origin)
    except ProblemError as error:  # the flow takes no feedback
        return dict.fromkeys((row.delivery_id for row in rows), ("refused", error.problem.detail))
    return {
        rows[receipt.index].delivery_id: ("refused", receipt.problem.as_text())
        if receipt.problem
        else (receipt.would_be or receipt.status, "")
        for receipt in receipts
    }


def unknown_fields(flow: Flow, texts: Texts) -> str:
    """Why a flow cannot take these texts, as a sentence; "" where it has all the fields."""
    known = compile_schema(flow).by_name
    names = " and ".join(name.replace("_", " ") for name in texts if name not in known)
    return f"{flow.name} has no field for {names}." if names else ""


def flows_of(rows: QuerySet[Delivery], desk: Desk) -> list[Flow]:
    """The flows of these leads, in the order of their names."""
    found = set(rows.values_list("flow_id", flat=True).distinct())
    return [flow for flow in desk.flows if flow.pk in found]
