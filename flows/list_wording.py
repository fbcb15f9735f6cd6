"""Entries of a suppression list as people say them: of which kind, by whom, until when. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.formats import date_format
from django.utils.timezone import localtime

KINDS = {"email": "e-mail", "phone": "phone", "source": "source"}
ORIGINS = {"person": "by hand", "rule": "by a rule", "file": "from a file", "api": "by the API"}


def list_words(state: Mapping[str, Any]) -> str:
    """A decision's ``before`` or ``after``, or what stands now: ``"on “Returns”, e-mail and phone for 30
    days"``, ``"on “Returns”, phone; e-mail by hand until 5 Nov 2026, 14:00"``, ``"off “Returns”"``."""
    name = state.get("list_name") or state["list"]
    if state.get("removed"):
        return f"off “{name}”"
    parts = [_added(state)] if _known(state.get("added", ())) else []
    others = state.get("stood") or state.get("now") or {}
    parts += [f"{KINDS[kind]} {_entry(others[kind])}" for kind in _known(others)]
    return f"on “{name}”, {'; '.join(parts)}" if parts else f"not on “{name}”"


def _added(state: Mapping[str, Any]) -> str:
    kinds = " and ".join(KINDS[kind] for kind in _known(state["added"]))
    days = state.get("expires_days")
    return f"{kinds} for {days:,} day{'' if days == 1 else 's'}" if days else kinds


def _entry(noted: Mapping[str, Any]) -> str:
    by = ORIGINS.get(noted["origin"], noted["origin"])
    if not noted["expires_at"]:
        return f"{by} for good"
    return (
        f"{by} until {date_format(localtime(dt.datetime.fromisoformat(noted['expires_at'])), 'j M Y, H:i')}"
    )


def _known(kinds: Iterable[str]) -> list[str]:
    return sorted(kind for kind in kinds if kind in KINDS)
