"""From the texts of a file or a form to JSON-typed values."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

INTEGER = re.compile(r"([+-]?\d{1,18})(?:\.0+)?", re.ASCII)
GROUPED = re.compile(r"-?\d{1,3}(\.\d{3})+(,\d+)?", re.ASCII)  # 1.234.567,89
THOUSAND_OR_ONE = re.compile(r"-?[1-9]\d{0,2}[.,]\d{3}", re.ASCII)  # 1.234 or 1,234
SEPARATORS = re.compile(r"[;|]")
YES, NO = ("yes", "y", "true", "t", "1"), ("no", "n", "false", "f", "0")


def payload_of(
    row: Mapping[str, str], kinds: Mapping[str, str], *, decimal_comma: bool = False, sure: bool = True
) -> dict[str, Any]:
    """A payload of the cells: trimmed, empty ones left out, each in the JSON type of its field's kind.

    A cell that cannot be read as its kind stays text, so that validation says what is wrong with it.
    ``decimal_comma``: amounts are written 1.234,56; not ``sure``: so it only seems, and what may be a
    thousand or one and a bit is not read.
    """
    cells = {name: text.strip() for name, text in row.items()}
    return {
        name: _value(kinds.get(name, "text"), text, decimal_comma=decimal_comma, sure=sure)
        for name, text in cells.items()
        if text
    }


def _value(kind: str, text: str, *, decimal_comma: bool, sure: bool) -> Any:
    if decimal_comma and kind in ("money", "decimal"):
        return _with_point(text, sure=sure)
    return READERS.get(kind, str)(text)


def _with_point(text: str, *, sure: bool) -> str:
    """The number with a decimal point. What may be a thousand or one and a bit is left unreadable."""
    if THOUSAND_OR_ONE.fullmatch(text) and not (sure and "." in text):
        return f"{text}?"  # 1.234 alone would be read as it stands
    whole = text.replace(".", "") if GROUPED.fullmatch(text) else text
    return whole.replace(",", ".")


def _boolean(text: str) -> Any:
    word = text.lower()
    return True if word in YES else False if word in NO else text


def _integer(text: str) -> Any:
    """``5.0`` too: so spreadsheets and data frames write a whole number in a column with gaps."""
    match = INTEGER.fullmatch(text)
    return int(match[1]) if match else text


def _texts(text: str) -> list[str]:
    return [item for item in (part.strip() for part in SEPARATORS.split(text)) if item]


def _object(text: str) -> Any:
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        return text


READERS: Mapping[str, Callable[[str], Any]] = {
    "boolean": _boolean,
    "integer": _integer,
    "list": _texts,
    "object": _object,
}
