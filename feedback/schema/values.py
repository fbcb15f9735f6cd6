"""Readers of single values: strict about the type, exact about numbers, plain about what to do."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from feedback.schema.hints import OUTCOME_WORDS, did_you_mean
from feedback.schema.spec import Reader, Reading, RefusedError, Terms
from flows.models import Outcome

OUTCOMES = tuple(Outcome.values)
NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
WHOLE_DIGITS = 12  # before the point, as the columns hold them
FRACTION_DIGITS = 9  # of a decimal number
SAFE_INTEGER = 2**53 - 1  # every JSON client reads it exactly
TEXT_LENGTH, REASON_LENGTH = 5000, 500
LIST_LENGTH, ITEM_LENGTH = 20, 200
OBJECT_BYTES, OBJECT_DEPTH = 8192, 10


def storable(text: str) -> str:
    """The text, unless no database can hold it."""
    if UNSTORABLE.search(text):
        raise RefusedError("invalid_type", "Remove the NUL or broken surrogate character from the text.")
    return text


def outcome(value: object, reading: Reading) -> str:
    """One of the seven words."""
    if not isinstance(value, str):
        raise RefusedError("invalid_type", "Send outcome as text, one of the allowed words.", OUTCOMES)
    if value not in OUTCOMES:
        meant = did_you_mean(value, OUTCOMES, OUTCOME_WORDS)
        advice = f'Send "{meant}" if that is what you mean' if meant else "Send one of the allowed words"
        raise RefusedError("invalid_outcome", f"{advice}, exactly and in lower case.", OUTCOMES, meant)
    return value


def boolean(value: object, reading: Reading) -> bool:
    """``true`` or ``false``."""
    if not isinstance(value, bool):
        raise RefusedError("invalid_type", "Send true or false, without quotes.")
    return value


def integer(low: int = -SAFE_INTEGER, high: int = SAFE_INTEGER) -> Reader:
    """A whole number within bounds, as a JSON number; ``5.0`` is one, as JSON Schema has it."""

    def read(value: object, reading: Reading) -> int:
        if isinstance(value, Decimal) and value.is_finite() and value.adjusted() < 17 and value % 1 == 0:
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise RefusedError("invalid_type", "Send a whole number, without quotes or decimals.")
        if not low <= value <= high:
            raise RefusedError("out_of_range", f"Send a whole number from {low} to {high}.")
        return value

    return read


def _number(value: object) -> Decimal:
    """A finite number from a JSON number or from a text of plain digits; never through a float."""
    if isinstance(value, str) and NUMBER.fullmatch(value) and len(value) <= 100:
        return Decimal(value)
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        number = Decimal(value)
        if number.is_finite():
            return number
    raise RefusedError(
        "invalid_type",
        'Send a number, or a text of plain digits such as "1500.00": no sign of currency, no separators.',
    )


def _bounded(number: Decimal, decimals: int, what: str) -> Decimal:
    """The number with exactly that many decimals, if it has no more than that and is not too large."""
    if number and number.adjusted() >= WHOLE_DIGITS:
        raise RefusedError(
            "out_of_range", f"Send a number of at most {WHOLE_DIGITS} digits before the point."
        )
    if (number and number.adjusted() < -decimals) or number != round(number, decimals):
        allowed = f"at most {decimals} decimals" if decimals else "no decimals"
        raise RefusedError("too_many_decimals", f"{what} has {allowed}.")
    return round(number, decimals)


def money(terms: Terms) -> Reader:
    """An amount ≥ 0 in the flow's currency, as text with the currency's decimals."""

    def read(value: object, reading: Reading) -> str:
        number = _number(value)
        if number < 0:
            raise RefusedError("negative_amount", "Send an amount of zero or more.")
        return str(abs(_bounded(number, terms.decimals, f"An amount in {terms.currency}")))

    return read


def decimal(value: object, reading: Reading) -> str:
    """A decimal number, as text without superfluous zeros."""
    number = _bounded(_number(value), FRACTION_DIGITS, "The number")
    return format(number.normalize(), "f") if number else "0"


def text(length: int) -> Reader:
    """A text of at most ``length`` characters."""

    def read(value: object, reading: Reading) -> str:
        if not isinstance(value, str):
            raise RefusedError("invalid_type", "Send a text, in quotes.")
        if len(value) > length:
            raise RefusedError("too_long", f"Send at most {length:,} characters; these are {len(value):,}.")
        return storable(value)

    return read


def choice(choices: Sequence[str]) -> Reader:
    """One of the field's choices, exactly."""

    def read(value: object, reading: Reading) -> str:
        if not isinstance(value, str):
            raise RefusedError("invalid_type", "Send one of the allowed values as text.", choices)
        if value not in choices:
            meant = did_you_mean(value, choices)
            raise RefusedError("invalid_choice", "Send one of the allowed values, exactly.", choices, meant)
        return value

    return read


def reason(choices: Sequence[str]) -> Reader:
    """A short text; for a return it must be on the flow's list, where there is one."""
    free, listed = text(REASON_LENGTH), choice(choices)

    def read(value: object, reading: Reading) -> Any:
        limited = choices and reading.payload.get("outcome") == Outcome.RETURNED
        return (listed if limited else free)(value, reading)

    return read


def texts(value: object, reading: Reading) -> list[str]:
    """A list of short texts."""
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        raise RefusedError("invalid_type", 'Send a list of texts, such as ["wrong number", "too late"].')
    if len(value) > LIST_LENGTH:
        raise RefusedError("too_long", f"Send at most {LIST_LENGTH} texts; these are {len(value)}.")
    if any(len(item) > ITEM_LENGTH for item in value):
        raise RefusedError("too_long", f"Send texts of at most {ITEM_LENGTH} characters each.")
    return [storable(item) for item in value]


def mapping(value: object, reading: Reading) -> dict[str, Any]:
    """A JSON object of at most 8 KiB and ten levels; its numbers stay numbers."""
    if not isinstance(value, dict):
        raise RefusedError("invalid_type", 'Send an object, such as {"policy": "auto"}.')
    plain: dict[str, Any] = _plain(value, OBJECT_DEPTH)
    if len(json.dumps(plain, ensure_ascii=False).encode()) > OBJECT_BYTES:
        raise RefusedError("too_long", f"Send an object of at most {OBJECT_BYTES:,} bytes of JSON.")
    return plain


def _plain(value: object, depth: int) -> Any:
    """A JSON value that any JSON client reads back exactly."""
    if depth < 0:
        raise RefusedError("too_long", f"Send an object of at most {OBJECT_DEPTH} levels.")
    if isinstance(value, dict):
        return {storable(str(key)): _plain(item, depth - 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, depth - 1) for item in value]
    if isinstance(value, str):
        return storable(value)
    if value is None or isinstance(value, bool):
        return value
    return _plain_number(value)


def _plain_number(value: object) -> int | float:
    if isinstance(value, int) and abs(value) <= SAFE_INTEGER:
        return value
    if isinstance(value, float) and math.isfinite(value):  # as read back from the database
        return value
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) < 300:
        number = float(value)
        if Decimal(repr(number)) == value:  # nothing is lost
            return number
    raise RefusedError("out_of_range", "Send numbers of more than 15 digits within the object as texts.")
