"""Alerts that last as long as what they tell of: raised once, and once told that it is over.

A condition is a key that names one lasting state of one seller, such as ``endpoint:12`` or
``overdue:3:7``; what stands before the first colon is its family. The database holds one open alert for each,
whoever raises it and however many at once.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from flows.actions.alerts import raise_alerts
from flows.locks import locked
from flows.models import Alert

Make = Callable[[], Alert]


def hold(seller_id: int, condition: str, make_alert: Make) -> bool:
    """The condition stands: tell it, unless that was done and it has stood ever since; → whether it was told.

    ``make_alert`` makes the alert, not saved; seller and condition are set here. While the condition stands
    nothing of its alert is changed. ValueError for an empty condition.
    """
    if not condition:
        raise ValueError("A condition needs a key.")
    if _open(seller_id).filter(condition=condition).exists():
        return False
    alert = make_alert()
    alert.seller_id, alert.condition = seller_id, condition
    try:
        with transaction.atomic():
            raise_alerts([alert])
    except IntegrityError:
        if _open(seller_id).filter(condition=condition).exists():
            return False  # another worker was first, by a moment
        raise
    return True


def clear(seller_id: int, condition: str, *, now: dt.datetime, why: str = "") -> bool:
    """The condition is over: tell it by the same channels, once; → whether there was anything to tell."""
    alert = _open(seller_id).filter(condition=condition).first() if condition else None
    return alert is not None and bool(end({alert.pk: why}, now=now))


def settle(
    seller_id: int, family: str, begun: Mapping[str, Make], lasting: Collection[str], *, now: dt.datetime
) -> None:
    """Bring a whole family of the seller's conditions up to date. One query where nothing has changed.

    ``begun``: those that stand, each with how its alert is made; ``lasting``: those that are not over yet but
    would not be told anew. What is open and in neither is over.
    """
    is_open = {each.condition: each for each in open_in(seller_id, family)}
    for condition, make_alert in begun.items():
        if condition not in is_open:
            hold(seller_id, condition, make_alert)
    over = {each.pk for condition, each in is_open.items() if condition not in {*begun, *lasting}}
    if over:
        end(dict.fromkeys(over, ""), now=now)


@transaction.atomic
def end(over: Mapping[int, str], *, now: dt.datetime) -> int:
    """The conditions of these alerts, by primary key, are over, each for a reason: tell it; → of how many.

    Of several workers one closes an alert, and that one tells it. The number of queries does not grow with
    the alerts.
    """
    if not over:
        return 0
    mine = list(locked(Alert.objects.filter(pk__in=over, resolved_at=None).order_by("pk")))
    Alert.objects.filter(pk__in=[alert.pk for alert in mine]).update(resolved_at=now)
    for level in sorted({alert.level for alert in mine}):
        told = [_resolution(alert, now, over[alert.pk]) for alert in mine if alert.level == level]
        raise_alerts(told, as_level=level)
    return len(mine)


def open_in(seller_id: int, family: str) -> QuerySet[Alert]:
    """The alerts of the seller's conditions of this family that are not over; a family may be part of
    another: ``rule:7`` of ``rule``."""
    return _open(seller_id).filter(condition__startswith=f"{family}:")


def _open(seller_id: int) -> QuerySet[Alert]:
    return Alert.objects.filter(seller=seller_id, resolved_at=None).exclude(condition="")


def _resolution(alert: Alert, now: dt.datetime, why: str) -> Alert:
    return Alert(
        seller_id=alert.seller_id,
        flow_id=alert.flow_id,
        source_id=alert.source_id,
        resolves=alert,
        level=Alert.Level.GOOD,
        title=f"Resolved: {alert.title}"[:160],
        body=why[:500],
        created_at=now,
    )
