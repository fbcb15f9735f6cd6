"""Find the rows of one file that give one lead different values, as no order between them is to be trusted.

Knows no database. A file may have millions of rows: a first pass notes in a fixed table which leads are
named more than once (and a few that are not), a second looks only at those. Of these rows hashes are held,
not texts: two of 64 bits are equal by chance once in 10^19 pairs, and cells may be long.
"""

from __future__ import annotations

import zlib
from array import array
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from feedback.reader import UnreadableError

MAX_REPEATED = 200_000  # rows held for comparison
LINES_NAMED = 6  # in a message
OF_OWN_ID = "\0"  # no lead's id begins so
WHOSE = "the lead that external_id belongs to"
WHO_AND_WHEN = ("lead_id", "external_id", "feedback_timestamp", "date")

Cells = Mapping[str, str]
Named = Iterable[tuple[int, Cells]]  # lines, and their cells by field
Key = tuple[str, str]  # which lead, at what time: two rows at different times tell a story
Lines = dict[int, str]


class Repeated(NamedTuple):
    """``wrong``: line → what is wrong with it, for each row that another one on the same lead and time
    contradicts. ``twice``: the lines that only say again what an earlier one says.
    """

    wrong: Lines
    twice: Collection[int]


class _Said(NamedTuple):
    """The hashes of a row's cells, in the order of `_Fields`; 0 for an empty one, as of fields to come."""

    line: int
    texts: array[int]

    def of(self, place: int) -> int:
        return self.texts[place] if place < len(self.texts) else 0


class _Fields(dict[str, int]):
    """Each field that was met → its place."""

    def hashed(self, cells: Cells) -> array[int]:
        for name in cells:
            self.setdefault(name, len(self))
        return array("q", [hash(cells.get(name, "")) for name in self])

    def compared(self) -> list[tuple[str, int]]:
        return sorted((name, place) for name, place in self.items() if name not in WHO_AND_WHEN)


def contradictions(
    rows: Callable[[], Named], count: int, meant: Callable[[Cells], Cells] = lambda cells: cells
) -> Repeated:
    """The rows that give a lead what another row gives it too, at the same time; and own ids with two leads.

    ``rows`` starts a new pass over the file of ``count`` rows. ``meant``: a row's cells such that equal
    values are equal texts (1500 and 1500.00), asked only of rows that are compared. UnreadableError when too
    many are repeated.
    """
    slots = 1 << max(20, min(28, (64 * count).bit_length()))  # bits: 128 KiB to 32 MiB
    keys = (key for key in (_key(cells) for _, cells in _with_own_ids(rows())) if key[0])
    repeated = _repeated_slots(keys, slots)
    return _compare(_with_own_ids(rows()), repeated, slots, meant) if repeated else Repeated({}, ())


def _with_own_ids(rows: Named) -> Iterator[tuple[int, Cells]]:
    """The rows, and after each that has both ids what it says of the buyer's own one: whose it is."""
    for line, cells in rows:
        yield line, cells
        if cells.get("external_id") and cells.get("lead_id"):
            yield line, {"lead_id": OF_OWN_ID + cells["external_id"], WHOSE: cells["lead_id"]}


def _key(cells: Cells) -> Key:
    who, other, at, date = (cells.get(name, "") for name in WHO_AND_WHEN)
    return who or other, at or date


def _slot(key: Key, slots: int) -> int:
    return zlib.crc32("\0".join(key).encode()) % slots


def _repeated_slots(keys: Iterable[Key], slots: int) -> set[int]:
    seen, repeated = bytearray(slots // 8), set()
    for key in keys:
        slot = _slot(key, slots)
        byte, bit = slot >> 3, 1 << (slot & 7)
        if seen[byte] & bit:
            repeated.add(slot)
            _refuse_beyond_limit(2 * len(repeated))  # a slot is repeated by two rows at least
        seen[byte] |= bit
    return repeated


def _compare(rows: Named, repeated: set[int], slots: int, meant: Callable[[Cells], Cells]) -> Repeated:
    fields = _Fields()
    groups: dict[int, list[_Said]] = defaultdict(list)
    of_own_ids: set[int] = set()
    held = 0
    for line, cells in rows:
        key = _key(cells)
        if key[0] and _slot(key, slots) in repeated:
            if key[0].startswith(OF_OWN_ID):
                of_own_ids.add(hash(key))
            else:
                cells = meant(cells)  # noqa: PLW2901  # the same row in other words
            groups[hash(key)].append(_Said(line, fields.hashed(cells)))
            held += 1
            _refuse_beyond_limit(held)
    compared = fields.compared()
    wrong: Lines = {}
    for group in groups.values():
        if len(group) > 1:
            wrong |= _among(group, compared)
    of_leads = (group for key, group in groups.items() if key not in of_own_ids)
    return Repeated(wrong, {line for group in of_leads for line in _twice(group)})


def _refuse_beyond_limit(held: int) -> None:
    if held > MAX_REPEATED:
        raise UnreadableError(
            f"More than {MAX_REPEATED:,} rows name a lead that another row names too. "
            "Send each lead once, or give each row its feedback_timestamp."
        )


def _twice(group: Sequence[_Said]) -> Iterator[int]:
    seen: set[bytes] = set()
    for said in group:
        texts = said.texts.tobytes().rstrip(b"\0")  # fields to come are empty
        if texts in seen:
            yield said.line
        seen.add(texts)


def _among(group: Sequence[_Said], compared: Sequence[tuple[str, int]]) -> Lines:
    wrong: dict[int, list[str]] = defaultdict(list)
    for name, place in compared:
        said = [each for each in group if each.of(place)]
        if len({each.of(place) for each in said}) > 1:
            for each in said:
                wrong[each.line].append(name)
    named = _listed(sorted(wrong))
    messages: dict[tuple[str, ...], str] = {}  # rows with the same faults share one text
    return {line: messages.setdefault(tuple(names), _words(named, names)) for line, names in wrong.items()}


def _words(lines: str, names: Sequence[str]) -> str:
    return f"Lines {lines} give this lead different values for {' and '.join(names)}. Keep one of them."


def _listed(lines: Sequence[int]) -> str:
    shown = ", ".join(map(str, lines[:LINES_NAMED]))
    return f"{shown} …" if len(lines) > LINES_NAMED else shown
