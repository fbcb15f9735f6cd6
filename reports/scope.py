"""What a person may ask about, and what they ask: the flows, buyer, source, currency, days and clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from django.db.models import OuterRef, Subquery

from feedback.models import SourceDay
from flows.models import Agreement, Flow, Rule, Source
from portal.access import Actor, visible_to
from portal.models import Buyer
from reports.periods import Period, today_in
from reports.words import aged

CONVERSION = "conversion_rate"
MATURITY_DAYS = 14  # where a flow has no rule on its conversion rate
DELIVERY_CLOCK, FEEDBACK_CLOCK = "delivery", "feedback"


@dataclass(frozen=True)
class Scope:
    """Everything the actor may choose from. ``rules`` are the enabled ones on conversion rates."""

    actor: Actor
    flows: tuple[Flow, ...]
    buyers: tuple[Buyer, ...]
    sources: tuple[
        Source, ...
    ]  # each with ``computed_at``, when its newest cell was, and ``since``, its first day
    rules: tuple[Rule, ...]
    unnamed: frozenset[int] = frozenset()  # flows of which the actor may not know the sources by name

    @classmethod
    def of(cls, actor: Actor) -> Scope:
        """Four queries."""
        newest = SourceDay.objects.filter(source=OuterRef("pk")).order_by("-computed_at")
        first = SourceDay.objects.filter(source=OuterRef("pk")).order_by("day")
        sources = visible_to(actor, Source.objects.all()).annotate(
            computed_at=Subquery(newest.values("computed_at")[:1]), since=Subquery(first.values("day")[:1])
        )
        rules = visible_to(actor, Rule.objects.filter(enabled=True, metric=CONVERSION))
        return cls(
            actor,
            tuple(visible_to(actor, Flow.objects.all())),
            tuple(visible_to(actor, Buyer.objects.order_by("name"))),
            tuple(sources),
            tuple(rules.order_by("threshold")),
        )

    @classmethod
    def of_buyer(cls, actor: Actor, agreements: Iterable[Agreement]) -> Scope:
        """A buyer's flows, and the sources that they had leads from, each with its own leads' dates.

        Sources that an agreement hides are counted, and not named. One query.
        """
        mine = visible_to(actor, SourceDay.objects.all())
        of_source = mine.filter(source=OuterRef("pk"))
        sources = Source.objects.filter(pk__in=mine.values("source")).annotate(
            computed_at=Subquery(of_source.order_by("-computed_at").values("computed_at")[:1]),
            since=Subquery(of_source.order_by("day").values("day")[:1]),
        )
        made = list(agreements)
        hidden = frozenset(each.flow_id for each in made if not each.shows_source)
        return cls(actor, tuple(each.flow for each in made), (), tuple(sources), (), hidden)

    @cached_property
    def offered(self) -> tuple[Source, ...]:
        """The sources that one may choose, and be told of by name."""
        return tuple(each for each in self.sources if each.flow_id not in self.unnamed)

    @cached_property
    def currencies(self) -> tuple[str, ...]:
        return currencies_of(self.flows)

    def today(self, now: dt.datetime) -> dt.date:
        return today_in({self.actor.timezone, *(flow.timezone for flow in self.flows)}, now)

    def maturity_days(self, flow: Flow) -> int:
        """After how many days a delivery counts: as the flow's strictest conversion rule says."""
        return max((rule.maturity_days for rule in self.rules_of(flow.pk)), default=MATURITY_DAYS)

    def rules_of(self, flow_id: int) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.flow_id == flow_id)


def currencies_of(flows: Iterable[Flow]) -> tuple[str, ...]:
    """The flows' currencies, that of most flows first."""
    codes = [flow.currency for flow in flows]
    return tuple(sorted(set(codes), key=lambda code: (-codes.count(code), code)))


@dataclass(frozen=True)
class Question:
    """What is asked. ``flows`` all have the one currency where ``currency`` is set."""

    scope: Scope
    now: dt.datetime
    period: Period
    flow: Flow | None = None
    buyer: Buyer | None = None
    source: Source | None = None
    currency: str = ""
    clock: str = DELIVERY_CLOCK
    only_mature: bool = False

    @cached_property
    def currencies(self) -> tuple[str, ...]:
        """What the currency can be switched between."""
        return currencies_of(self._chosen)

    @cached_property
    def flows(self) -> tuple[Flow, ...]:
        return tuple(flow for flow in self._chosen if self.currency in ("", flow.currency))

    @cached_property
    def _chosen(self) -> tuple[Flow, ...]:
        if self.source:
            return tuple(flow for flow in self.scope.flows if flow.pk == self.source.flow_id)
        return (self.flow,) if self.flow else self.scope.flows

    @cached_property
    def sources(self) -> tuple[Source, ...]:
        """The sources asked about, by name."""
        flows = {flow.pk for flow in self.flows}
        return tuple(
            each for each in self.scope.sources if each.flow_id in flows and self.source in (None, each)
        )

    @cached_property
    def maturity_days(self) -> int:
        """The longest of the flows asked about: from then on all of them are mature."""
        return max(self.ages)

    @cached_property
    def ages(self) -> tuple[int, ...]:
        """After how many days leads count: one number, or several where the flows differ."""
        return tuple(sorted({self.scope.maturity_days(flow) for flow in self.flows})) or (MATURITY_DAYS,)

    @cached_property
    def aged(self) -> str:
        """Which leads are mature, in words."""
        return aged(self.ages)

    @cached_property
    def mature_until(self) -> dt.date:
        """The last day whose deliveries are mature on every flow."""
        return min(self.matured(flow) for flow in self.flows) if self.flows else self.period.last

    def matured(self, flow: Flow) -> dt.date:
        """The last day whose deliveries are mature on this flow, in its own time zone."""
        return today_in([flow.timezone], self.now) - dt.timedelta(days=self.scope.maturity_days(flow))
