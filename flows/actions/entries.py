"""Entries of suppression lists as decisions note them: of which kind, until when, by whom. Never the value:
that stands on the list alone, and goes when it goes from there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.db import connection

from flows.actions.base import BadRule
from flows.locks import locked
from flows.models import Decision, SuppressionEntry, SuppressionList

Entry = tuple[str, str]  # kind, normalised value
Note = dict[str, Any]  # an entry without its value, JSON-typed
Rows = dict[Entry, SuppressionEntry]
WORTH_IT = dt.timedelta(hours=1)  # what is gained by less is not worth a decision


def own_lists(seller_id: int) -> dict[str, SuppressionList]:
    """The seller's lists by URL name. One query.

    In a transaction they are locked until its end, so that nobody adds to one in between; all of them in one
    order, as the next rule may want another one. What only asks has no transaction, and holds up nobody.
    """
    rows = SuppressionList.objects.filter(seller=seller_id).order_by("pk")
    return {row.slug: row for row in (locked(rows) if connection.in_atomic_block else rows)}


def own_list(seller_id: int, slug: str) -> SuppressionList:
    """The list of this URL name, as in `own_lists`. BadRule where there is none."""
    try:
        return own_lists(seller_id)[slug]
    except KeyError:
        raise BadRule(f"There is no suppression list “{slug}”.") from None


def rows_of(listed: SuppressionList, wanted: Iterable[Entry]) -> Rows:
    """What stands on the list of these entries, expired ones too. One query."""
    values = {value for _, value in wanted}
    found = listed.entries.filter(value__in=values).select_related("decision")
    return {(row.kind, row.value): row for row in found}


def over(until: dt.datetime | None, now: dt.datetime) -> bool:
    """Whether that moment has come; what has no end never ends."""
    return until is not None and until <= now


def outlasts(until: dt.datetime | None, standing: dt.datetime | None) -> bool:
    """Whether to be on a list until then (None: for good) is more than what stands there."""
    if standing is None:
        return False
    return until is None or until - standing >= WORTH_IT


def note(row: SuppressionEntry) -> Note:
    """The entry as a decision notes it. A reason that repeats the value is left out."""
    return {
        "expires_at": row.expires_at and row.expires_at.isoformat(),
        "origin": row.origin,
        "reason": "" if row.value in row.reason else row.reason,
        "added_at": row.added_at.isoformat(),
        "decision": row.decision_id,
    }


def until_of(noted: Note) -> dt.datetime | None:
    """Until when the noted entry holds."""
    return dt.datetime.fromisoformat(noted["expires_at"]) if noted["expires_at"] else None


def is_as_noted(row: SuppressionEntry, noted: Note) -> bool:
    """Whether it is still the entry that was noted: the same end, by the same hand."""
    same_hand = (row.origin, row.decision_id) == (noted["origin"], noted["decision"])
    return same_hand and row.expires_at == until_of(noted)


def noted_entries(listed: SuppressionList, noted: Mapping[Entry, Note]) -> list[SuppressionEntry]:
    """The entries as they were noted, not saved."""
    keys = {each["decision"] for each in noted.values() if each["decision"]}
    left = set(Decision.objects.filter(pk__in=keys).values_list("pk", flat=True)) if keys else set()
    return [
        SuppressionEntry(
            list=listed,
            kind=kind,
            value=value,
            reason=each["reason"],
            origin=each["origin"],
            decision_id=each["decision"] if each["decision"] in left else None,
            added_at=dt.datetime.fromisoformat(each["added_at"]),
            expires_at=until_of(each),
        )
        for (kind, value), each in noted.items()
    ]


def replace(
    listed: SuppressionList, gone: Collection[SuppressionEntry], entries: list[SuppressionEntry]
) -> None:
    """Take entries off the list, and let others stand in whatever stands there for their values."""
    if gone:
        listed.entries.filter(pk__in=[row.pk for row in gone]).delete()
    SuppressionEntry.objects.bulk_create(
        sorted(entries, key=lambda entry: (entry.kind, entry.value)),
        update_conflicts=True,
        unique_fields=["list", "kind", "value"],
        update_fields=["expires_at", "decision", "reason", "origin", "added_at"],
    )
