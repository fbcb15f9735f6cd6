"""What a router needs to know before it buys: which sources are open, at what price, how good they are."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import zoneinfo
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db.models import Count
from django.utils import timezone

from flows.models import Delivery, Flow, Source, SourceBuyer
from flows.money import money_text, offered_price
from flows.suppression import source_value, suppressed

Quality = Mapping[int, Mapping[str, Any]]  # source's primary key → {metric: {value, count, low, high}}
QualityOf = Callable[[Flow, Sequence[Source]], Quality]


def _nothing(flow: Flow, sources: Sequence[Source]) -> Quality:
    return {}


# The cells are on a higher floor, which puts its function here when it is ready: JSON-typed measures over the
# last 30 days, by delivery date.
quality_of: QualityOf = _nothing


def routing(flow: Flow, sources: Sequence[Source], *, now: dt.datetime | None = None) -> list[dict[str, Any]]:
    """The contract's entry for each of the flow's sources, in three queries and those of quality.

    Beside the contract's fields ``paused_for``: the ids of the buyers to whom the source sells nothing at
    present, whatever its status says.
    """
    today = (now or timezone.now()).astimezone(zoneinfo.ZoneInfo(flow.timezone)).date()
    delivered = _delivered_on(today, sources)
    listed = suppressed(flow.seller_id, [source_value(flow, source) for source in sources])
    shut = _paused_for(sources)
    quality = quality_of(flow, sources)
    return [
        {
            "source": source.slug,
            **_status(source, is_listed=source_value(flow, source) in listed),
            "paused_for": shut.get(source.pk, []),
            **_room(source, delivered.get(source.pk, 0)),
            **_prices(source, flow.decimals),
            "quality": quality.get(source.pk, {}),
        }
        for source in sources
    ]


def etag(data: object) -> str:
    """A validator of this content: weak, as the time of the answer is not part of it."""
    digest = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
    return f'W/"{digest[:32]}"'


def _delivered_on(day: dt.date, sources: Sequence[Source]) -> dict[int, int]:
    rows = Delivery.objects.filter(source__in=sources, delivered_on=day)
    return dict(rows.values_list("source").annotate(n=Count("pk")).order_by())


def _paused_for(sources: Sequence[Source]) -> dict[int, list[str]]:
    rows = SourceBuyer.objects.filter(source__in=sources, status=Source.Status.PAUSED)
    found: dict[int, list[str]] = defaultdict(list)
    for source_id, buyer in rows.order_by("buyer__public_id").values_list("source_id", "buyer__public_id"):
        found[source_id].append(buyer)
    return found


def _status(source: Source, *, is_listed: bool) -> dict[str, Any]:
    """A source on a suppression list is as good as paused: all its leads would be refused."""
    if is_listed and source.status == Source.Status.ACTIVE:
        return {"status": "paused", "reason": "This source is on a suppression list."}
    return {"status": source.status, "reason": source.status_reason or None}


def _room(source: Source, delivered: int) -> dict[str, int | None]:
    remaining = None if source.daily_cap is None else max(0, source.daily_cap - delivered)
    return {"daily_cap": source.daily_cap, "delivered_today": delivered, "remaining": remaining}


def _prices(source: Source, decimals: int) -> dict[str, str]:
    return {
        "base_price": money_text(source.base_price, decimals),
        "price_adjustment": f"{source.price_adjustment.normalize():f}",
        "price": money_text(offered_price(source, decimals), decimals),
    }
