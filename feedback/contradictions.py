"""Find the rows of one file that give one lead different values, as no order between them is to be trusted.

Knows no database. A file may have millions of rows: a first pass notes in a fixed table which leads are
named more than once (and a few that are not), a second looks only at those.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from feedback.reader import UnreadableError

MAX_REPEATED = 200_000  # rows held for comparison
LINES_NAMED = 6  # in a message
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


def contradictions(rows: Callable[[], Named], count: int) -> Repeated:
    """The rows that give a lead what another row gives it too, at the same time.

    ``rows`` starts a new pass over the file of ``count`` rows. UnreadableError when too many are repeated.
    """
    slots = 1 << max(20, min(28, (64 * count).bit_length()))  # bits: 128 KiB to 32 MiB
    repeated = _repeated_slots((_key(cells) for _, cells in rows()), slots)
    return _compare(rows(), repeated, slots) if repeated else Repeated({}, ())


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
        seen[byte] |= bit
    return repeated


def _compare(rows: Named, repeated: set[int], slots: int) -> Repeated:
    by_key: dict[Key, list[tuple[int, Cells]]] = defaultdict(list)
    held = 0
    for line, cells in rows:
        key = _key(cells)
        if key[0] and _slot(key, slots) in repeated:
            by_key[key].append((line, cells))
            held += 1
        if held > MAX_REPEATED:
            raise UnreadableError(
                f"More than {MAX_REPEATED:,} rows name a lead that another row names too. "
                "Send each lead once, or give each row its feedback_timestamp."
            )
    wrong = {line: message for group in by_key.values() for line, message in _among(group).items()}
    return Repeated(wrong, {line for group in by_key.values() for line in _twice(group)})


def _twice(group: Sequence[tuple[int, Cells]]) -> Iterator[int]:
    seen: set[frozenset[tuple[str, str]]] = set()
    for line, cells in group:
        said = frozenset((name, text) for name, text in cells.items() if text)
        if said in seen:
            yield line
        seen.add(said)


def _among(group: Sequence[tuple[int, Cells]]) -> Lines:
    wrong: dict[int, list[str]] = defaultdict(list)
    for name in sorted({name for _, cells in group for name in cells} - set(WHO_AND_WHEN)):
        lines: dict[str, list[int]] = defaultdict(list)
        for line, cells in group:
            if cells.get(name):
                lines[cells[name]].append(line)
        if len(lines) > 1:
            for line in (line for same in lines.values() for line in same):
                wrong[line].append(name)
    named = _listed(sorted(wrong))
    return {
        line: f"Lines {named} give this lead different values for {' and '.join(names)}. Keep one of them."
        for line, names in wrong.items()
    }


def _listed(lines: Sequence[int]) -> str:
    shown = ", ".join(map(str, lines[:LINES_NAMED]))
    return f"{shown} …" if len(lines) > LINES_NAMED else shown
