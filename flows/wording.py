"""What stood and what stands, as people say it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from flows.list_wording import list_words
from flows.models import Source


def state_words(state: Mapping[str, Any]) -> str:
    """A decision's ``before`` or ``after``: ``"Paused"``, ``"120 a day"``, ``"× 1.20"``; else a dash."""
    if "bonus" in state:
        amount = state["bonus"]
        return f"bonus of {amount} {state['currency']}" if amount != "0" else "no bonus"
    if "list" in state:
        return list_words(state)
    said = (_WORDS[name](value) for name, value in state.items() if name in _WORDS)
    return ", ".join(text for text in said if text) or "–"


def reason_of(state: Mapping[str, Any]) -> str:
    """The reason that goes with a status, or ``""``."""
    return str(state.get("status_reason") or "")


def _status(value: Any) -> str:
    return str(Source.Status(value).label) if value in Source.Status.values else str(value)


def _cap(value: Any) -> str:
    return "no cap" if value is None else f"{value:,} a day"


def _price(value: Any) -> str:
    return f"× {Decimal(str(value)):.2f}"


_WORDS: dict[str, Callable[[Any], str]] = {
    "status": _status,
    "daily_cap": _cap,
    "price_adjustment": _price,
    "alert": lambda value: "team alerted" if value else "",
}
