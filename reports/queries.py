"""Every aggregate of the reports. Each takes what is asked, and reads only what the actor may see."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from django.db.models import BooleanField, Case, Q, QuerySet, Sum, Value, When

from feedback.cells import totals_of_cells, totals_of_deliveries
from feedback.measures_of import (
    SOURCE,
    between,
    conversion_curves,
    days_to_conversion,
    delivered_between,
)
from feedback.metrics import Totals
from feedback.models import Credit, SourceDay
from flows.models import Alert, Decision, Delivery
from flows.survival import Curve
from portal.access import visible_to
from reports.periods import Period, moments, today_in
from reports.scope import FEEDBACK_CLOCK, Question

NOTHING = Totals()
SLOTS = {  # of a Share, by whether the cells are of this period, and whether they are alike before and now
    (True, True): "mature",
    (True, False): "young",
    (False, True): "mature_before",
    (False, False): "rest_before",
}


@dataclass(frozen=True, slots=True)
class Share:
    """Totals of a source over a period and over the one before, each split in two.

    Now: leads that are mature, and young ones. Before: as many days as are mature now, just before the
    period, and the rest. So ``mature`` and ``mature_before`` are alike: each flow is in both with as many
    days. All of the period before would be another mix, as the mature part lacks the slow flows' leads.
    ``compared`` is ``mature`` without the flows that had not begun by then.
    """

    mature: Totals = NOTHING
    young: Totals = NOTHING
    mature_before: Totals = NOTHING
    rest_before: Totals = NOTHING
    compared: Totals = NOTHING

    @property
    def all(self) -> Totals:
        return self.mature + self.young

    @property
    def all_before(self) -> Totals:
        return self.mature_before + self.rest_before

    def __add__(self, other: Share) -> Share:
        return Share(
            self.mature + other.mature,
            self.young + other.young,
            self.mature_before + other.mature_before,
            self.rest_before + other.rest_before,
            self.compared + other.compared,
        )


def by_source(question: Question) -> dict[int, Totals]:
    """Totals per source over the period, on the clock asked for: what the source report shows."""
    if question.clock == FEEDBACK_CLOCK:
        return {pk: totals for (pk,), totals in totals_of_deliveries(active(question), "source_id").items()}
    rows = cells(question, question.period)
    if question.only_mature:
        rows = rows.filter(_mature(question))
    return {pk: totals for (pk,), totals in totals_of_cells(rows, "source_id").items()}


def times(question: Question) -> dict[tuple[int, dt.date], list[float]]:
    """How many days each conversion took, per source and delivery day: of the leads of `by_source`."""
    if question.clock == FEEDBACK_CLOCK:
        rows = active(question)
    else:
        rows = delivered(question)
        rows = rows.filter(_mature(question, "delivered_on")) if question.only_mature else rows
    return {(pk, day): days for (pk, day), days in days_to_conversion(rows, *SOURCE, "delivered_on").items()}


def curves(question: Question) -> dict[int, Curve]:
    """Per source: the share of the period's leads that converts within so many days, young ones included."""
    daily = totals_of_cells(cells(question, question.period), *SOURCE, "day")
    taken = days_to_conversion(delivered(question), *SOURCE, "delivered_on")
    today = min(
        (today_in([flow.timezone], question.now) for flow in question.flows), default=question.now.date()
    )
    return {pk: curve for (pk,), curve in conversion_curves(daily, taken, today).items()}


def shares(question: Question) -> dict[int, Share]:
    """Per source: this period and the one before, each in its two parts. By delivery date. One query."""
    period = question.period
    groups = totals_of_cells(
        cells(question, Period(period.before().first, period.last)),
        "source_id",
        current=_flag(Q(day__gte=period.first)),
        alike=_flag(_alike(question)),
    )
    slots: defaultdict[int, dict[str, Totals]] = defaultdict(dict)
    for (source, current, alike), totals in groups.items():
        slots[source][SLOTS[current, alike]] = totals
    comparable = {source.pk for source in question.sources if _had_begun(question, source.flow_id)}
    return {source: _share(each, source in comparable) for source, each in slots.items()}


def _share(slots: Mapping[str, Totals], comparable: bool) -> Share:
    """Of a flow that began meanwhile nothing before is alike."""
    share = Share(**slots)
    if comparable:
        return replace(share, compared=share.mature)
    return replace(share, mature_before=NOTHING, rest_before=share.all_before)


def _had_begun(question: Question, flow_id: int) -> bool:
    """Whether the flow delivered leads already on the first of the days before that are compared."""
    since = [source.since for source in question.sources if source.flow_id == flow_id and source.since]  # type: ignore[attr-defined]  # annotated
    flow = next(flow for flow in question.flows if flow.pk == flow_id)
    return bool(since) and min(since) <= _alike_days(question.period, question.matured(flow))[0]


