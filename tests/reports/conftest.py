"""Deliveries of known ages and states, seen at one fixed moment."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
import time_machine

from feedback import quality, stale
from flows.models import Delivery
from tests import factories as make

NOW = dt.datetime(2026, 3, 15, 16, 0, tzinfo=dt.UTC)  # noon in New York; its clocks went forward on 8 March
TODAY = NOW.date()


@pytest.fixture(autouse=True)
def fixed_time():
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def sell(source, buyer, *, days: int, count: int = 1, **state) -> list[Delivery]:
    """``count`` deliveries of ``days`` days ago in the given state; ``revenue`` makes them sold."""
    at = NOW - dt.timedelta(days=days)
    if "revenue" in state:
        state = {"outcome": "converted", "conversion_status": "sold", **state}
    if state:
        state = {"feedback_count": 1, "last_feedback_at": at + dt.timedelta(hours=1), **state}
    lead = make.LeadFactory(source=source)
    rows = [
        Delivery(
            flow=source.flow,
            lead=lead,
            source=source,
            buyer=buyer,
            price=Decimal("20.00"),
            delivered_at=at,
            delivered_on=at.date(),
            **state,
        )
        for _ in range(count)
    ]
    return Delivery.objects.bulk_create(rows)


def learn(deliveries) -> None:
    """What the worker does after deliveries changed."""
    stale.mark(list(deliveries))
    while quality.recompute():
        pass


@pytest.fixture
def known(world):
    """One source whose numbers are told by heart: 100 mature leads, 8 sold; 50 young ones, 1 sold.

    In the 30 days before: 100 leads, 6 sold.
    """
    Delivery.objects.all().delete()
    source, buyer = world.source, world.buyer
    made = [
        *sell(source, buyer, days=20, count=8, revenue=Decimal("1000.00"), quality_score=5),
        *sell(source, buyer, days=20, count=32, outcome="no_contact", quality_score=3),
        *sell(source, buyer, days=20, count=60),
        *sell(source, buyer, days=3, count=1, revenue=Decimal("500.00"), quality_score=4),
        *sell(source, buyer, days=3, count=49),
        *sell(source, buyer, days=40, count=6, revenue=Decimal("800.00"), quality_score=4),
        *sell(source, buyer, days=40, count=94, outcome="bad_info"),
        *sell(source, buyer, days=90),  # the flow is an old one
    ]
    learn(made)
    return made
