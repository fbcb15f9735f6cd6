"""The look at every source that needs no feedback: windows and maturity move with the calendar."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.utils import timezone

from feedback.quality import SOURCES_A_PASS
from feedback.rulings import rule_on
from flows.locks import locked
from flows.models import Rule, Source


def rule_daily(*, now: dt.datetime | None = None) -> int:
    """Evaluate the enabled rules on the quality of all sources; → how many sources were looked at.

    Cells are recomputed when feedback comes; of a source from which none comes any more the earlier leads
    still mature, and leave the window. May run as often as one likes: its look is that of the day in the
    flow's own zone, and what was decided on it is not decided again.
    """
    enabled = Rule.objects.filter(enabled=True, trigger=Rule.Trigger.QUALITY)
    pks = list(
        Source.objects.filter(flow__in=enabled.values("flow")).order_by("pk").values_list("pk", flat=True)
    )
    for start in range(0, len(pks), SOURCES_A_PASS):
        _look_at(pks[start : start + SOURCES_A_PASS], now)
    return len(pks)


@transaction.atomic
def _look_at(pks: list[int], at: dt.datetime | None) -> None:
    rows = Source.objects.filter(pk__in=pks).order_by("pk").prefetch_related("flow")
    rule_on(list(locked(rows)), (), now=at or timezone.now())
