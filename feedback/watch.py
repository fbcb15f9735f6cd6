"""The hourly look for what needs the sellers' attention without anybody having sent anything."""

from __future__ import annotations

import datetime as dt
import logging

from django.db import transaction
from django.utils import timezone

from feedback.changes import settle_changes
from feedback.overdue import settle_overdue
from feedback.returns.late import settle_late_returns
from flows.endpoints import settle_alerts
from portal.models import Seller

WATCHERS = (settle_overdue, settle_late_returns, settle_changes, settle_alerts)
log = logging.getLogger(__name__)


def watch(*, now: dt.datetime | None = None) -> int:
    """Bring every seller's lasting alerts up to date; → at how many sellers that failed.

    May run as often as one likes, also in several workers at once: a condition is told once. Each seller has
    a transaction of its own, and what goes wrong with one stops no other.
    """
    at, failures = now or timezone.now(), 0
    for seller_id in list(Seller.objects.order_by("pk").values_list("pk", flat=True)):
        try:
            watch_seller(seller_id, at)
        except Exception:
            log.exception("Watching over seller %s failed", seller_id)
            failures += 1
    return failures


@transaction.atomic
def watch_seller(seller_id: int, now: dt.datetime) -> None:
    """One seller's conditions, in a number of queries that does not depend on how much there is to watch."""
    for settle in WATCHERS:
        settle(seller_id, now=now)
