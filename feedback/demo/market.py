"""The supply side of the demo world: what a flow's sources offer on a day, and what of it is sold."""

from __future__ import annotations

import datetime as dt
import random
import zoneinfo
from collections.abc import Collection, Sequence
from typing import Any

from feedback.demo import people, world
from feedback.demo.life import Case
from feedback.demo.parties import FlowParties
from flows.intake import LeadIn, take_leads
from portal.ids import ALPHABET

STUBBORN = 0.05  # of a source's usual leads, how many are still offered while it is shut
AGAIN = 0.006  # the share of leads that are a consumer's second
ROUNDS = 20  # tries to make up for refused leads
Sold = tuple[Case, str]  # a delivery and its id


class Market:
    """One flow's trade. ``examples`` are ids to be given to the first buyer's leads of the last day."""

    def __init__(
        self, parties: FlowParties, first: dt.date, rng: random.Random, examples: Sequence[str] = ()
    ) -> None:
        self.parties = parties
        self.of = parties.of
        self.zone = zoneinfo.ZoneInfo(self.of.timezone)
        self.rng = rng
        self.targets = world.daily_targets(round(world.DELIVERIES * self.of.share), first)
        self.examples = list(examples)
        self.consumers: list[dict[str, Any]] = []
        self.closed: Collection[tuple[str, str]] = ()  # source and buyer to whom it sells nothing just now

    def sell_day(
        self, number: int, begin: dt.datetime, end: dt.datetime, shut: Collection[str]
    ) -> list[Sold]:
        """Sell the day's leads, of which the sources named in ``shut`` offer few and sell none.

        What is refused is made up for by sources without a cap, so that the day's target is met exactly.
        """
        wanted = self.targets[number]
        offered = self.usual(wanted, shut) + self.stubborn(wanted, shut, number)
        capped = {each.slug for each in self.of.sources if each.daily_cap}
        sold: list[Sold] = []
        for _ in range(ROUNDS):
            sold += self.sell([self.case(each, number, begin, end) for each in offered], end)
            if len(sold) >= wanted:
                return sold
            offered = self.usual(wanted - len(sold), capped.union(shut))
        raise RuntimeError(f"{self.of.name}: {wanted - len(sold)} leads found no taker on day {number}.")

    def usual(self, count: int, shut: Collection[str]) -> list[world.SourceTruth]:
        sources = [each for each in self.of.sources if each.slug not in shut]
        return self.rng.choices(sources, [each.volume for each in sources], k=count)

    def stubborn(self, count: int, shut: Collection[str], number: int) -> list[world.SourceTruth]:
        """The few leads that keep coming from sources that are shut; all of them will be refused."""
        sources = [each for each in self.of.sources if each.slug in shut and each.first_day <= number]
        return [each for each in sources for _ in range(round(count * each.volume * STUBBORN))]

    def case(self, source: world.SourceTruth, number: int, begin: dt.datetime, end: dt.datetime) -> Case:
        open_to = [each for each in self.of.buyers if (source.slug, each.slug) not in self.closed]
        buyers = open_to or self.of.buyers
        buyer = self.rng.choices(buyers, [each.share for each in buyers])[0]
        return Case(self.of, source, buyer, number, world.moment_between(self.rng, begin, end, self.zone))

    def sell(self, cases: list[Case], now: dt.datetime) -> list[Sold]:
        cases.sort(key=lambda case: case.delivered_at)
        leads = [self.lead_in(case) for case in cases]
        receipts = take_leads(self.parties.row, leads, now=now)
        sold = []
        for case, lead, receipt in zip(cases, leads, receipts, strict=True):
            if receipt.outcome == "success":
                sold.append((case, str(lead.event_id)))
            elif lead.event_id in world.EXAMPLE_IDS:
                self.examples.append(lead.event_id)
        return sold

    def lead_in(self, case: Case) -> LeadIn:
        consumer = self.consumer()
        number = len(self.consumers)
        return LeadIn(
            source=case.source.slug,
            buyer=case.buyer.slug,
            lead=consumer,
            price=None,
            event_id=self.event_id(case),
            external_id=f"{case.buyer.crm}-{number + 100_000}" if case.buyer.crm else None,
            delivered_at=case.delivered_at,
        )

    def consumer(self) -> dict[str, Any]:
        """A new person, or now and then one who has been here before."""
        if self.consumers and self.rng.random() < AGAIN:
            return self.rng.choice(self.consumers)
        self.consumers.append(people.consumer(self.rng, len(self.consumers), self.of.preset))
        return self.consumers[-1]

    def event_id(self, case: Case) -> str:
        if self.examples and case.day == world.DAYS - 1 and case.buyer is self.of.buyers[0]:
            return self.examples.pop()
        return "evt_" + "".join(self.rng.choices(ALPHABET, k=16))
