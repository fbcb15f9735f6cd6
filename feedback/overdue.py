"""Buyers who owe feedback by the schedule that was agreed: one lasting alert for each buyer on a flow."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Case, Count, DateTimeField, F, Min, OuterRef, Q, QuerySet, Subquery, Value, When
from django.utils.timezone import localtime

from flows.conditions import settle
from flows.models import Agreement, Alert, Delivery
from flows.schedules import in_words, overdue_before

FAMILY = "overdue"
# Who is late by less is not told of; who was told of stays so until nothing is late at all.
GRACE = dt.timedelta(hours=1)
Schedule = Agreement.Schedule


@dataclass(frozen=True, slots=True)
class Overdue:
    """What of an agreement's deliveries waits past its time. ``late``: how many by more than `GRACE`."""

    agreement: Agreement
    waits: int
    late: int
    since: dt.datetime  # the delivery of the one that has waited longest


def settle_overdue(seller_id: int, *, now: dt.datetime) -> None:
    """Tell of buyers who have become overdue, and of those who are so no more."""
    found = overdue_of(seller_id, now)
    begun = {_condition(each.agreement): partial(_alert, each, now) for each in found if each.late}
    settle(seller_id, FAMILY, begun, {_condition(each.agreement) for each in found}, now=now)


def overdue_of(seller_id: int, now: dt.datetime) -> list[Overdue]:
    """The seller's agreements on which feedback is past due, in two queries.

    Leads that take no feedback any more, as their update window has closed, are owed no longer.
    """
    scheduled = Agreement.objects.filter(flow__seller=seller_id, flow__feedback_enabled=True)
    scheduled = scheduled.exclude(schedule=Schedule.NONE).select_related("flow", "buyer")
    kinds = {(each.schedule, each.buyer.timezone, each.flow.update_window_days) for each in scheduled}
    if not kinds:
        return []
    rows = _with_counts(scheduled.all(), sorted(kinds), now).filter(waits__gt=0).order_by("pk")
    return [Overdue(each, each.waits, each.late or 0, each.since) for each in rows]


def _with_counts(
    agreements: QuerySet[Agreement], kinds: Sequence[tuple[str, str, int]], now: dt.datetime
) -> QuerySet[Any]:
    """Schedules, clocks and windows are few, however many agreements there are: a case for each."""
    moments: Mapping[str, Callable[[str, ZoneInfo, int], dt.datetime | None]] = {
        "due": lambda schedule, zone, days: overdue_before(schedule, now, zone),
        "long_due": lambda schedule, zone, days: overdue_before(schedule, now - GRACE, zone),
        "opened": lambda schedule, zone, days: now - dt.timedelta(days=days),
    }
    for name, moment in moments.items():
        cases = [
            When(
                schedule=schedule,
                buyer__timezone=zone,
                flow__update_window_days=days,
                then=Value(moment(schedule, ZoneInfo(zone), days)),
            )
            for schedule, zone, days in kinds
        ]
        agreements = agreements.annotate(**{name: Case(*cases, output_field=DateTimeField())})
    waiting = (
        Delivery.objects.filter(
            flow=OuterRef("flow"),
            buyer=OuterRef("buyer"),
            feedback_count=0,
            delivered_at__gte=OuterRef("opened"),
            delivered_at__lt=OuterRef("due"),
        )
        .order_by()
        .values("flow")
    )
    is_late = Q(delivered_at__lt=OuterRef("long_due"))
    return agreements.annotate(
        waits=Subquery(waiting.annotate(found=Count("pk")).values("found")),
        late=Subquery(waiting.annotate(found=Count("pk", filter=is_late)).values("found")),
        since=Subquery(waiting.annotate(found=Min(F("delivered_at"))).values("found")),
    )


def _condition(agreement: Agreement) -> str:
    return f"{FAMILY}:{agreement.pk}"


def _alert(overdue: Overdue, now: dt.datetime) -> Alert:
    """Times are those of the flow."""
    agreement = overdue.agreement
    flow, since = agreement.flow, localtime(overdue.since, ZoneInfo(agreement.flow.timezone))
    leads = "1 lead waits" if overdue.waits == 1 else f"{overdue.waits:,} leads wait"
    return Alert(
        flow=flow,
        level=Alert.Level.WARN,
        title=f"{agreement.buyer} is overdue with feedback on {flow}"[:160],
        body=(
            f"{leads} past the agreed time, the longest since its delivery on {since.day} {since:%b} at "
            f"{since:%H:%M}. Agreed: {in_words(agreement.schedule)}"
        ),
        created_at=now,
    )
