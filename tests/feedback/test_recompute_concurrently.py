"""Recorders and workers at once, on PostgreSQL: in the end every cell is the aggregate."""

import random
import threading

import pytest
from django.db import connection, connections, transaction

from feedback import quality, stale
from feedback.cells import cells_from, cells_stored
from feedback.intake import intake
from feedback.models import Door, Feedback, SourceDay, StaleMark
from feedback.submission import Origin, Submission
from flows.models import Decision, Delivery
from flows.presets import set_up_flow
from tests import factories as make
from tests.conftest import make_world

RECORDERS, WORKERS, POSTS = 4, 2, 40

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time"),
    pytest.mark.django_db(transaction=True),
]


def post(world, ids, seed, failures):
    """One buyer's posts, a few at a time, on deliveries that the others post on too."""
    rng = random.Random(seed)
    origin = Origin(world.actor(world.manager), Door.API)
    try:
        for turn in range(POSTS):
            chosen = rng.sample(ids, 5)
            said = [
                Submission(
                    index,
                    {
                        "lead_id": lead_id,
                        "quality_score": rng.randint(1, 5),
                        "outcome": rng.choice(["converted", "returned", "bad_info"]),
                        "notes": f"{seed}.{turn}",
                    },
                )
                for index, lead_id in enumerate(chosen)
            ]
            receipts = intake(world.flow, said, origin)
            assert {receipt.status for receipt in receipts} == {"recorded"}
    except BaseException as error:
        failures.append(error)
        raise
    finally:
        connections.close_all()


def work(done, failures):
    """A worker, until the recorders are through and no mark is left."""
    try:
        while not done.is_set() or StaleMark.objects.exists():
            quality.recompute(limit=7)
    except BaseException as error:
        failures.append(error)
        raise
    finally:
        connections.close_all()


def test_no_cell_is_left_behind():
    world = make_world()
    set_up_flow(world.flow)
    sources = [world.source, make.SourceFactory(flow=world.flow), make.SourceFactory(flow=world.flow)]
    for each in range(30):
        make.DeliveryFactory(lead__source=sources[each % 3], buyer=world.buyer)
    ids = list(Delivery.objects.values_list("public_id", flat=True))
    failures, done = [], threading.Event()
    recorders = [
        threading.Thread(target=post, args=(world, ids, seed, failures)) for seed in range(RECORDERS)
    ]
    workers = [threading.Thread(target=work, args=(done, failures)) for _ in range(WORKERS)]
    for thread in [*recorders, *workers]:
        thread.start()
    for thread in recorders:
        thread.join(120)
    done.set()
    for thread in workers:
        thread.join(120)
    assert failures == []
    assert Feedback.objects.count() == RECORDERS * POSTS * 5
    assert not StaleMark.objects.exists()
    marked = Delivery.objects.filter(feedback_count__gt=0)
    assert set(SourceDay.objects.values_list("source", flat=True)) == {each.pk for each in sources}
    assert list(cells_from(Delivery.objects.all())) == list(cells_stored(SourceDay.objects.all()))
    assert marked.count() == 31
    per_delivery = Decision.objects.exclude(delivery=None).values_list("delivery", flat=True)
    assert len(per_delivery) == len(set(per_delivery))


def test_a_second_worker_takes_other_marks():
    world = make_world()
    other = make.DeliveryFactory(lead__source=make.SourceFactory(flow=world.flow), buyer=world.buyer)
    stale.mark([world.delivery, other])
    claimed, go_on = threading.Event(), threading.Event()
    taken = []

    def first():
        try:
            with transaction.atomic():
                taken.append(
                    [mark.delivery_id for mark in quality._claim(StaleMark.objects.order_by("pk"), 1)]
                )
                claimed.set()
                go_on.wait(30)
        finally:
            connections.close_all()

    thread = threading.Thread(target=first)
    thread.start()
    assert claimed.wait(30)
    done = quality.recompute()
    go_on.set()
    thread.join(30)
    assert (taken, done) == ([[world.delivery.pk]], 1)
    assert SourceDay.objects.get().source == other.source


def is_somebody_waiting_for_a_lock():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # else a transaction sees what it saw first
        cursor.execute(
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return cursor.fetchone() is not None


def test_an_older_look_never_overwrites_a_newer_one(monkeypatch):
    """The first worker has read the deliveries and dawdles; a second comes with newer news of the cell."""
    world = make_world()
    stale.mark([world.delivery])
    has_read, newer_done = threading.Event(), threading.Event()

    def dawdling(deliveries):
        rows = list(cells_from(deliveries))
        if threading.current_thread().name == "first":
            has_read.set()
            while not (newer_done.is_set() or is_somebody_waiting_for_a_lock()):
                newer_done.wait(0.01)
        return iter(rows)

    def work_once():
        try:
            quality.recompute()
        finally:
            if threading.current_thread().name == "second":
                newer_done.set()
            connections.close_all()

    monkeypatch.setattr(quality, "cells_from", dawdling)
    first, second = (threading.Thread(target=work_once, name=name) for name in ("first", "second"))
    first.start()
    assert has_read.wait(30)
    Delivery.objects.filter(pk=world.delivery.pk).update(quality_score=5)
    stale.mark([world.delivery])
    second.start()
    first.join(30)
    second.join(30)
    assert SourceDay.objects.get().quality_sum == 5
    assert not StaleMark.objects.exists()
