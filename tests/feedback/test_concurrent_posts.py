"""Many posts at once on one lead: nothing is lost, nothing counted twice, no two states."""

from __future__ import annotations

import datetime as dt
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from feedback.fold import Event, fold
from feedback.history import STATE_COLUMNS
from feedback.models import Feedback, StaleMark
from feedback.schema.clock import iso
from flows import keys
from tests import conftest
from tests import factories as make
from tests.feedback.conftest import Api

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.postgres,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time"),
]
POSTERS = 8


def post_all(flow, key: str, payloads: list[dict]) -> list[int]:
    """In a thread of its own: every payload, one request each."""
    try:
        return [Api(flow, key).post(payload).status_code for payload in payloads]
    finally:
        connections.close_all()


def fold_on_record(delivery) -> dict:
    rows = Feedback.objects.filter(delivery=delivery)
    return asdict(fold(Event(row.values, row.occurred_at, row.pk) for row in rows))


def test_eight_posters_of_the_same_news_leave_each_piece_once():
    world = conftest.make_world()
    lead, base = world.delivery.public_id, world.delivery.delivered_at
    key = keys.issue(name="k", buyer=world.buyer)[1]
    outcomes = ["contacted", "converted", "returned", "no_contact", "duplicate"]
    news = [
        {
            "lead_id": lead,
            "outcome": outcome,
            "revenue": number,
            "feedback_timestamp": iso(base + dt.timedelta(minutes=number)),
        }
        for number, outcome in enumerate(outcomes)
    ]
    orders = [news[n % 5 :] + news[: n % 5] for n in range(POSTERS)]
    with ThreadPoolExecutor(POSTERS) as pool:
        codes = [
            code for answer in pool.map(lambda o: post_all(world.flow, key, o), orders) for code in answer
        ]

    assert sorted(codes) == [200] * (POSTERS - 1) * len(news) + [201] * len(news)
    assert Feedback.objects.count() == StaleMark.objects.count() == len(news)
    world.delivery.refresh_from_db()
    assert (world.delivery.outcome, world.delivery.version) == ("duplicate", len(news))
    assert {name: getattr(world.delivery, name) for name in STATE_COLUMNS} == fold_on_record(world.delivery)


def test_eight_posters_of_different_news_without_a_time_lose_nothing():
    world = conftest.make_world()
    key = keys.issue(name="k", buyer=world.buyer)[1]
    lead = world.delivery.public_id
    work = [[{"lead_id": lead, "notes": f"{poster}-{n}"} for n in range(5)] for poster in range(POSTERS)]
    with ThreadPoolExecutor(POSTERS) as pool:
        codes = [code for answer in pool.map(lambda w: post_all(world.flow, key, w), work) for code in answer]

    assert codes == [201] * POSTERS * 5
    world.delivery.refresh_from_db()
    assert Feedback.objects.count() == world.delivery.feedback_count == POSTERS * 5
    assert {name: getattr(world.delivery, name) for name in STATE_COLUMNS} == fold_on_record(world.delivery)


def test_two_lists_with_the_same_leads_in_opposite_order_do_not_deadlock():
    world = conftest.make_world()

    key = keys.issue(name="k", buyer=world.buyer)[1]
    deliveries = make.DeliveryFactory.create_batch(30, lead__source=world.source, buyer=world.buyer)
    leads = [each.public_id for each in deliveries]

    def post_list(poster: int) -> int:
        order = leads if poster % 2 else leads[::-1]
        rows = [{"lead_id": lead, "notes": f"{poster}"} for lead in order]
        try:
            answer = Api(world.flow, key).post({"feedback": rows}, suffix="/batch")
            return json.loads(answer.content)["recorded"]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(POSTERS) as pool:
        assert list(pool.map(post_list, range(POSTERS))) == [30] * POSTERS
    assert Feedback.objects.count() == 30 * POSTERS


def test_rows_are_locked_in_the_order_of_their_keys():
    """The order is what rules a deadlock out; a lucky plan would hide its absence from the test above."""
    world = conftest.make_world()
    api = Api(world.flow, keys.issue(name="k", buyer=world.buyer)[1])
    with CaptureQueriesContext(connection) as captured:
        api.post({"lead_id": world.delivery.public_id, "outcome": "contacted"})
    (locking,) = [query["sql"] for query in captured if "FOR NO KEY UPDATE" in query["sql"]]
    assert locking.endswith('ORDER BY "flows_delivery"."id" ASC FOR NO KEY UPDATE OF "flows_delivery"')
