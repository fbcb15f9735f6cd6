"""A buyer's own ids of their leads: learned from a file, set or cleared in the portal, put back by an undo.

Every change is on record (`ExternalIdChange`), in the change set it came with.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence

from django.db import IntegrityError, transaction
from django.utils import timezone

from feedback.models import ChangeSet, ExternalIdChange
from feedback.schema.ids import LENGTHS
from feedback.schema.values import UNSTORABLE
from feedback.submission import Origin
from flows.models import Delivery
from flows.problems import Problem, ProblemError

LONGEST = LENGTHS["external_id"]  # characters
AT_A_TIME = 1_000  # ids in one statement


def learn(
    wanted: Mapping[Delivery, str], sets: Mapping[int, ChangeSet], *, now: dt.datetime
) -> Collection[Delivery]:
    """Put these ids on record for deliveries that are locked and have none. → those that could not be.

    ``sets``: the change set by the buyer's key. An id can be taken for another lead at the same moment; then
    all others are still learned.
    """
    before = dict.fromkeys(wanted)
    try:
        with transaction.atomic():
            _put(wanted, before, sets, now)
    except IntegrityError:
        if len(wanted) == 1:
            for delivery in wanted:
                delivery.external_id = None
            return list(wanted)
        halves = list(wanted.items())
        middle = len(halves) // 2
        return [
            *learn(dict(halves[:middle]), sets, now=now),
            *learn(dict(halves[middle:]), sets, now=now),
        ]
    return ()


def set_external_id(delivery: Delivery, text: str, seen: str, origin: Origin) -> Delivery:
    """Set the buyer's own id of a delivery, or clear it with "". → the delivery as it stands then.

    ``seen``: the id that the person had before their eyes. ValueError with a sentence for people where it
    cannot be an id or is another lead's; ProblemError 409 where it has been changed meanwhile.
    """
    new = _clean(text)
    with transaction.atomic():
        row = (
            Delivery.objects.select_for_update(of=("self",), no_key=True)
            .select_related("flow")
            .get(pk=delivery.pk)
        )
        if row.external_id == new:
            return row
        if (row.external_id or "") != seen:
            raise ProblemError(_changed(row.external_id))
        if new is not None:
            _refuse_if_taken(row, new)
        now = timezone.now()
        change_set = ChangeSet.objects.create(
            door=origin.door,
            flow_id=row.flow_id,
            buyer_id=row.buyer_id,
            user_id=origin.actor.user_id,
            request_id=origin.request_id,
            created_at=now,
        )
        try:
            with transaction.atomic():
                _put({row: new}, {row: row.external_id}, {row.buyer_id: change_set}, now)
        except IntegrityError:
            raise ValueError(_taken(str(new), "")) from None
    return row


def put_back(recorded: ChangeSet, under: ChangeSet, *, now: dt.datetime) -> int:
    """Undo what ``recorded`` changed of ids, where that still stands. Call in a transaction. → how many.

    An id that is another lead's by now stays there.
    """
    rows = list(ExternalIdChange.objects.filter(change_set=recorded).order_by("pk"))
    parts = (rows[start : start + AT_A_TIME] for start in range(0, len(rows), AT_A_TIME))
    return sum(_put_back(part, under, now) for part in parts)


def _put_back(changes: Sequence[ExternalIdChange], under: ChangeSet, now: dt.datetime) -> int:
    told = {each.delivery_id: each for each in changes}
    rows = Delivery.objects.filter(pk__in=told).order_by("pk").select_for_update(of=("self",), no_key=True)
    standing = [row for row in rows if row.external_id == told[row.pk].after]
    ids = {told[row.pk].before for row in standing} - {None}
    others = Delivery.objects.filter(buyer=under.buyer_id, flow=under.flow_id, external_id__in=ids)
    taken = set(others.values_list("external_id", flat=True)) if ids else set()
    wanted = {row: told[row.pk].before for row in standing if told[row.pk].before not in taken}
    if not wanted:
        return 0
    try:
        with transaction.atomic():
            _put(wanted, {row: row.external_id for row in wanted}, {under.buyer_id: under}, now)
    except IntegrityError:  # one of them was taken at this moment
        return 0
    return len(wanted)


def _put(
    wanted: Mapping[Delivery, str | None],
    before: Mapping[Delivery, str | None],
    sets: Mapping[int, ChangeSet],
    now: dt.datetime,
) -> None:
    for delivery, external_id in wanted.items():
        delivery.external_id, delivery.updated_at = external_id, now
    Delivery.objects.bulk_update(wanted, ["external_id", "updated_at"])
    ExternalIdChange.objects.bulk_create(
        ExternalIdChange(
            delivery=delivery,
            change_set=sets[delivery.buyer_id],
            before=before[delivery],
            after=external_id,
        )
        for delivery, external_id in wanted.items()
    )


def _clean(text: str) -> str | None:
    trimmed = text.strip()
    if len(trimmed) > LONGEST:
        raise ValueError(f"Your ID has at most {LONGEST} characters; these are {len(trimmed)}.")
    if UNSTORABLE.search(trimmed):
        raise ValueError("Remove the characters that cannot be stored.")
    return trimmed or None


def _refuse_if_taken(row: Delivery, external_id: str) -> None:
    """ValueError where another of this buyer's leads on the flow has the id."""
    others = Delivery.objects.filter(buyer=row.buyer_id, flow=row.flow_id, external_id=external_id)
    other = others.exclude(pk=row.pk).first()
    if other is not None:
        raise ValueError(_taken(external_id, other.public_id))


def _taken(external_id: str, lead_id: str) -> str:
    where = f"the lead {lead_id}" if lead_id else "another lead"
    return f"{external_id} is the id of {where} already. Change it there first."


def _changed(stands: str | None) -> Problem:
    now = f"It is {stands} now." if stands else "It is empty now."
    detail = f"Somebody else has changed this id since you opened the lead. {now} Look, then change it again."
    return Problem(409, "stale", "The lead has changed", detail)


def changes_of(delivery: Delivery) -> Sequence[ExternalIdChange]:
    """The changes of a delivery's own id, the latest first. One query."""
    rows = ExternalIdChange.objects.filter(delivery=delivery).order_by("-pk")
    return list(rows.select_related("change_set__user", "change_set__api_key", "change_set__upload"))
