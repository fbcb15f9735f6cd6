"""One look at the numbers of sources: their cells, read once, and what each rule finds in them."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from feedback.judgement import NO_SCORES, by_day, judge, needs_scores
from feedback.measures_of import delivered_between, score_counts, totals_over
from feedback.metrics import Totals
from feedback.models import SourceDay
from flows import actions, reasons
from flows.actions.base import Target
from flows.models import Delivery, Flow, Rule, Source
from flows.rules import Condition, Finding
from portal.models import Buyer

EVERYBODY = 0  # stands for all buyers together where no rule asks who is who
Days = dict[int, list[tuple[dt.date, int, Any]]]  # source → day, buyer, what was counted


@dataclass(frozen=True, slots=True)
class Seen:
    """What a rule found of one source, or of one source with one buyer."""

    source: Source
    buyer: Buyer | None
    finding: Finding

    @property
    def key(self) -> tuple[int, int | None]:
        return self.source.pk, self.buyer.pk if self.buyer else None


class Look:
    """Reads the sources' cells over the widest window that a rule asks for, and by buyer if a rule asks.

    ``sources`` are locked rows with their flow; ``rules`` come with their flow and excluded buyers.
    ``evaluation`` names the look; without, it is the look of the flow's day.
    """

    def __init__(
        self, sources: Sequence[Source], rules: Sequence[Rule], evaluation: str | None, now: dt.datetime
    ) -> None:
        self.evaluation = evaluation
        self.sources: dict[int, list[Source]] = defaultdict(list)
        for source in sources:
            self.sources[source.flow_id].append(source)
        self.today = {source.flow_id: today_of(source.flow, now) for source in sources}
        sound = [rule for rule in rules if not actions.faults_of(rule)]
        self._by_buyer = any(map(_asks_who, sound))
        self._days = self._read_cells(sound)
        self._scores = self._read_scores(sound)
        self._buyers = self._read_buyers(sound)
        self._sums: dict[Any, Mapping[int, Any]] = {}

    def seen(self, rule: Rule) -> list[Seen]:
        """What the rule finds: one thing of each source, or of each source with each of its buyers."""
        condition, today = condition_of(rule), self.today[rule.flow_id]
        left_out = {buyer.pk for buyer in rule.excluded_buyers.all()}
        found = []
        for source in self.sources[rule.flow_id]:
            totals = self._totals(condition, source.pk, today, left_out)
            scores = self._scores_of(condition, source.pk, today)
            for buyer, part in _parts(rule, totals):
                finding = judge(condition, part, today, scores)
                found.append(Seen(source, self._buyers[buyer] if buyer else None, finding))
        return found

    def target(self, rule: Rule, seen: Seen, **more: Any) -> Target:
        """What was seen, as what an action is carried out on; ``more`` numbers go into the decision."""
        numbers = {**self.numbers(rule, seen), "days": self._counted(rule, seen), **more}
        look = self.evaluation or f"day:{self.today[rule.flow_id].isoformat()}"
        evaluation = f"{look}:b{seen.buyer.pk}" if seen.buyer else look
        return Target(seen.source, evaluation, reasons.explain(numbers), numbers, buyer=seen.buyer)

    def numbers(self, rule: Rule, seen: Seen) -> dict[str, Any]:
        """The finding's numbers, and whose they are."""
        left_out = {buyer.pk: buyer.name for buyer in rule.excluded_buyers.all()}
        return {**seen.finding.numbers(), **whose(seen.buyer, left_out)}

    def _counted(self, rule: Rule, seen: Seen) -> dict[str, Any]:
        """What was counted of each day, as `judgement.by_day` gives it."""
        condition, left_out = condition_of(rule), {buyer.pk for buyer in rule.excluded_buyers.all()}
        first, last = condition.days(self.today[rule.flow_id])
        days: dict[dt.date, dict[int, Totals]] = defaultdict(dict)
        for day, buyer, totals in self._days.get(seen.source.pk, ()):
            mine = seen.buyer is None or buyer == seen.buyer.pk
            if first <= day <= last and mine and buyer not in left_out:
                days[day][buyer] = totals
        return by_day(condition, days.items())

    def _totals(
        self, condition: Condition, source_id: int, today: dt.date, left_out: set[int]
    ) -> Mapping[int, Totals]:
        """The source's totals by buyer on the condition's days."""
        days = condition.days(today)
        key = (source_id, days)
        if key not in self._sums:
            self._sums[key] = _summed(self._days.get(source_id, ()), *days)
        return {buyer: totals for buyer, totals in self._sums[key].items() if buyer not in left_out}

    def _scores_of(
        self, condition: Condition, source_id: int, today: dt.date
    ) -> Mapping[int, Sequence[int]] | None:
        if not needs_scores(condition):
            return None
        first, last = condition.days(today)
        by_buyer: dict[int, list[int]] = defaultdict(lambda: list(NO_SCORES))
        for day, buyer, counts in self._scores.get(source_id, ()):
            if first <= day <= last:
                by_buyer[buyer] = [sum(pair) for pair in zip(by_buyer[buyer], counts, strict=True)]
        return by_buyer

    def _span(self, rules: Sequence[Rule]) -> tuple[dt.date, dt.date]:
        """The first and the last day on which any of these rules looks."""
        spans = [condition_of(rule).days(self.today[rule.flow_id]) for rule in rules]
        return min(first for first, _ in spans), max(last for _, last in spans)

    def _read_cells(self, rules: Sequence[Rule]) -> Days:
        found: Days = defaultdict(list)
        if not rules:
            return found
        by = ("source_id", "day", "buyer_id") if self._by_buyer else ("source_id", "day")
        summed = totals_over(SourceDay.objects.all(), self._pks(), *self._span(rules), *by)
        for (source_id, day, *buyer), totals in summed.items():
            found[source_id].append((day, buyer[0] if buyer else EVERYBODY, totals))
        return found

    def _read_scores(self, rules: Sequence[Rule]) -> Days:
        """How often each score was given: cells know only sums."""
        found: Days = defaultdict(list)
        asking = [rule for rule in rules if needs_scores(condition_of(rule))]
        if not asking:
            return found
        rows = delivered_between(Delivery.objects.all(), self._pks(), *self._span(asking))
        by = ("source_id", "delivered_on", "buyer_id") if self._by_buyer else ("source_id", "delivered_on")
        for (source_id, day, *buyer), counts in score_counts(rows, *by).items():
            found[source_id].append((day, buyer[0] if buyer else EVERYBODY, counts))
        return found

    def _read_buyers(self, rules: Sequence[Rule]) -> dict[int, Buyer]:
        if not any(rule.scope == Rule.Scope.SOURCE_BUYER for rule in rules):
            return {}
        return Buyer.objects.in_bulk({buyer for days in self._days.values() for _, buyer, _ in days})

    def _pks(self) -> list[int]:
        return [source.pk for sources in self.sources.values() for source in sources]


