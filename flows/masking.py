"""Personal data made unreadable, so that a request can be looked at afterwards. Pure.

Kept: the standard fields that hold no words of a person's (outcome, amounts, times), ids, and whether a
value was true, false or null. Everything else keeps its name and shows only its shape.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

MOST_BYTES = 4096  # of a masked body
DOT = "•••"
CUT = "…"
EMAIL = re.compile(r"\s*([^\s@])[^\s@]*@([^\s@])[^\s@]*?(\.[^\s@.]{1,24})?\s*")
ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
WORD = re.compile(r"[A-Za-z_ -]{1,40}")
NUMBER = re.compile(r"[-+]?[0-9.,_ eE]{1,30}")
MOMENT = re.compile(r"[0-9TtZz:.,+/ -]{4,40}")
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
FEW_DIGITS = 4  # a name with more may be a number of a person's

# What a known field may hold and still be shown; any other value of it is masked like the rest.
SHOWN: Mapping[str, re.Pattern[str]] = {
    **dict.fromkeys(("lead_id", "external_id", "event_id", "source", "buyer"), ID),
    **dict.fromkeys(("outcome", "converted", "type"), WORD),
    **dict.fromkeys(("quality_score", "revenue", "commission", "price"), NUMBER),
    **dict.fromkeys(("feedback_timestamp", "date", "contacted_date", "delivered_at"), MOMENT),
}
ROWS = "feedback"  # of a batch: its rows are as single ones are


def mask_text(text: str) -> str:
    """``maria@example.com`` → ``m•••@e•••.com``, ``512 555-1212`` → ``••• (10 digits)``."""
    if address := EMAIL.fullmatch(text):
        return f"{address[1]}{DOT}@{address[2]}{DOT}{address[3] or ''}"
    if digits := sum(map(str.isdigit, text)):
        return f"{DOT} ({digits} digit{'s' if digits > 1 else ''})"
    first = text[:1] if text[:1].isalpha() else ""
    return f"{first}{DOT}" + (f" ({len(text):,} characters)" if len(text) > 20 else "")


def mask_id(text: str) -> str:
    """An id as it is; whatever else stands in its place is masked."""
    return text if ID.fullmatch(text) else mask_text(text)


def mask_name(name: str) -> str:
    """A field's name as it is, unless it looks like a value."""
    digits = sum(map(str.isdigit, name))
    return name if NAME.fullmatch(name) and digits <= FEW_DIGITS else mask_text(name)


def masked_json(payload: Mapping[str, Any]) -> str:
    """The masked payload as JSON of at most `MOST_BYTES`; what does not fit is left out, marked by ``…``."""
    kept = _Masker().mapping(payload, _value)
    return json.dumps(kept, ensure_ascii=False)


class _Masker:
    """One body under way: it stops when the room is used up, so its work is bounded too."""

    def __init__(self) -> None:
        self.room = MOST_BYTES - 256  # for what closes the brackets that are open then

    def mapping(self, given: Mapping[str, Any], keep: Callable[[str, Any], Any]) -> dict[str, Any]:
        answer: dict[str, Any] = {}
        for name, value in given.items():
            shown = mask_name(name)
            if not self.fits(shown):
                answer[CUT] = CUT
                break
            answer[shown] = self.any(name, value, keep)
        return answer

    def any(self, name: str, value: Any, keep: Callable[[str, Any], Any]) -> Any:
        if isinstance(value, dict):
            return self.mapping(value, _shape)
        if isinstance(value, list):
            rows = keep is _value and name == ROWS
            return self.items(value, keep if rows else _shape)
        shown = keep(name, value)
        return shown if self.fits(shown) else CUT

    def items(self, given: list[Any], keep: Callable[[str, Any], Any]) -> list[Any]:
        answer: list[Any] = []
        for value in given:
            if not self.fits(""):
                answer.append(CUT)
                break
            answer.append(
                self.mapping(value, keep) if isinstance(value, dict) else self.any("", value, _shape)
            )
        return answer

    def fits(self, piece: Any) -> bool:
        """Take the room of a piece, its brackets and comma."""
        self.room -= len(json.dumps(piece, ensure_ascii=False).encode()) + 6
        return self.room > 0


def _value(name: str, value: Any) -> Any:
    """A value of a standard field, where it is of a kind that may be shown."""
    pattern = SHOWN.get(name)
    if pattern is None or isinstance(value, bool) or value is None:
        return _shape(name, value)
    if isinstance(value, str):
        return value if pattern.fullmatch(value) else mask_text(value)
    return _plain(value) if pattern is NUMBER and NUMBER.fullmatch(str(value)) else _shape(name, value)


def _shape(name: str, value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    return mask_text(value if isinstance(value, str) else str(value))


def _plain(value: int | Decimal) -> int | float | str:
    """A number that JSON writes; a decimal as it was sent, in quotes where a float would change it."""
    if isinstance(value, int):
        return value
    number = float(value)
    return number if Decimal(repr(number)) == value else str(value)
