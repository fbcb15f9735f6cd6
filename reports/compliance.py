"""How the agreed schedule was kept: what was told in time, what waits past its time, how long it took."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from operator import or_
from zoneinfo import ZoneInfo

from django.db.models import Case, Count, DateTimeField, F, Q, QuerySet, Value, When

from feedback.metrics import measure_days
from flows.evidence import Measure, wilson
from flows.models import Agreement, Delivery
from flows.schedules import MIDNIGHT, due_of_day, overdue_before
from reports.periods import Period

NONE, REALTIME = Agreement.Schedule.NONE, Agreement.Schedule.REALTIME
DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Kept:
    """An agreement over the leads of a period.

    ``due``: leads whose feedback was due by now; ``on_time``: of these, those of which it came in by then.
    ``overdue``: leads of any time without feedback past its time, that still take it. ``delays``: days from
    delivery to the first feedback of the period's leads, of the latest ones where they are many.
    """

    agreement: Agreement
    due: int
    on_time: int
    overdue: int
    delays: Sequence[float] = ()

    @property
    def share(self) -> Measure:
        """The share told in time, with its interval (Wilson)."""
        if not self.due:
            return Measure(None, 0)
        low, high = wilson(self.on_time, self.due)
        share = Decimal(self.on_time) / self.due
        return Measure(share, self.due, Decimal(f"{low:.6f}"), Decimal(f"{high:.6f}"))

    @property
    def median_delay(self) -> Measure:
        """In days."""
        return measure_days(self.delays)


def kept(
    agreements: Iterable[Agreement],
    deliveries: QuerySet[Delivery],
    period: Period,
    *,
    now: dt.datetime,
    delays: Mapping[int, Sequence[float]],
) -> list[Kept]:
    """Of each agreement (with its flow and buyer) how it was kept, in two queries however many there are.

    ``deliveries``: those that the asker may see, of one buyer; ``delays`` by flow, as in `Kept`. Where no
    schedule is agreed, or the flow takes no feedback, nothing is due.
    """
    made = list(agreements)
    scheduled = [each for each in made if each.schedule != NONE and each.flow.feedback_enabled]
    due = _due(scheduled, deliveries, period, now)
    waiting = _overdue(scheduled, deliveries, now)
    return [
        Kept(each, *due.get(each.flow_id, (0, 0)), waiting.get(each.flow_id, 0), delays.get(each.flow_id, ()))
        for each in made
    ]


def _due(
    scheduled: Sequence[Agreement], deliveries: QuerySet[Delivery], period: Period, now: dt.datetime
) -> dict[int, tuple[int, int]]:
    """Per flow: how many leads of the period were due by now, and how many of them were told in time."""
    whens = [when for each in scheduled for when in _moments(each, period)]
    if not whens:
        return {}
    rows = deliveries.filter(
        flow__in=[each.flow_id for each in scheduled], delivered_on__range=(period.first, period.last)
    )
    rows = rows.annotate(due=Case(*whens, output_field=DateTimeField())).filter(due__lte=now)
    in_time = Count("pk", filter=Q(first_feedback_at__lte=F("due")))
    counted = rows.order_by().values("flow_id").annotate(count=Count("pk"), in_time=in_time)
    return {row["flow_id"]: (row["count"], row["in_time"]) for row in counted}


def _moments(agreement: Agreement, period: Period) -> Iterator[When]:
    """By when each of the period's leads was due. Days are the flow's, schedules go by the buyer's clock: a
    day more at either end covers both."""
    if agreement.schedule == REALTIME:
        yield When(flow=agreement.flow_id, then=F("delivered_at") + HOUR)
        return
    zone = ZoneInfo(agreement.buyer.timezone)
    day, last = period.first - DAY, period.last + DAY
    while day <= last:
        due = due_of_day(agreement.schedule, day, zone)
        while day <= last and due_of_day(agreement.schedule, day, zone) == due:
            day += DAY
        end = dt.datetime.combine(day, MIDNIGHT, zone)
        yield When(flow=agreement.flow_id, delivered_at__lt=end, then=Value(due))


def _overdue(
    scheduled: Sequence[Agreement], deliveries: QuerySet[Delivery], now: dt.datetime
) -> dict[int, int]:
    """Per flow: how many leads wait past their time, within their update window."""
    late = [
        Q(
            flow=each.flow_id,
            delivered_at__gte=now - each.flow.update_window_days * DAY,
            delivered_at__lt=overdue_before(each.schedule, now, ZoneInfo(each.buyer.timezone)),
        )
        for each in scheduled
    ]
    if not late:
        return {}
    rows = deliveries.filter(reduce(or_, late), feedback_count=0)
    return dict(rows.order_by().values_list("flow_id").annotate(count=Count("pk")))
