"""Lets the days of the demo world pass: leads go out, feedback comes back, rules decide, owners react.

Everything goes through the functions that serve real data, each told what time it was then.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Sequence

from feedback import quality
from feedback.daily import rule_daily
from feedback.demo import world
from feedback.demo.life import news_of
from feedback.demo.market import Market
from feedback.demo.owners import Owners
from feedback.demo.parties import FlowParties
from feedback.demo.postbox import Postbox
from feedback.demo.returns import Returns


class Replay:
    """The world from its first day until ``now``."""

    def __init__(self, flows: Sequence[FlowParties], now: dt.datetime) -> None:
        self.rng = random.Random(world.SEED)
        self.bounds = world.bounds(self.rng, now)
        self.owners = Owners(flows, self.rng)
        self.postbox = Postbox()
        self.returns = Returns(flows, world.SEED)
        self.markets = [
            Market(parties, self.bounds[0].date(), self.rng, () if index else world.EXAMPLE_IDS)
            for index, parties in enumerate(flows)
        ]

    def run(self, tell: Callable[[int], None]) -> None:
        """All days in turn; ``tell`` hears how many have passed."""
        for number in range(world.DAYS):
            self.day(number)
            tell(number + 1)

    def day(self, number: int) -> None:
        """One day, at the end of which quality is recomputed, rules decide and owners look and answer."""
        end = self.bounds[number + 1]
        for market in self.markets:
            self.trade(market, number)
        self.postbox.send_until(end)
        while quality.recompute(now=end):
            pass
        rule_daily(now=end)
        self.owners.look(number, end)
        self.returns.look(number, end)

    def trade(self, market: Market, number: int) -> None:
        market.closed = self.owners.closed_to(market.parties)
        parties, begin, end = market.parties, self.bounds[number], self.bounds[number + 1]
        for case, lead_id in market.sell_day(number, begin, end, self.owners.shut(parties, number)):
            if lead_id not in world.EXAMPLE_IDS:
                self.postbox.expect(parties, case, lead_id, news_of(case, self.rng))
