"""Lives through the past once more, with a rule that was not there, or was. Pure: no database.

What becomes known goes into a ledger in its order; at the end of each day the rule looks at it. A lead that
the rule would have kept out is not in the ledger, as nobody would have reported on it.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from feedback.backtest.deeds import Key, deed_of
from feedback.backtest.ledger import Ledger, Said, Sold
from feedback.backtest.past import Past
from feedback.backtest.result import Backtest, Firing, Nearest
from feedback.judgement import by_day, is_over, judge, needs_scores
from feedback.looks import condition_of, whose
from feedback.metrics import Totals
from flows import decisions, grounds, reasons
from flows.actions.base import Change, Target
from flows.models import Decision, Delivery, Lead, Rule, Source
from flows.rules import Condition, Finding

_INSTANT = dt.timedelta(microseconds=1)


def replay(past: Past) -> Backtest:
    """What the rule would have done."""
    return _Replay(past).run()


class _Replay:
    def __init__(self, past: Past) -> None:
        self.past, self.rule = past, past.rule
        self.ledger, self.deed = Ledger(), deed_of(past)
        self.kept_out: set[int] = set()
        self.fired_on: set[int] = set()  # deliveries
        self.decided: dict[Key, dt.datetime] = {}
        self.last: dict[Key, dict[str, Any]] = {}  # the numbers of what was decided last
        self.result = Backtest(past.rule, past.first, past.last, past.now)
        self.closeness: tuple[bool, float] = (False, -1.0)
        self.nearest: tuple[Finding, Source, int | None, dt.date] | None = None

    def run(self) -> Backtest:
        on_quality = self.rule.trigger == Rule.Trigger.QUALITY
        condition = condition_of(self.rule) if on_quality else None
        pending = itertools.groupby(self.past.items, key=lambda item: item.known_at)
        upcoming = next(pending, None)
        for day, end in self.past.looks():
            until = end + _INSTANT if end == self.past.now else end
            while upcoming is not None and upcoming[0] < until:
                self._learn(upcoming[0], list(upcoming[1]))
                upcoming = next(pending, None)
            if condition is not None:
                self._look(condition, day, end)
        self.result.real = self.past.real
        self._tell_nearest()
        return self.result

    def _learn(self, at: dt.datetime, items: Sequence[Sold | Said]) -> None:
        """What became known at one moment."""
        changed: dict[int, str | None] = {}
        for item in items:
            if isinstance(item, Sold):
                self._sold(item)
            elif item.delivery_id not in self.kept_out:
                changed[item.delivery_id] = self.ledger.hear(item).outcome
        if self.rule.trigger == Rule.Trigger.FEEDBACK and at >= self.past.start:
            self._on_feedback(changed, at)

    def _sold(self, sold: Sold) -> None:
        if sold.day >= self.past.first:
            self.result.delivered += 1
            self.result.cost += sold.price
        firing = self.deed.keeps_out(sold)
        if firing is None:
            self.ledger.deliver(sold)
            self.deed.reprices(sold)
            return
        self.kept_out.add(sold.pk)
        firing.effect.leads += 1
        firing.effect.cost += sold.price
        firing.effect.converted += sold.converted
        firing.effect.revenue += sold.revenue
        firing.effect.pending += sold.pending

    def _look(self, condition: Condition, day: dt.date, at: dt.datetime) -> None:
        """As `feedback.rulings` looks, on the numbers of that time."""
        first, last = condition.days(day)
        found: dict[Key, Finding] = {}
        for source in self.past.sources.values():
            sums = self.ledger.sums(source.pk, first, last)
            heard = {buyer: each for buyer, each in sums.items() if buyer not in self.past.left_out}
            scores = {buyer: each for buyer, (_, each) in heard.items()} if needs_scores(condition) else None
            for buyer_id, part in self._parts({buyer: totals for buyer, (totals, _) in heard.items()}):
                found[source.pk, buyer_id] = judge(condition, part, day, scores)
        if self.deed.lasts:
            self._end(condition, found)
        for (source_id, buyer_id), finding in found.items():
            self._found(finding, self.past.sources[source_id], buyer_id, day, at)

    def _end(self, condition: Condition, found: Mapping[Key, Finding]) -> None:
        """What lasts no longer than its condition is over: whatever comes then is new."""
        for key, standing in self.deed.standing.items():
            if standing and is_over(condition, found.get(key)):
                standing.clear()
                self.last.pop(key, None)

    def _parts(self, totals: Mapping[int, Totals]) -> Iterator[tuple[int | None, Mapping[int, Totals]]]:
        if self.rule.scope == Rule.Scope.SOURCE:
            yield None, totals
            return
        for buyer in sorted(totals):
            yield buyer, {buyer: totals[buyer]}

    def _found(
        self, finding: Finding, source: Source, buyer_id: int | None, day: dt.date, at: dt.datetime
    ) -> None:
        self._weigh(finding, source, buyer_id, day)
        key = (source.pk, buyer_id)
        reverse = finding.clear and self.rule.on_clear == Rule.OnClear.REVERSE
        if not (finding.fires or (reverse and self.deed.standing.get(key))) or self._rests(key, at):
            return
        numbers = {**self._numbers(finding, buyer_id), "days": self._counted(finding, source, buyer_id)}
        if reverse:
            numbers |= {"cleared": True, "hysteresis": float(self.rule.hysteresis)}
        if key in self.last and not grounds.has_news(numbers, self.last[key]):
            return
        target = self._target(source, numbers, f"day:{day}", buyer_id=buyer_id)
        if reverse:
            self._fire(target, self.deed.take_back(key), at, day, reverses=True)
        elif change := self.deed.change(target, at):
            self._fire(target, change, at, day)
        elif not self.deed.standing.get(key):
            self.result.idle[self._where(source, buyer_id)] += 1

    def _on_feedback(self, changed: Mapping[int, str | None], at: dt.datetime) -> None:
        """As `feedback.rulings` goes through the deliveries that changed: each fires the rule once."""
        day, taken = at.astimezone(self.past.zone).date(), set()
        for pk in sorted(changed):
            sold = self.ledger.sold[pk]
            if changed[pk] != self.rule.outcome or pk in self.fired_on or sold.buyer_id in self.past.left_out:
                continue
            target = self._of_delivery(sold)
            about_source = self.deed.action.is_about_source(target)
            if about_source and (target.key in taken or self._rests(target.key, at)):
                continue
            taken.add(target.key)
            change = self.deed.change(target, at)
            if change is not None:
                self.fired_on.add(pk)
                self._fire(target, change, at, day)
            elif about_source and not self.deed.standing.get(target.key):
                self.result.idle[target.source.name] += 1

    def _rests(self, key: Key, at: dt.datetime) -> bool:
        """Within the rule's cool-down, as in `flows.decisions.due_for`."""
        last = self.decided.get(key)
        return last is not None and last > grounds.rests_since(self.rule.cooldown_hours, at)

    def _fire(
        self, target: Target, change: Change, at: dt.datetime, day: dt.date, *, reverses: bool = False
    ) -> None:
        firing = Firing(
            at=at,
            day=day,
            source=target.source.name,
            source_id=target.source.pk,
            buyer=target.buyer.name if target.buyer else "",
            buyer_id=target.buyer.pk if target.buyer else None,
            lead=target.delivery.public_id if target.delivery else "",
            headline=self._headline(target, change, reverses),
            why=target.reason,
            numbers=target.numbers,
            reverses=reverses,
        )
        if not reverses:
            self.deed.do(target, change, firing)
        self.decided[target.key], self.last[target.key] = at, target.numbers
        self.result.firings.append(firing)

    def _headline(self, target: Target, change: Change, reverses: bool) -> str:
        action = self.deed.action.reverse_name if reverses else self.rule.action
        decision = Decision(
            rule_name=self.rule.name,
            source=target.source,
            buyer=target.buyer,
            delivery=target.delivery,
            action=action,
            params=self.rule.params,
            before=change.before,
            after=change.after,
        )
        return decisions.headline(decision)

    def _numbers(self, finding: Finding, buyer_id: int | None) -> dict[str, Any]:
        buyer = self.past.buyers[buyer_id] if buyer_id else None
        return {**finding.numbers(), **whose(buyer, self.past.left_out)}

    def _counted(self, finding: Finding, source: Source, buyer_id: int | None) -> dict[str, Any]:
        days = self.ledger.days(source.pk, *finding.condition.days(finding.today))
        left_out = self.past.left_out
        mine = {
            day: {
                buyer: totals
                for buyer, totals in buyers.items()
                if buyer not in left_out and buyer_id in (None, buyer)
            }
            for day, buyers in days.items()
        }
        return by_day(finding.condition, mine.items())

    def _target(
        self,
        source: Source,
        numbers: dict[str, Any],
        evaluation: str,
        delivery: Delivery | None = None,
        buyer_id: int | None = None,
    ) -> Target:
        buyer = self.past.buyers[buyer_id] if buyer_id else None
        return Target(source, evaluation, reasons.explain(numbers), numbers, delivery, buyer)

    def _of_delivery(self, sold: Sold) -> Target:
        lead = Lead(email_normalised=sold.email, phone_e164=sold.phone)
        delivery = Delivery(pk=sold.pk, public_id=sold.public_id, lead=lead)
        numbers = {"outcome": self.rule.outcome, "lead_id": sold.public_id}
        source = self.past.sources[sold.source_id]
        return self._target(source, numbers, f"delivery:{sold.pk}", delivery)

    def _where(self, source: Source, buyer_id: int | None) -> str:
        return f"{source.name} with {self.past.buyers[buyer_id].name}" if buyer_id else source.name

    def _weigh(self, finding: Finding, source: Source, buyer_id: int | None, day: dt.date) -> None:
        """Remember the finding that came nearest to firing: enough was counted, then the most beyond."""
        measure, condition = finding.counted.measure, finding.condition
        enough = measure.value is not None and measure.count >= condition.min_count
        distance = float(measure.count)
        if enough and measure.value is not None:
            beyond = float(measure.value - condition.threshold)
            distance = beyond if condition.comparison == "above" else -beyond
        elif not measure.count:
            return
        if (enough, distance) > self.closeness:
            self.closeness, self.nearest = (enough, distance), (finding, source, buyer_id, day)

    def _tell_nearest(self) -> None:
        """Its numbers are worked out once, as bounds take their time."""
        if self.nearest and not self.result.firings:
            finding, source, buyer_id, day = self.nearest
            numbers = self._numbers(finding, buyer_id)
            self.result.nearest = Nearest(day, source.name, numbers, self.closeness[0])