def by_day(question: Question, period: Period) -> dict[dt.date, Totals]:
    """Totals per delivery day."""
    return {day: totals for (day,), totals in totals_of_cells(cells(question, period), "day").items()}


def cells(question: Question, period: Period) -> QuerySet[SourceDay]:
    """The cells of the deliveries made in the period."""
    visible = visible_to(question.scope.actor, SourceDay.objects.all())
    rows = between(visible, [each.pk for each in question.sources], period.first, period.last)
    return rows.filter(buyer=question.buyer) if question.buyer else rows


def delivered(question: Question) -> QuerySet[Delivery]:
    """The deliveries made in the period: those that `cells` are made of."""
    visible, period = visible_to(question.scope.actor, Delivery.objects.all()), question.period
    rows = delivered_between(visible, [each.pk for each in question.sources], period.first, period.last)
    return rows.filter(buyer=question.buyer) if question.buyer else rows


def credited(question: Question, period: Period) -> dict[tuple[int, dt.date], Decimal]:
    """What was credited for returned leads, per source and delivery day, whenever it was booked."""
    rows = visible_to(question.scope.actor, Credit.objects.all()).filter(
        request__delivery__source__in=[each.pk for each in question.sources],
        request__delivery__delivered_on__range=(period.first, period.last),
    )
    keys = ("request__delivery__source_id", "request__delivery__delivered_on")
    sums = rows.order_by().values_list(*keys).annotate(sum=Sum("amount"))
    return {(source, day): amount for source, day, amount in sums}


def active(question: Question) -> QuerySet[Delivery]:
    """The deliveries whose latest feedback happened in the period, in their flow's time zone."""
    rows = visible_to(question.scope.actor, Delivery.objects.all()).filter(_in_period(question))
    if question.source:
        rows = rows.filter(source=question.source)
    return rows.filter(buyer=question.buyer) if question.buyer else rows


def decisions(question: Question, limit: int) -> list[Decision]:
    """The latest decisions on whole sources that changed something, or wait for a person to let them."""
    meant = Decision.objects.exclude(status=Decision.Status.DISMISSED)
    rows = visible_to(question.scope.actor, meant).filter(
        source__in=[each.pk for each in question.sources], delivery=None
    )
    rows = rows.select_related("source", "flow", "rule", "buyer", "reversed_by")
    return list(rows[:limit])


def alerts(question: Question, limit: int) -> list[Alert]:
    """The latest alerts that tell of no decision: those that do are shown with it."""
    rows = visible_to(question.scope.actor, Alert.objects.filter(decision=None))
    about = Q(flow__in=[flow.pk for flow in question.flows]) | Q(flow=None)
    if question.source:
        about = Q(source=question.source)
    return list(rows.filter(about).select_related("source", "flow")[:limit])


def _in_period(question: Question) -> Q:
    zones: defaultdict[str, list[int]] = defaultdict(list)
    for flow in question.flows:
        zones[flow.timezone].append(flow.pk)
    chosen = Q(pk__in=[])
    for zone, flows in zones.items():
        begin, end = moments(question.period, zone)
        chosen |= Q(flow__in=flows, last_feedback_at__gte=begin, last_feedback_at__lt=end)
    return chosen


def _mature(question: Question, day: str = "day") -> Q:
    """Cells (or deliveries) old enough to count, on whichever day their flow says."""
    chosen = Q(pk__in=[])
    for until, flows in _by_maturity(question).items():
        chosen |= Q(source__flow__in=flows, **{f"{day}__lte": until})
    return chosen


def _alike(question: Question) -> Q:
    """The days of the period that are mature, and as many just before it: of each flow its own."""
    chosen = Q(pk__in=[])
    for until, flows in _by_maturity(question).items():
        chosen |= Q(source__flow__in=flows, day__range=_alike_days(question.period, until))
    return chosen


def _alike_days(period: Period, until: dt.date) -> tuple[dt.date, dt.date]:
    """From as many days before the period as are mature in it, to the last of these; none where none is."""
    last = min(until, period.last)
    return period.first - (last - period.first + dt.timedelta(days=1)), last


def _by_maturity(question: Question) -> dict[dt.date, list[int]]:
    """The flows by the last day whose deliveries are mature."""
    until: defaultdict[dt.date, list[int]] = defaultdict(list)
    for flow in question.flows:
        until[question.matured(flow)].append(flow.pk)
    return until


def _flag(condition: Q) -> Case:
    return Case(When(condition, then=Value(True)), default=Value(False), output_field=BooleanField())
