"""What is measured, and the limit that each ratio must keep."""

from __future__ import annotations

import datetime as dt
import http.client
import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.core.management import call_command
from django.db.models import Sum
from django.utils import timezone

from feedback import quality
from feedback.cells import cells_from
from feedback.intake import intake
from feedback.metrics import COLUMNS
from feedback.models import SourceDay, StaleMark
from feedback.schema import compile_schema
from feedback.submission import Origin, Submission
from flows import keys
from flows.intake import LeadIn, take_leads
from flows.models import Agreement, Delivery, Flow, Source
from flows.presets import set_up_flow
from portal.models import Buyer, Seller
from tests.processes import House

DAYS, A_DAY = 30, 400  # deliveries of the world that is measured
ONES, LIST = 150, 500  # submissions in lists of one, and in one list
POSTS = 300


@dataclass(frozen=True)
class Result:
    """``ratio`` is this over against; ``at_least`` or ``at_most`` is its limit."""

    name: str
    this: str
    against: str
    ratio: float
    at_least: float | None = None
    at_most: float | None = None

    @property
    def holds(self) -> bool:
        return self.ratio >= self.at_least if self.at_least is not None else self.ratio <= self.at_most

    @property
    def limit_text(self) -> str:
        return f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"


@dataclass
class World:
    flow: Flow
    buyer: Buyer
    key: str
    origin: Origin


def measure_all(folder: Path) -> list[Result]:
    call_command("migrate", verbosity=0)
    world = make_world()
    return [
        validation(world),
        lists(world),
        cells(world),
        recompute(world),
        api(world, folder),
    ]


def make_world() -> World:
    """One flow with the full schema, one source, one buyer, 30 days of 400 deliveries without feedback."""
    name = timezone.now().strftime("bench-%H%M%S%f")
    seller = Seller.objects.create(name=name, slug=name)
    buyer = Buyer.objects.create(seller=seller, name="Buyer", slug="buyer")
    flow = Flow.objects.create(seller=seller, name="Flow")
    set_up_flow(flow)
    flow.rules.all().delete()
    Source.objects.create(flow=flow, name="Source", slug="source", base_price=10)
    Agreement.objects.create(flow=flow, buyer=buyer)
    for day in range(DAYS):
        at = timezone.now() - dt.timedelta(days=day, minutes=1)
        take_leads(
            flow,
            [
                LeadIn("source", "buyer", {"email": f"l{day}.{n}@example.com"}, None, None, None, at)
                for n in range(A_DAY)
            ],
        )
    key = keys.issue(name="bench", buyer=buyer)[1]
    while quality.recompute():
        pass
    return World(flow, buyer, key, Origin(keys.authenticate(key)[1], "api"))


def silent_ids(world: World, count: int) -> list[str]:
    """Deliveries without feedback, spread over the days."""
    rows = Delivery.objects.filter(flow=world.flow, feedback_count=0).order_by("public_id")
    return list(rows.values_list("public_id", flat=True)[:count])


def payload(lead_id: str) -> dict:
    return {
        "lead_id": lead_id,
        "outcome": "converted",
        "revenue": 1500,
        "quality_score": 4,
        "notes": "Great lead",
    }


def seconds(work: Callable[[], object], times: int = 1) -> float:
    """The median of several runs."""
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        spent.append(time.perf_counter() - start)
    return statistics.median(spent)


def validation(world: World) -> Result:
    """The compiled validator against merely reading the JSON."""
    schema, now = compile_schema(world.flow), timezone.now()
    body = json.dumps(payload("evt_1"))
    given = json.loads(body)
    validating = seconds(lambda: [schema.validate(given, now=now) for _ in range(1000)], 5)
    reading = seconds(lambda: [json.loads(body) for _ in range(1000)], 5)
    return Result(
        "Validate a feedback, against json.loads of it",
        f"{validating * 1000:.1f} µs",
        f"{reading * 1000:.1f} µs",
        validating / reading,
        at_most=25,
    )


def lists(world: World) -> Result:
    """Everything between a door and the commit, by the length of the list."""
    ids = silent_ids(world, ONES + LIST)
    ones, many = ids[:ONES], ids[ONES:]

    def at_once() -> None:
        intake(world.flow, [Submission(n, payload(each)) for n, each in enumerate(many)], world.origin)

    single, together = len(ones) / seconds(lambda: record_all(world, ones)), len(many) / seconds(at_once)
    return Result(
        f"Record feedback in lists of {LIST}, against of 1",
        f"{together:,.0f} rows/s",
        f"{single:,.0f} rows/s",
        together / single,
        at_least=3,
    )


def cells(world: World) -> Result:
    """A month's sums as the dashboard reads them, against the same sums taken from deliveries."""
    while quality.recompute():
        pass
    sums = {name: Sum(name) for name in COLUMNS}
    of_cells = SourceDay.objects.filter(source__flow=world.flow)
    of_deliveries = Delivery.objects.filter(flow=world.flow)
    fast = seconds(lambda: of_cells.aggregate(**sums), 15)
    slow = seconds(lambda: list(cells_from(of_deliveries)), 15)
    return Result(
        f"Read {DAYS} days of {DAYS * A_DAY:,} deliveries, cells against raw",
        f"{fast * 1000:.2f} ms",
        f"{slow * 1000:.2f} ms",
        slow / fast,
        at_least=5,
    )


def recompute(world: World) -> Result:
    """Recompute for one changed delivery, against for one on every day."""
    first_of_day = {row.delivered_on: row for row in Delivery.objects.filter(flow=world.flow)}
    rows = list(first_of_day.values())

    def work(changed: list[Delivery]) -> None:
        StaleMark.objects.bulk_create(
            StaleMark(delivery=each, source_id=each.source_id, day=each.delivered_on) for each in changed
        )
        quality.recompute()

    one, all_days = seconds(lambda: work(rows[:1]), 7), seconds(lambda: work(rows), 7)
    return Result(
        f"Recompute one cell, against {len(rows)} at once",
        f"{one * 1000:.1f} ms",
        f"{all_days * 1000:.1f} ms",
        one / all_days,
        at_most=0.9,
    )


def api(world: World, folder: Path) -> Result:
    """Posts of feedback over loopback, one after the other, against recording the same in this process.

    Both wait for the disk once a feedback; what is left is HTTP, the key, the limit and the log of requests.
    """
    ids = silent_ids(world, 2 * POSTS)
    house = House(folder, os.environ["DATABASE_URL"])
    try:
        house.start_web()
        posting = seconds(lambda: post_all(house.port, world, ids[:POSTS]))
    finally:
        house.close()
    recording = seconds(lambda: record_all(world, ids[POSTS:]))
    return Result(
        "Post feedback over HTTP, against recording it here",
        f"{POSTS / posting:,.0f} /s",
        f"{POSTS / recording:,.0f} /s",
        recording / posting,
        at_least=0.2,
    )


def record_all(world: World, ids: list[str]) -> None:
    for each in ids:
        intake(world.flow, [Submission(0, payload(each))], world.origin)


def post_all(port: int, world: World, ids: list[str]) -> None:
    """One client, one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    headers = {"X-API-Key": world.key, "Content-Type": "application/json"}
    for each in ids:
        connection.request(
            "POST", f"/flows/{world.flow.public_id}/feedback", json.dumps(payload(each)), headers
        )
        response = connection.getresponse()
        answer = response.read()
        assert response.status == 201, answer
    connection.close()
