"""Returns that the seller has not answered in time: one lasting alert for each buyer on a flow."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import partial
from typing import Any

from django.conf import settings
from django.db.models import Count, Min

from feedback.models import ReturnRequest
from flows.conditions import settle
from flows.models import Alert

FAMILY = "returns"


def settle_late_returns(seller_id: int, *, now: dt.datetime) -> None:
    """Tell of returns past their deadline, and once none of the buyer's is so any more. One query, or two."""
    late = ReturnRequest.objects.filter(
        flow__seller=seller_id, status=ReturnRequest.Status.REQUESTED, due_at__lt=now
    )
    rows = late.order_by("flow", "buyer").values("flow", "buyer", "flow__name", "buyer__name")
    found = {
        f"{FAMILY}:{row['flow']}:{row['buyer']}": partial(_alert, row, now)
        for row in rows.annotate(count=Count("pk"), since=Min("due_at"))
    }
    settle(seller_id, FAMILY, found, (), now=now)


def _alert(row: Mapping[str, Any], now: dt.datetime) -> Alert:
    one = row["count"] == 1
    what = "A return waits" if one else f"{row['count']:,} returns wait"
    whose, days = "its" if one else "the first", (now - row["since"]).days
    overdue = f"{whose} deadline passed {f'{days} days ago' if days > 1 else 'lately'}"
    return Alert(
        flow_id=row["flow"],
        level=Alert.Level.WARN,
        title=f"{what} for your answer to {row['buyer__name']}"[:160],
        body=f"{row['flow__name']}: {overdue}. {settings.BASE_URL}/returns/?status=overdue"[:500],
        created_at=now,
    )
