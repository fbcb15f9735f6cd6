"""The sources side by side: mature conversion rates, and whether they say enough. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from feedback.metrics import Totals, measure
from flows.evidence import Measure
from flows.models import Rule, Source
from portal.formats import number
from reports.charts import Bar, Threshold, axis_end, bar
from reports.queries import Share
from reports.scope import CONVERSION, Scope
from reports.words import interval, money, percent, score

FEW = 30  # mature leads, where no rule of the flow says how many are enough
SHOWN = 50


@dataclass(frozen=True, slots=True)
class Status:
    """``tone`` colours the pill; ``reason`` is said beside it."""

    tone: str
    word: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A line of the table."""

    source: Source
    flow: str
    status: Status
    conversion: str
    interval: str
    counted: str
    bar: Bar | None
    quality: str
    coverage: str
    revenue: str


@dataclass(frozen=True, slots=True)
class Ranking:
    """The lines, the axis of their bars, what the dashed lines are, how many sources are left out."""

    rows: tuple[Ranked, ...]
    axis: str
    thresholds: tuple[str, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class _Line:
    source: Source
    share: Share
    rate: Measure
    enough: bool

    @property
    def order(self) -> tuple[bool, bool, Decimal, str]:
        """Those with enough to say first, best first; then the others, likewise."""
        return not self.enough, self.rate.value is None, -(self.rate.value or Decimal(0)), self.source.name


def ranking(scope: Scope, sources: Sequence[Source], shares: Mapping[int, Share], currency: str) -> Ranking:
    """The sources that delivered in the period or are paused, best first."""
    lines = [_line(scope, source, shares.get(source.pk, Share())) for source in sources]
    lines = sorted((line for line in lines if _to_show(line)), key=lambda line: line.order)
    flows = {line.source.flow_id for line in lines}
    limits = thresholds([rule for rule in scope.rules if rule.flow_id in flows])
    highs = [line.rate.high for line in lines if line.enough and line.rate.high is not None]
    end = axis_end([*highs, *(value * Decimal("1.2") for value, _ in limits)])
    return Ranking(
        tuple(_ranked(scope, line, end, currency) for line in lines[:SHOWN]),
        f"0 – {percent(end, 0)}",
        limit_words(limits),
        max(0, len(lines) - SHOWN),
    )


def _line(scope: Scope, source: Source, share: Share) -> _Line:
    rate = measure(CONVERSION, share.mature)
    least = max((rule.min_count for rule in scope.rules_of(source.flow_id)), default=FEW)
    return _Line(source, share, rate, rate.count >= least)


def _to_show(line: _Line) -> bool:
    return bool(line.share.all.delivered) or line.source.status == Source.Status.PAUSED


def _ranked(scope: Scope, line: _Line, end: Decimal, currency: str) -> Ranked:
    totals: Totals = line.share.all
    flow = next((flow.name for flow in scope.flows if flow.pk == line.source.flow_id), "")
    return Ranked(
        source=line.source,
        flow=flow if len(scope.flows) > 1 else "",
        status=_status(line),
        conversion=percent(line.rate.value),
        interval=interval(CONVERSION, line.rate),
        counted=f"{number(line.share.mature.converted)} of {number(line.rate.count)}",
        bar=bar(line.rate, end, thresholds(scope.rules_of(line.source.flow_id))),
        quality=score(measure("average_quality", totals).value),
        coverage=percent(measure("coverage", totals).value, 0),
        revenue=money(totals.revenue, currency, whole=True),
    )


def thresholds(rules: Sequence[Rule]) -> list[Threshold]:
    """Where the rules act, each place once, lowest first."""
    return sorted(
        {
            (rule.threshold, "low" if rule.comparison == Rule.Comparison.BELOW else "high")
            for rule in rules
            if rule.threshold is not None
        }
    )


def limit_words(limits: Sequence[Threshold]) -> tuple[str, ...]:
    """``("5 %", "10 %")``."""
    values = sorted({value for value, _ in limits})
    return tuple(percent(value, 0 if value * 100 % 1 == 0 else 1) for value in values)


def _status(line: _Line) -> Status:
    if line.source.status == Source.Status.PAUSED:
        return Status("bad", "Paused", line.source.status_reason)
    if not line.enough:
        return Status("neutral", "Too few", f"{number(line.rate.count)} mature leads")
    return Status("good", "Active")
