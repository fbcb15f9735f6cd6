"""A buyer's own numbers: one question in, everything the page and its files show out."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property

from feedback.metrics import NOTHING, Totals, measure, measure_days
from flows.evidence import Measure
from flows.models import Agreement, Delivery
from portal.access import visible_to
from reports import charts, queries
from reports.charts import Chart, Week
from reports.compliance import Kept, kept
from reports.periods import Period
from reports.scope import Question

# Times are medians: of more leads than these, the latest are enough for a good one.
MOST_TIMES = 20_000
UNNAMED = "Sources not shown"
_DAY = dt.timedelta(days=1)
Times = dict[int, list[float]]


@dataclass(frozen=True, slots=True)
class Line:
    """What one source brought, or all of them. ``priced``: whether the seller shows what the leads cost.

    ``credited``: what the seller gave back for returned ones, so that the cost is what was really paid.
    ``to_contact``: days from delivery to the first contact.
    """

    name: str
    flow: str
    totals: Totals
    priced: bool = True
    credited: Decimal = NOTHING
    to_contact: Sequence[float] = ()

    def measure(self, metric: str) -> Measure:
        """The metric on this line; nothing where it needs a price that is not shown."""
        if not self.priced and metric in ("cost", "margin", "roi", "cost_per_acquisition"):
            return Measure(None, 0)
        return measure(metric, replace(self.totals, cost=self.totals.cost - self.credited))

    @property
    def contact_time(self) -> Measure:
        """The median time to the first contact, in days."""
        return measure_days(self.to_contact)


@dataclass(frozen=True)
class OwnNumbers:
    """The page. All flows of ``question`` have one currency; ``agreements`` are all of the buyer's."""

    question: Question
    agreements: Mapping[int, Agreement]  # by flow

    @cached_property
    def shares(self) -> dict[int, queries.Share]:
        """By source."""
        return queries.shares(self.question)

    @cached_property
    def share(self) -> queries.Share:
        return sum(self.shares.values(), queries.Share())

    @cached_property
    def lines(self) -> list[Line]:
        """The sources, most leads first; those without a name as one line for each flow, last."""
        named: list[Line] = []
        nameless: defaultdict[int, list[Line]] = defaultdict(list)
        for source in self.question.sources:
            share = self.shares.get(source.pk)
            if share is None or not share.all.delivered:
                continue
            agreement = self.agreements[source.flow_id]
            line = Line(
                source.name,
                agreement.flow.name,
                share.all,
                agreement.shows_price,
                self._credited(self.question.period, source.pk),
                self._to_contact.get(source.pk, []),
            )
            if agreement.shows_source:
                named.append(line)
            else:
                nameless[source.flow_id].append(replace(line, name=UNNAMED))
        named.sort(key=lambda line: (-line.totals.delivered, line.name.casefold()))
        return named + [_merged(lines) for lines in nameless.values()]

    @cached_property
    def total(self) -> Line:
        """All of them. Priced only where all are: else a cost would be that of a part."""
        return (
            replace(_merged(self.lines), name="All sources", flow="")
            if self.lines
            else Line("", "", Totals())
        )

    @cached_property
    def unpriced(self) -> list[str]:
        """The flows asked about of which the seller does not show the prices."""
        return [flow.name for flow in self.question.flows if not self.agreements[flow.pk].shows_price]

    @cached_property
    def weeks(self) -> list[Week]:
        asked = self.question
        over = charts.span(asked.period)
        return charts.weeks(queries.by_day(asked, over), over, asked.mature_until)

    @cached_property
    def week_lines(self) -> list[tuple[Week, Line]]:
        """The weeks of the charts, newest first, each as a line."""
        priced = not self.unpriced
        return [
            (week, Line("", "", week.totals, priced, self._credited(week.period)))
            for week in reversed(self.weeks)
        ]

    @cached_property
    def charts(self) -> list[tuple[Chart, str]]:
        """Each with what it shows beside its line."""
        weeks, currency = self.weeks, self.question.currency
        revenue = charts.money_chart(weeks, currency, "revenue", "Revenue per week of delivery")
        made = [
            (charts.conversion_chart(weeks, ()), "Of all leads. Band: 95 % interval. Grey: still maturing."),
            (charts.contact_chart(weeks), "Of leads with feedback. Band: 95 % interval."),
            (revenue, f"In {currency}. Grey: will still grow."),
        ]
        if not self.unpriced:
            spend = charts.money_chart(self._net_weeks, currency, "cost", "Spend per week of delivery")
            made.append((spend, f"In {currency}."))
        return made

    @property
    def _net_weeks(self) -> list[Week]:
        """The weeks, with what was really paid as their cost."""
        return [
            replace(week, totals=replace(week.totals, cost=line.measure("cost").value or NOTHING))
            for week, line in reversed(self.week_lines)
        ]

    @cached_property
    def compliance(self) -> list[Kept]:
        """The agreements of the flows asked about, by the flow's name."""
        asked = [self.agreements[flow.pk] for flow in self.question.flows]
        mine = visible_to(self.question.scope.actor, Delivery.objects.all())
        return kept(asked, mine, self.question.period, now=self.question.now, delays=self._delays)

    def _credited(self, period: Period, source: int | None = None) -> Decimal:
        """What was credited for the leads of those days, of one source or of all."""
        return sum(
            (
                amount
                for (of, day), amount in self._credits.items()
                if source in (None, of) and period.first <= day <= period.last
            ),
            NOTHING,
        )

    @cached_property
    def _credits(self) -> dict[tuple[int, dt.date], Decimal]:
        return queries.credited(self.question, charts.span(self.question.period))

    @property
    def _to_contact(self) -> Times:
        return self._times[0]

    @property
    def _delays(self) -> Times:
        return self._times[1]

    @cached_property
    def _times(self) -> tuple[Times, Times]:
        """Days from delivery to the first contact by source, and to the first feedback by flow: one query."""
        rows = queries.delivered(self.question).filter(feedback_count__gt=0).order_by("-delivered_at", "-pk")
        contact: Times = defaultdict(list)
        delay: Times = defaultdict(list)
        columns = ("source_id", "flow_id", "delivered_at", "contacted_at", "first_feedback_at")
        for source, flow, delivered, contacted, told in rows.values_list(*columns)[:MOST_TIMES]:
            if contacted is not None:  # a day without an hour may begin before the delivery
                contact[source].append(max((contacted - delivered) / _DAY, 0.0))
            if told is not None:
                delay[flow].append(max((told - delivered) / _DAY, 0.0))
        return contact, delay


def _merged(lines: Sequence[Line]) -> Line:
    """One line of several: their sums."""
    return replace(
        lines[0],
        totals=sum((line.totals for line in lines), Totals()),
        priced=all(line.priced for line in lines),
        credited=sum((line.credited for line in lines), NOTHING),
        to_contact=[each for line in lines for each in line.to_contact],
    )
