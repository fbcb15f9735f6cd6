"""Whether a client takes the form in which we answer, and which it likes best (RFC 9110, 12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from django.http import HttpRequest

WEIGHT = re.compile(r"q\s*=\s*(0(?:\.\d*)?|1(?:\.0*)?)")


class _Liking(NamedTuple):
    """How much a media type is liked; greater is better."""

    weight: float = 0.0
    closeness: int = 0  # a type that is named by itself comes before one that a wildcard takes in
    earliness: int = 0


def accepts(request: HttpRequest, kind: str) -> bool:
    """Whether the header Accept takes the media type ``kind``; the closest of its ranges decides.

    Every kind has one form here, so parameters other than q are no reason to refuse: many clients send
    ``application/json; charset=utf-8``. An empty header says nothing.
    """
    return preferred(request, (kind,)) is not None


def preferred(request: HttpRequest, kinds: Sequence[str]) -> str | None:
    """The one of ``kinds`` that the client likes best; None where it takes none.

    Without a header, and where it likes several alike, the first of them.
    """
    given = request.headers.get("Accept", "").lower()
    if not given.strip():
        return kinds[0]
    ranges = _ranges(given)
    likings = [_liking(ranges, kind) for kind in kinds]
    best = max(likings)
    return kinds[likings.index(best)] if best.weight else None


def _ranges(given: str) -> dict[str, _Liking]:
    """Each media range of the header, with its weight and place."""
    ranges = {}
    for place, each in enumerate(given.split(",")):
        range_, *parameters = (part.strip() for part in each.split(";"))
        weights = [float(found[1]) for found in map(WEIGHT.fullmatch, parameters) if found]
        ranges[range_] = _Liking(min(weights, default=1.0), earliness=-place)
    return ranges


def _liking(ranges: dict[str, _Liking], kind: str) -> _Liking:
    from_wide_to_close = ("*/*", f"{kind.partition('/')[0]}/*", kind)
    found = _Liking()
    for closeness, range_ in enumerate(from_wide_to_close):
        if range_ in ranges:
            found = ranges[range_]._replace(closeness=closeness)
    return found
