"""A flow under rules: leads are delivered, buyers report by the API, time goes by, and rules decide."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import time_machine
from django.test import Client

from feedback import quality, stale
from flows import keys
from flows.models import Decision, Delivery, Flow, Rule, Source
from portal.models import Buyer
from tests import factories as make

NOON = dt.datetime(2025, 11, 12, 17, tzinfo=dt.UTC)  # midday in New York


@dataclass
class Ruled:
    """One flow; the clock stands at ``now`` and moves by `later`."""

    flow: Flow
    source: Source
    buyer: Buyer
    clock: Any
    now: dt.datetime = NOON
    api_keys: dict[int, str] = field(default_factory=dict)

    def rule(self, **columns: Any) -> Rule:
        """Pause on an average quality below 3.0 on ten scores, unless ``columns`` say otherwise."""
        excluded = columns.pop("excluded", ())
        given = {
            "name": f"Rule {Rule.objects.count() + 1}",
            "metric": "average_quality",
            "comparison": "below",
            "threshold": Decimal("3.0"),
            "min_count": 10,
            "action": "pause_source",
        }
        rule = Rule(flow=self.flow, **{**given, **columns})
        rule.full_clean()
        rule.save()
        rule.excluded_buyers.set(excluded)
        return rule

    def other_buyer(self, name: str = "Second") -> Buyer:
        return make.BuyerFactory(seller=self.flow.seller, name=name)

    def later(self, **by: float) -> None:
        self.now += dt.timedelta(**by)
        self.clock.move_to(self.now)

    def deliver(
        self, count: int, *, buyer: Buyer | None = None, source: Source | None = None, days_ago: float = 1
    ) -> list[Delivery]:
        at = self.now - dt.timedelta(days=days_ago)
        rows = [
            make.DeliveryFactory(
                lead__source=source or self.source, buyer=buyer or self.buyer, delivered_at=at
            )
            for _ in range(count)
        ]
        stale.mark(rows)
        return rows

    def report(self, rows: list[Delivery], **values: Any) -> None:
        """The rows' buyer says the same of each of them, by the API."""
        buyer = rows[0].buyer
        if buyer.pk not in self.api_keys:
            self.api_keys[buyer.pk] = keys.issue(name="CRM", buyer=buyer)[1]
        body = {"feedback": [{"lead_id": row.public_id, **values} for row in rows]}
        answer = Client().post(
            f"/flows/{self.flow.public_id}/feedback/batch",
            json.dumps(body),
            content_type="application/json",
            headers={"X-API-Key": self.api_keys[buyer.pk]},
        )
        assert answer.status_code == 200, answer.content
        assert answer.json()["rejected"] == 0, answer.content

    def hear(self, count: int, *, buyer: Buyer | None = None, source: Source | None = None, **values: Any):
        """New deliveries, and what is said of them; then the worker does its work."""
        rows = self.deliver(count, buyer=buyer, source=source)
        self.report(rows, **values)
        self.recompute()
        return rows

    def recompute(self) -> None:
        while quality.recompute(now=self.now):
            pass

    def decisions(self, **which: Any) -> list[Decision]:
        return list(Decision.objects.filter(**which).order_by("pk"))

    def stands(self) -> tuple[str, int | None, Decimal]:
        self.source.refresh_from_db()
        return self.source.status, self.source.daily_cap, self.source.price_adjustment


def ruled(world: Any) -> Any:
    """A world at noon, without its delivery of yesterday."""
    Delivery.objects.all().delete()
    with time_machine.travel(NOON, tick=False) as clock:
        yield Ruled(world.flow, world.source, world.buyer, clock)
