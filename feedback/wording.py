"""Values of feedback in words for people."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from django.utils import timezone

from feedback.models import Door
from feedback.schema import FieldSpec
from flows.models import ConversionStatus, Flow, Outcome
from portal.formats import date, date_time, number, short_date

NOTHING = "–"
OUTCOMES: Mapping[str, str] = dict(Outcome.choices)
TONES: Mapping[str, str] = {
    Outcome.CONVERTED: "good",
    Outcome.CONTACTED: "info",
    Outcome.NO_CONTACT: "warn",
    Outcome.BAD_INFO: "bad",
    Outcome.DUPLICATE: "neutral",
    Outcome.NOT_INTERESTED: "neutral",
    Outcome.RETURNED: "warn",
    ConversionStatus.SOLD: "good",
    ConversionStatus.NOT_SOLD: "neutral",
    ConversionStatus.PENDING: "info",
    "yes": "good",
    "no": "neutral",
}
DOORS: Mapping[str, str] = {
    Door.API: "through the API",
    Door.UPLOAD: "from a file",
    Door.PORTAL: "in the portal",
}
QUALITIES = ((5, "Excellent"), (4, "Good"), (3, "Fair"), (2, "Poor"), (1, "Bad"))


def tone(value: str | None) -> str:
    """The colour of a value's pill."""
    return TONES.get(value or "", "neutral")


def when(moment: dt.datetime) -> str:
    """``14 Nov 2026, 09:30`` in the person's time zone."""
    return date_time(timezone.localtime(moment))


def short_day(moment: dt.datetime, now: dt.datetime) -> str:
    """``14 Nov``, with the year where it is another one."""
    local, today = timezone.localtime(moment), timezone.localtime(now)
    return short_date(local) if local.year == today.year else date(local)


def money(value: Decimal | str, flow: Flow) -> str:
    """``1,500.00 USD``."""
    return f"{number(Decimal(value), flow.decimals)} {flow.currency}"


def in_words(spec: FieldSpec | None, value: Any, flow: Flow) -> str:
    """A canonical JSON value as a person reads it; without a spec (a field that is gone) as it stands."""
    if value is None or value in ("", [], {}):
        return NOTHING
    return KINDS.get(spec.kind if spec else "", _plain)(value, flow)


def _plain(value: Any, flow: Flow) -> str:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


KINDS: Mapping[str, Callable[[Any, Flow], str]] = {
    "outcome": lambda value, flow: OUTCOMES.get(value, value),
    "money": money,
    "time": lambda value, flow: when(dt.datetime.fromisoformat(value)),
    "date": lambda value, flow: date(dt.date.fromisoformat(value)),
}
