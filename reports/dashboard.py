"""The dashboard, put together: one question in, everything the page shows out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from django.urls import reverse

from flows.models import Alert, Decision
from portal.formats import number
from reports import charts, queries
from reports.charts import Chart, Threshold, Week
from reports.events import Event, latest
from reports.figures import Figure, figures
from reports.ranking import Ranking, limit_words, ranking, thresholds
from reports.scope import Question, Scope
from reports.words import day, interval, money, percent, score


@dataclass(frozen=True, slots=True)
class Row:
    """A week of the charts as a line of the tables under them."""

    week: str
    leads: str
    converted: str
    conversion: str
    interval: str
    quality: str
    quality_interval: str
    scores: str
    revenue: str
    note: str


@dataclass(frozen=True)
class Dashboard:
    """What the page shows. Costs two aggregates over cells; the rest is given."""

    question: Question
    decisions: Sequence[Decision]
    alerts: Sequence[Alert]

    @cached_property
    def shares(self) -> dict[int, queries.Share]:
        return queries.shares(self.question)

    @cached_property
    def total(self) -> queries.Share:
        return sum(self.shares.values(), queries.Share())

    @cached_property
    def figures(self) -> tuple[Figure, ...]:
        return figures(self.total, self.question.currency, self.question.ages)

    @cached_property
    def ranking(self) -> Ranking:
        asked = self.question
        return ranking(asked.scope, asked.sources, self.shares, asked.currency)

    @cached_property
    def events(self) -> tuple[Event, ...]:
        return latest(self.decisions, self.alerts)

    @cached_property
    def weeks(self) -> list[Week]:
        asked = self.question
        over = charts.span(asked.period)
        return charts.weeks(queries.by_day(asked, over), over, asked.mature_until)

    @cached_property
    def conversion_chart(self) -> Chart:
        return charts.conversion_chart(self.weeks, self._thresholds)

    @cached_property
    def conversion_note(self) -> str:
        """What the picture shows beside its line."""
        limits = limit_words(self._thresholds)
        dashed = f" Dashed: the rules’ {' and '.join(limits)}." if limits else ""
        young = f"Grey: still maturing, with leads younger than {self.question.maturity_days} days."
        return f"By week of delivery. Band: 95 % interval. {young}{dashed}"

    @cached_property
    def _thresholds(self) -> list[Threshold]:
        scope, flows = self.question.scope, self.question.flows
        return thresholds([rule for flow in flows for rule in scope.rules_of(flow.pk)])

    @cached_property
    def quality_chart(self) -> Chart:
        return charts.quality_chart(self.weeks)

    @cached_property
    def revenue_chart(self) -> Chart:
        return charts.revenue_chart(self.weeks, self.question.currency)

    @cached_property
    def rows(self) -> list[Row]:
        """The charts' numbers, newest week first."""
        return [_row(week, self.question.currency) for week in reversed(self.weeks)]


def _row(week: Week, currency: str) -> Row:
    totals = week.totals
    return Row(
        week=f"{day(week.period.first)} – {day(week.period.last)}",
        leads=number(totals.delivered),
        converted=number(totals.converted),
        conversion=percent(week.conversion.value),
        interval=interval("conversion_rate", week.conversion),
        quality=score(week.quality.value, 2),
        quality_interval=interval("average_quality", week.quality),
        scores=number(week.quality.count),
        revenue=money(totals.revenue, currency),
        note="maturing" if week.maturing else "",
    )


@dataclass(frozen=True, slots=True)
class Step:
    """Something a new seller does before there is anything to see."""

    done: bool
    text: str
    help: str
    url: str
    verb: str


def first_steps(scope: Scope) -> list[Step]:
    """What to do next; empty once the first lead was delivered."""
    if any(source.computed_at for source in scope.sources):  # type: ignore[attr-defined]  # annotated
        return []
    return [
        Step(bool(scope.flows), "Make a flow", "What you sell, and the feedback it takes.",
             reverse("admin:flows_flow_add"), "Make a flow"),
        Step(bool(scope.sources), "Add a source", "Where the leads come from, with its price and cap.",
             reverse("admin:flows_source_add"), "Add a source"),
        Step(bool(scope.buyers), "Add a buyer", "Who buys the leads and sends feedback.",
             reverse("admin:portal_buyer_add"), "Add a buyer"),
        Step(False, "Issue an API key and send the first lead",
             "It shows here within seconds; its feedback too, as soon as the buyer sends it.",
             reverse("admin:flows_apikey_add"), "Issue a key"),
    ]  # fmt: skip
