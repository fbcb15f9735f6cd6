"""How long it takes to try every rule of the demo world on 90 days."""

from __future__ import annotations

import datetime as dt
import time

from django.db import transaction
from django.utils import timezone

from bench.measures import Result
from feedback.backtest import backtest
from feedback.demo import world
from feedback.demo.parties import Founder
from feedback.demo.replay import Replay
from flows.models import Delivery, Rule
from portal.models import Seller

DAYS = 90
LIMIT = 10.0  # seconds for the slowest of them


def backtests() -> list[Result]:
    """The slowest rule against the limit."""
    slugs = [seller.slug for seller in world.SELLERS]
    if not Seller.objects.filter(slug__in=slugs).exists():
        make_world()
    rules = list(Rule.objects.filter(flow__seller__slug__in=slugs).select_related("flow"))
    spent = {rule: _seconds(rule) for rule in rules}
    slowest = max(spent, key=lambda rule: spent[rule])
    leads = Delivery.objects.filter(flow=slowest.flow).count()
    return [
        Result(
            f"Try {DAYS} days, slowest of {len(rules)} rules ({leads:,} leads)",
            f"{spent[slowest]:.2f} s",
            f"{LIMIT:g} s",
            spent[slowest] / LIMIT,
            at_most=1,
        )
    ]


@transaction.atomic
def make_world() -> None:
    """The demo world, beside whatever else there is."""
    now = timezone.now()
    flows = Founder(now - dt.timedelta(days=world.DAYS + 1), "bench").found()
    Replay(flows, now).run(lambda days: None)


def _seconds(rule: Rule) -> float:
    start = time.perf_counter()
    backtest(rule, days=DAYS)
    return time.perf_counter() - start
