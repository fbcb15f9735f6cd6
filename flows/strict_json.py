"""JSON as RFC 8259 and I-JSON mean it, and nothing that a lenient reader would let through.

UTF-8 only, one object, no key twice, no NaN or Infinity, no lone surrogate, no NUL, numbers within the
range of a double, at most 64 deep. Numbers with a point or an exponent become `Decimal`, never a float.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, Never

MAX_DEPTH = 64
MAX_EXPONENT = 308  # of a double, which has at most that and one more digits before the point
MAX_DIGITS = 309
# One token after another; a text that json.loads took consists of these and of punctuation.
TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
COLON = re.compile(r"\s*:")
# In order: a good surrogate pair; a NUL or a surrogate by itself; any other escape.
ESCAPE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|\\(?P<bad>u0000|u[dD][89a-fA-F][0-9a-fA-F]{2})"
    r"|\\."
)


class MalformedJsonError(ValueError):
    """Why a body was not taken, with the place: ``line`` and ``column``, both counted from 1."""

    def __init__(self, reason: str, text: str = "", position: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = text.count("\n", 0, position) + 1
        self.column = position - text.rfind("\n", 0, position)


class _RefusedError(ValueError):
    """Raised by a hook, which does not know the place."""


def loads(body: bytes) -> dict[str, Any]:
    """The object that ``body`` holds. MalformedJsonError, with line and column, for anything else."""
    text = _decode(body)
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise MalformedJsonError(f"This is not JSON: {error.msg}.", text, error.pos) from None
    except (_RefusedError, RecursionError):
        raise _first_fault(text) from None
    if not isinstance(value, dict):
        raise MalformedJsonError(
            "The body must be one JSON object: {…}.", text, len(text) - len(text.lstrip())
        )
    if _is_suspect(text) and (fault := next(_faults(text), None)):
        raise fault
    return value


def _decode(body: bytes) -> str:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        before = body[: error.start].decode("utf-8")
        raise MalformedJsonError("The body must be encoded in UTF-8.", before, len(before)) from None
    if text.startswith("\ufeff"):
        raise MalformedJsonError("The body begins with a byte order mark. Leave it out.")
    return text


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    answer = dict(pairs)
    if len(answer) != len(pairs):
        raise _RefusedError
    return answer


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise _RefusedError
    return int(text)


def _decimal(text: str) -> Decimal:
    if len(text) > MAX_DIGITS or _is_out_of_range(text):
        raise _RefusedError
    return Decimal(text)


def _is_out_of_range(text: str) -> bool:
    """Whether a double could not hold the number (it would overflow, or underflow to nothing)."""
    try:
        return abs(Decimal(text).adjusted()) > MAX_EXPONENT
    except InvalidOperation:  # an exponent of more than 18 digits
        return True


def _constant(text: str) -> Never:
    raise _RefusedError


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_decimal, parse_int=_integer, parse_constant=_constant
)


def _is_suspect(text: str) -> bool:
    """Cheap and sometimes wrong: whether `_faults` has to look closely."""
    return "\\u" in text or text.count("[") + text.count("{") > MAX_DEPTH


def _first_fault(text: str) -> MalformedJsonError:
    return next(_faults(text), MalformedJsonError("This is not JSON.", text))


def _faults(text: str) -> Iterator[MalformedJsonError]:
    """What is refused although the reader took it or stopped without a place, in order of place."""
    keys: list[set[str] | None] = []  # of each open object; None for an open array
    for token in TOKEN.finditer(text):
        word, at = token[0], token.start()
        if word in "{[":
            keys.append(set() if word == "{" else None)
            if len(keys) > MAX_DEPTH:
                yield MalformedJsonError(f"Nested more than {MAX_DEPTH} deep.", text, at)
        elif word in "}]":
            keys.pop()
        elif word[0] == '"':
            yield from _text_faults(text, token, keys[-1] if keys else None)
        elif word not in ",:":
            yield from _word_faults(text, word, at)


def _text_faults(text: str, token: re.Match[str], keys: set[str] | None) -> Iterator[MalformedJsonError]:
    for escape in ESCAPE.finditer(token[0]):
        if bad := escape["bad"]:
            what = "A NUL character" if bad == "u0000" else "Half a surrogate pair"
            yield MalformedJsonError(f"{what} (\\{bad}) is not text.", text, token.start() + escape.start())
    if keys is None or not COLON.match(text, token.end()):
        return
    key = json.loads(token[0])
    if key in keys:
        yield MalformedJsonError(f"The key {token[0][:100]} is there twice.", text, token.start())
    keys.add(key)


def _word_faults(text: str, word: str, at: int) -> Iterator[MalformedJsonError]:
    if word in ("NaN", "Infinity", "-Infinity"):
        yield MalformedJsonError(f"{word} is not a JSON number.", text, at)
    elif word not in ("true", "false", "null") and (len(word) > MAX_DIGITS or _is_out_of_range(word)):
        yield MalformedJsonError("This number is too long or too large.", text, at)
