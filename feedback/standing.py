"""How good sources are just now: what a router is told beside status, cap and price."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from feedback.measures_of import SOURCE, totals_over
from feedback.metrics import Totals, measure
from feedback.models import SourceDay
from flows.models import Flow, Source

WINDOW_DAYS = 30  # by delivery date, today included
TOLD = (
    "average_quality",
    "conversion_rate",
    "contact_rate",
    "bad_info_rate",
    "duplicate_rate",
    "return_rate",
    "coverage",
)


def quality_of(sources: Sequence[Source], *, now: dt.datetime | None = None) -> dict[int, dict[str, Any]]:
    """Each source's measures over the last 30 days as JSON, by its primary key: rates as fractions.

    A query for the flows, and one for each of them.
    """
    by_flow: dict[int, list[int]] = defaultdict(list)
    for source in sources:
        by_flow[source.flow_id].append(source.pk)
    answer: dict[int, dict[str, Any]] = {}
    for flow in Flow.objects.filter(pk__in=by_flow):
        totals = _last_days(flow, by_flow[flow.pk], now or timezone.now())
        for pk in by_flow[flow.pk]:
            answer[pk] = {name: measure(name, totals.get((pk,), Totals())).as_json() for name in TOLD}
    return answer


def _last_days(flow: Flow, source_ids: Sequence[int], now: dt.datetime) -> dict[tuple[int, ...], Totals]:
    today = now.astimezone(zoneinfo.ZoneInfo(flow.timezone)).date()
    first = today - dt.timedelta(days=WINDOW_DAYS - 1)
    return totals_over(SourceDay.objects.all(), source_ids, first, today, *SOURCE)
