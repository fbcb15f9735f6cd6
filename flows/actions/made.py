"""What a decision has put on a list, what had stood there, and what stands there now."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db.models import Q

from flows.actions.base import CannotUndo, State
from flows.actions.entries import (
    Entry,
    Note,
    is_as_noted,
    note,
    noted_entries,
    over,
    own_lists,
    replace,
    until_of,
)
from flows.models import Decision, SuppressionEntry, SuppressionList

ByKind = dict[str, SuppressionEntry]


@dataclass(frozen=True, slots=True)
class Made:
    """A decision and the entries that it has made: ``wanted``, on the list ``listed``; ``rows``: what stands
    there now, by kind, in force or not. Without the list (``None``) nothing does."""

    decision: Decision
    wanted: Sequence[Entry]
    listed: SuppressionList | None
    now: dt.datetime
    rows: ByKind = field(default_factory=dict)

    @property
    def until(self) -> dt.datetime | None:
        return end_of(self.decision)

    @property
    def stood(self) -> dict[str, Note]:
        """What had stood before, by kind, as far as its time is not over by now."""
        stood: dict[str, Note] = self.decision.before.get("stood", {})
        return {kind: noted for kind, noted in stood.items() if not over(until_of(noted), self.now)}

    @property
    def standing(self) -> ByKind:
        """What is in force."""
        return {kind: row for kind, row in sorted(self.rows.items()) if not over(row.expires_at, self.now)}

    def is_own(self, row: SuppressionEntry) -> bool:
        """Whether the entry is as the decision has made it."""
        return row.decision_id == self.decision.pk and row.expires_at == self.until

    def is_as_made(self) -> bool:
        """Whether all is as the decision has left it. What ended when it was to end has not been changed."""
        if self.listed is None:
            return False
        own = sorted(kind for kind, row in self.rows.items() if self.is_own(row))
        if over(self.until, self.now):
            return len(own) == len(self.rows)
        added: list[str] = self.decision.after["added"]
        return own == added

    def is_taken_back(self) -> bool:
        """Whether all is as it was before the decision."""
        standing, stood = self.standing, self.stood
        return standing.keys() == stood.keys() and all(
            is_as_noted(row, stood[kind]) for kind, row in standing.items()
        )

    def stands(self) -> State:
        """What stands now, for a person: ``added`` are the kinds that are as the decision made them, ``now``
        tells of the others."""
        added = [kind for kind, row in self.standing.items() if self.is_own(row)]
        others = {
            kind: {"origin": row.origin, "expires_at": note(row)["expires_at"]}
            for kind, row in self.standing.items()
            if kind not in added
        }
        kept = ("list", "list_name", *(("expires_days",) if added else ()))
        named = {name: self.decision.after[name] for name in kept if name in self.decision.after}
        return {**named, "added": added, **({"now": others} if others else {})}

    def stood_for(self) -> dict[Entry, Note]:
        """What had stood, by what it stood for."""
        values = dict(self.wanted) | {kind: row.value for kind, row in self.rows.items()}
        return {(kind, values[kind]): noted for kind, noted in self.stood.items() if kind in values}

    def make_again(self) -> None:
        """Let stand what the decision made, unless its time is over by now: then nothing stands."""
        if over(self.until, self.now):
            replace(self.on(), list(self.rows.values()), [])
        else:
            replace(self.on(), [], entries_of(self.on(), self.decision, self.wanted))

    def on(self) -> SuppressionList:
        """The list. CannotUndo where it is gone."""
        if self.listed is None:
            raise CannotUndo(f"There is no suppression list “{self.decision.after['list']}” any more.")
        return self.listed


def take_back(made: Sequence[Made]) -> None:
    """Let stand what stood before these decisions; a few statements for each list."""
    by_list: dict[int, list[Made]] = {}
    for each in made:
        by_list.setdefault(each.on().pk, []).append(each)
    for some in by_list.values():
        stood = {entry: noted for each in some for entry, noted in each.stood_for().items()}
        gone = [row for each in some for kind, row in each.rows.items() if kind not in each.stood]
        replace(some[0].on(), gone, noted_entries(some[0].on(), stood))


def made_by(decisions: Sequence[tuple[Decision, Sequence[Entry]]], *, now: dt.datetime) -> list[Made]:
    """Of each decision with what it added: what stands there now. The decisions are one seller's.

    Two queries, however many there are.
    """
    if not decisions:
        return []
    lists = own_lists(decisions[0][0].flow.seller_id)
    of = [Made(each, wanted, lists.get(each.after["list"]), now) for each, wanted in decisions]
    values = {value for _, wanted in decisions for _, value in wanted}
    here = Q(value__in=values) | Q(decision__in=[each for each, _ in decisions])
    found = SuppressionEntry.objects.filter(here, list__in={each.listed for each in of if each.listed})
    rows = list(found)
    for made in of:
        made.rows.update(_rows_of(made, rows))
    return of


def _rows_of(made: Made, found: Iterable[SuppressionEntry]) -> ByKind:
    """The decision's own entries, whatever value they have; else what stands there for its values."""
    here = [row for row in found if made.listed and row.list_id == made.listed.pk]
    by_value = {row.kind: row for row in here if (row.kind, row.value) in made.wanted}
    return by_value | {row.kind: row for row in here if row.decision_id == made.decision.pk}


def entries_of(
    listed: SuppressionList, decision: Decision, wanted: Sequence[Entry]
) -> list[SuppressionEntry]:
    """The entries as the decision makes them, not saved."""
    return [
        SuppressionEntry(
            list=listed,
            kind=kind,
            value=value,
            reason=decision.rule_name,
            decision=decision,
            origin=SuppressionEntry.Origin.RULE,
            added_at=moment_of(decision),
            expires_at=end_of(decision),
        )
        for kind, value in wanted
    ]


def moment_of(decision: Decision) -> dt.datetime:
    """When it was done."""
    return decision.answered_at or decision.decided_at


def end_of(decision: Decision) -> dt.datetime | None:
    """Until when its entries are to stand; None: for good."""
    days = decision.after.get("expires_days")
    return moment_of(decision) + dt.timedelta(days=days) if days else None
