"""What endpoints are told when the team is alerted."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from django.conf import settings

from flows.events import emit
from flows.models import Alert, Flow, Source


def announce(alerts: Sequence[Alert]) -> None:
    """Tell of alerts that were just saved, in their transaction; a query for each seller concerned."""
    by_seller: dict[int, list[Alert]] = {}
    for alert in alerts:
        by_seller.setdefault(alert.seller_id, []).append(alert)
    for seller_id, raised in by_seller.items():
        emit(seller_id, "alert.raised", partial(_data, raised), now=raised[0].created_at)


def _data(alerts: Sequence[Alert]) -> list[dict[str, Any]]:
    flows = dict(Flow.objects.filter(pk__in={each.flow_id for each in alerts}).values_list("pk", "public_id"))
    sources = dict(
        Source.objects.filter(pk__in={each.source_id for each in alerts}).values_list("pk", "slug")
    )
    return [
        {
            "level": str(alert.level),
            "title": alert.title,
            "body": alert.body,
            "flow_id": flows.get(alert.flow_id or 0),
            "source": sources.get(alert.source_id or 0),
            "lasts": alert.lasts,  # that it is over will be told too
            "resolved": alert.resolves_id is not None,  # it tells that something is over
            "url": f"{settings.BASE_URL}/alerts/",
        }
        for alert in alerts
    ]
