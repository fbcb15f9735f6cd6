"""How good sources are just now: what a router is told beside status, cap and price."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from feedback.measures_of import SOURCE, delivered_between, middle_days_to_conversion, totals_over
from feedback.metrics import MEDIAN_DAYS, UNITS, Middle, Totals, measure, measure_ordered
from feedback.models import SourceDay
from flows.evidence import Measure
from flows.models import Delivery, Flow, Source
from flows.money import money_text

WINDOW_DAYS = 30  # by delivery date, today included
TOLD = tuple(UNITS)  # every metric that there is


def quality_of(
    flow: Flow, sources: Sequence[Source], *, now: dt.datetime | None = None
) -> dict[int, dict[str, Any]]:
    """Every measure of the flow's sources over the last 30 days as JSON, by primary key. Two queries."""
    today = (now or timezone.now()).astimezone(zoneinfo.ZoneInfo(flow.timezone)).date()
    first, ids = today - dt.timedelta(days=WINDOW_DAYS - 1), [source.pk for source in sources]
    totals = totals_over(SourceDay.objects.all(), ids, first, today, *SOURCE)
    delivered = delivered_between(Delivery.objects.all(), ids, first, today)
    times = middle_days_to_conversion(delivered, *SOURCE)
    return {pk: told(totals.get((pk,), Totals()), times.get((pk,), Middle()), flow.decimals) for pk in ids}


def told(totals: Totals, times: Sequence[float], decimals: int) -> dict[str, Any]:
    """Every measure as the API tells it: rates as fractions, money as text with the currency's decimals."""
    return {name: _json(name, _measured(name, totals, times), decimals) for name in TOLD}


def _measured(name: str, totals: Totals, times: Sequence[float]) -> Measure:
    return measure_ordered(times) if name == MEDIAN_DAYS else measure(name, totals)


def _json(name: str, measured: Measure, decimals: int) -> dict[str, Any]:
    shown = measured.as_json()
    if UNITS[name] != "money":
        return shown
    amounts = {"value": measured.value, "low": measured.low, "high": measured.high}
    texts = {end: None if each is None else money_text(each, decimals) for end, each in amounts.items()}
    return {**shown, **texts}
