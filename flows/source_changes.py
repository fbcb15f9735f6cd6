"""Every change of a source goes through here: it is put on record, and endpoints are told.

The record answers what comparing values cannot: whether something else changed a source in between, though
it stands as a decision had left it.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from flows.models import Decision, SourceChange
from flows.source_events import PRICE, Difference, State, announce, differs

By, Column = SourceChange.By, SourceChange.Column


def changed(differences: Sequence[Difference], *, now: dt.datetime) -> None:
    """Record what differs, and tell of it, in the transaction of the change; the sources are locked.

    The number of queries does not grow with the differences.
    """
    rows = [row for each in differences for row in _rows(each, now)]
    if rows:
        SourceChange.objects.bulk_create(rows)
    announce(differences, now=now)


def changed_by(decisions: Sequence[Decision]) -> None:
    """Record and tell what these decisions have just done to their sources."""
    if decisions:
        made = [
            Difference(
                each.flow,
                each.source,
                each.before,
                each.after,
                each.buyer,
                By.DECISION,
                each.answered_by,
                each,
            )
            for each in decisions
        ]
        changed(made, now=decisions[0].answered_at or decisions[0].decided_at)


def changed_by_undo(decision: Decision, stood: State) -> None:
    """Record and tell that a person has put back what was before the decision; ``stood``: what they found."""
    undone = Difference(
        decision.flow,
        decision.source,
        stood,
        decision.before,
        decision.buyer,
        By.UNDO,
        decision.undone_by,
        decision,
    )
    changed([undone], now=decision.undone_at or decision.decided_at)


def since(decisions: Sequence[Decision], columns: Collection[str]) -> dict[int, list[SourceChange]]:
    """What else has changed these columns after each decision did, by its primary key, oldest first.

    Decisions that were taken back again, the last first, have left nothing, so they do not count. A decision
    whose own change is not on record, as it was taken before there was one, is left out. Two queries.
    """
    own: dict[int, int] = {}
    done = SourceChange.objects.filter(decision__in=decisions, by=By.DECISION, column__in=columns)
    for decision_id, pk in done.order_by("pk").values_list("decision", "pk"):
        own[decision_id or 0] = pk
    if not own:
        return {}
    found: dict[tuple[int, int | None], list[SourceChange]] = defaultdict(list)
    later = SourceChange.objects.filter(
        source__in={each.source_id for each in decisions}, column__in=columns, pk__gt=min(own.values())
    )
    for change in later.select_related("decision", "user").order_by("pk"):
        found[change.source_id, change.buyer_id].append(change)
    return {
        each.pk: standing(
            change for change in found[each.source_id, each.buyer_id] if change.pk > own[each.pk]
        )
        for each in decisions
        if each.pk in own
    }


def standing(changes: Iterable[SourceChange]) -> list[SourceChange]:
    """The changes without the decisions that were taken back exactly, one within the other. Pure."""
    stands: list[SourceChange] = []
    for change in changes:
        if stands and _takes_back(change, stands[-1]):
            stands.pop()
        else:
            stands.append(change)
    return stands


def _takes_back(change: SourceChange, earlier: SourceChange) -> bool:
    """Whether it is the undo or the reversal of the decision that made the earlier one, and left no trace."""
    if earlier.by != By.DECISION or change.decision is None or change.after != earlier.before:
        return False
    taken = change.decision_id if change.by == By.UNDO else change.decision.reverses_id
    return taken is not None and taken == earlier.decision_id


def _rows(each: Difference, now: dt.datetime) -> Iterator[SourceChange]:
    for column in Column.values:
        if differs(each, (column,)):
            yield SourceChange(
                source=each.source,
                buyer=each.buyer,
                column=column,
                before=_plain(column, each.before.get(column)),
                after=_plain(column, each.after[column]),
                reason=each.after.get("status_reason") or "" if column == Column.STATUS else "",
                at=now,
                by=each.by,
                user=each.user,
                decision=each.decision,
            )


def _plain(column: str, value: Any) -> Any:
    """As JSON takes it, one way for one value: a price of 1.2000 is "1.2"."""
    price = column in PRICE and value is not None
    return f"{Decimal(str(value)).normalize():f}" if price else value
