"""Which lead each row of one file speaks of, where some name it by its id and others by the buyer's own.

A row that has both ids pairs them for the whole file, wherever it stands, so that neither the order of the
rows nor the chunk in which they are read decides what becomes of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from feedback.reader import UnreadableError

MOST_PAIRS = 200_000  # pairs of ids that are held
CHUNK = 500  # own ids asked for in one query
Cells = Mapping[str, str]
Named = Iterable[tuple[int, Cells]]  # lines, and their cells by field
OnRecord = Callable[[set[str]], Mapping[str, str]]  # own ids → those on record, with their lead's id


@dataclass
class FileIds:
    """``alone``: hashes of the own ids by which rows without a lead's id name it; ``mixed``: others have one.

    ``pairs``: own id → the lead's id that a row gives it; only of own ids that stand alone somewhere.
    """

    on_record: OnRecord
    alone: set[int] = field(default_factory=set)
    mixed: bool = False
    pairs: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Callable[[], Named], on_record: OnRecord) -> FileIds:
        """Two passes over the file at most. UnreadableError where too many ids would have to be held."""
        found, named = cls(on_record), False
        for _, cells in rows():
            lead_id, own_id = cells.get("lead_id", ""), cells.get("external_id", "")
            named = named or bool(lead_id)
            if own_id and not lead_id:
                found.alone.add(hash(own_id))
        found.mixed = named and bool(found.alone)
        if found.mixed:
            found._pair(rows())
        return found

    def _pair(self, rows: Named) -> None:
        for _, cells in rows:
            lead_id, own_id = cells.get("lead_id", ""), cells.get("external_id", "")
            if lead_id and own_id and hash(own_id) in self.alone:
                self.pairs.setdefault(own_id, lead_id)
                if len(self.pairs) > MOST_PAIRS:
                    raise UnreadableError(
                        f"More than {MOST_PAIRS:,} leads are named by both ids here and by your own there. "
                        "Name each lead by its lead_id, or split the file."
                    )

    def resolved(self, rows: Named) -> Iterator[tuple[int, Cells]]:
        """The rows with the lead's id wherever it can be told: on record, else by a pair of the file."""
        if not self.mixed:
            yield from rows
            return
        waiting = iter(rows)
        while chunk := list(islice(waiting, CHUNK)):
            known = self.known(
                {cells.get("external_id", "") for _, cells in chunk if not cells.get("lead_id")}
            )
            for line, cells in chunk:
                lead_id = cells.get("lead_id") or known.get(cells.get("external_id", ""), "")
                yield line, {**cells, "lead_id": lead_id} if lead_id else cells

    def known(self, own_ids: set[str]) -> dict[str, str]:
        """Own id → the lead's id, by the record, else by the file. One query."""
        wanted = own_ids - {""}
        paired = {own_id: self.pairs[own_id] for own_id in wanted if own_id in self.pairs}
        return {**paired, **self.on_record(wanted)} if wanted else {}

    def taught(self, own_ids: set[str]) -> dict[str, str]:
        """Own id → the lead's id, of those that only the file pairs: they are not on record. One query."""
        wanted = {own_id for own_id in own_ids if own_id in self.pairs}
        known = self.on_record(wanted) if wanted else {}
        return {own_id: self.pairs[own_id] for own_id in wanted if own_id not in known}
