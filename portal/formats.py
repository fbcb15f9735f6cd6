"""How a person writes and reads numbers, dates and times. Pure, but for the choice that holds just now.

`using(choice)` makes a person's choice hold for what is drawn inside (`ActorMiddleware` does, for their
requests). Outside of it, in workers, e-mails and the API, it is `HOUSE`: 1,234.56 and 24 Nov 2026, 14:30.
What machines read (CSV, JSON) never comes through here.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal

NBSP = "\N{NO-BREAK SPACE}"
# Which sign stands between thousands, and which before the decimals.
NUMBERS: Mapping[str, tuple[str, str]] = {
    "comma": (",", "."),
    "point": (".", ","),
    "space": (NBSP, ","),
    "quote": ("’", "."),
}
DATES = ("words", "day", "slash", "month", "iso")
CLOCKS = ("24", "12")
SPACES = re.compile(r"(?<=\d)[ \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}](?=\d{3})")
MACHINE = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Formats:
    """One person's choice: a key of `NUMBERS`, one of `DATES`, one of `CLOCKS`."""

    numbers: str = "comma"
    dates: str = "words"
    clock: str = "24"


HOUSE = Formats()
_current: ContextVar[Formats] = ContextVar("formats", default=HOUSE)


def current() -> Formats:
    """The choice that holds now."""
    return _current.get()


@contextmanager
def using(formats: Formats) -> Iterator[None]:
    """Let a choice hold for what is drawn inside."""
    token = _current.set(formats)
    try:
        yield
    finally:
        _current.reset(token)


def localised(text: str) -> str:
    """A number as Python writes it (``"1,234.56"``), in the signs of the choice that holds."""
    thousands, point = NUMBERS[current().numbers]
    return text.translate({ord(","): thousands, ord("."): point})


def number(value: int | float | Decimal, places: int | None = None) -> str:
    """``1,234.56`` or ``1.234,56``; with so many decimals, or those that the value has."""
    return localised(f"{value:,}" if places is None else f"{value:,.{places}f}")


def typed(text: str) -> str:
    """A machine's number (``"1500.00"``) as a control shows it: the person's decimal sign, no thousands."""
    return text.replace(".", NUMBERS[current().numbers][1]) if MACHINE.fullmatch(text) else text


def machine_number(text: str) -> str:
    """What a person wrote as a machine reads it: ``"1.500,00"`` → ``"1500.00"``.

    Separators of thousands must stand between three digits. A text that is no number in the person's own
    format comes back as it was, so ``1500.00`` means the same everywhere, and nonsense stays what it is.
    """
    thousands, point = NUMBERS[current().numbers]
    text = SPACES.sub("", text) if thousands == NBSP else text.replace("'", "’")
    mark = re.escape(thousands)
    whole = rf"\d{{1,3}}(?:{mark}\d{{3}})+|\d+"
    if not re.fullmatch(rf"[+-]?(?:{whole})(?:{re.escape(point)}\d+)?", text, re.ASCII):
        return text
    return text.replace(thousands, "").replace(point, ".")


def date(day: dt.date) -> str:
    """``24 Nov 2026``, ``24.11.2026``, ``24/11/2026``, ``11/24/2026`` or ``2026-11-24``."""
    return {
        "day": f"{day:%d.%m.%Y}",
        "slash": f"{day:%d/%m/%Y}",
        "month": f"{day:%m/%d/%Y}",
        "iso": day.isoformat()[:10],
    }.get(current().dates) or f"{day.day} {day:%b} {day.year}"


def short_date(day: dt.date) -> str:
    """Without the year: ``24 Nov``, ``24.11.``, ``24/11``, ``11/24``, ``11-24``."""
    return {
        "day": f"{day:%d.%m.}",
        "slash": f"{day:%d/%m}",
        "month": f"{day:%m/%d}",
        "iso": f"{day:%m-%d}",
    }.get(current().dates) or f"{day.day} {day:%b}"


def time(moment: dt.datetime | dt.time, *, seconds: bool = False) -> str:
    """``14:30`` or ``2:30 pm``; a moment must be in the person's time zone already."""
    tail = f":{moment:%S}" if seconds else ""
    if current().clock == "24":
        return f"{moment:%H:%M}{tail}"
    half = "am" if moment.hour < 12 else "pm"
    return f"{moment.hour % 12 or 12}:{moment:%M}{tail}{NBSP}{half}"


def date_time(moment: dt.datetime) -> str:
    """``24 Nov 2026, 14:30``; the moment must be in the person's time zone already."""
    return f"{date(moment)}, {time(moment)}"