def condition_of(rule: Rule) -> Condition:
    """A sound rule's condition."""
    return Condition(
        metric=rule.metric,
        comparison=cast("Any", rule.comparison),
        threshold=cast("Any", rule.threshold),
        min_count=rule.min_count,
        window_days=rule.window_days,
        maturity_days=rule.maturity_days,
        evidence=cast("Any", rule.evidence),
        equal_buyers=rule.equal_buyers,
        hysteresis=rule.hysteresis,
    )


def today_of(flow: Flow, now: dt.datetime) -> dt.date:
    """The day that it is in the flow's zone."""
    return now.astimezone(zoneinfo.ZoneInfo(flow.timezone)).date()


def _asks_who(rule: Rule) -> bool:
    """Whether the rule must tell one buyer from another."""
    return rule.scope == Rule.Scope.SOURCE_BUYER or rule.equal_buyers or bool(rule.excluded_buyers.all())


def whose(buyer: Buyer | None, left_out: Mapping[int, str]) -> dict[str, Any]:
    """Whose the numbers of a finding are: one buyer's, or all buyers' but those left out, by key and name."""
    if buyer:
        return {"buyer": buyer.name}
    return {"without": sorted(left_out.values()), "without_ids": sorted(left_out)} if left_out else {}


def _parts(rule: Rule, totals: Mapping[int, Totals]) -> Iterator[tuple[int | None, Mapping[int, Totals]]]:
    if rule.scope == Rule.Scope.SOURCE:
        yield None, totals
        return
    for buyer in sorted(totals):
        yield buyer, {buyer: totals[buyer]}


def _summed(days: Sequence[tuple[dt.date, int, Totals]], first: dt.date, last: dt.date) -> dict[int, Totals]:
    sums: dict[int, Totals] = defaultdict(Totals)
    for day, buyer, totals in days:
        if first <= day <= last:
            sums[buyer] += totals
    return dict(sums)
