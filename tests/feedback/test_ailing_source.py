"""A source on which the recompute fails holds up nobody else; it is tried again, and its seller is told."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest
from django.db import OperationalError

from feedback import quality, stale
from feedback.models import SourceDay, StaleMark
from flows.models import Alert
from tests import factories as make

NOON = dt.datetime(2025, 11, 12, 17, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def two(world, other_world, monkeypatch):
    """Marks of two sellers' sources; while the first one is ``ill``, its recompute fails."""
    StaleMark.objects.all().delete()
    made = [
        make.DeliveryFactory(lead__source=each.source, buyer=each.buyer, delivered_at=NOON - 24 * HOUR)
        for each in (world, other_world)
    ]
    stale.mark(made)
    ill, real = {world.source.pk}, quality.rule_on

    def rule_on(sources, *args, **kwargs):
        if ill & {source.pk for source in sources}:
            raise ZeroDivisionError("no such thing")
        real(sources, *args, **kwargs)

    monkeypatch.setattr(quality, "rule_on", rule_on)
    return ill


def cells(world) -> int:
    return SourceDay.objects.filter(source=world.source).count()


def work(now) -> None:
    while quality.recompute(now=now):
        pass


def test_it_holds_up_nobody_else(world, other_world, two):
    work(NOON)
    assert (cells(world), cells(other_world)) == (0, 1)
    (mark,) = StaleMark.objects.all()
    assert (mark.source, mark.attempts) == (world.source, 1)


def test_it_is_tried_again_later_and_later_and_works_once_it_can(world, two):
    now, tried = NOON, []
    while (now - NOON) < 12 * HOUR:
        before = StaleMark.objects.values_list("attempts", flat=True).get() if tried else 0
        work(now)
        if StaleMark.objects.get().attempts > before:
            tried.append(now)
        now += dt.timedelta(minutes=1)
    waits = [later - earlier for earlier, later in itertools.pairwise(tried)]
    assert waits == sorted(waits)
    assert max(waits) <= HOUR + dt.timedelta(minutes=1)
    assert len(tried) > 10
    two.clear()
    work(now + HOUR)
    assert cells(world) == 1
    assert not StaleMark.objects.exists()


def test_after_ten_attempts_the_seller_is_told_and_again_when_it_is_over(world, other_world, two):
    now = NOON
    while not Alert.objects.exists():
        work(now)
        now += HOUR
    (told,) = Alert.objects.all()
    assert StaleMark.objects.get().attempts == 10
    assert (told.seller, told.source, told.level, told.lasts) == (world.seller, world.source, "bad", True)
    work(now)
    assert Alert.objects.count() == 1
    two.clear()
    work(now + HOUR)
    told.refresh_from_db()
    assert not told.lasts
    assert told.resolution.seller == world.seller


def test_what_comes_in_meanwhile_waits_with_the_rest(world, two):
    work(NOON)
    again = make.DeliveryFactory(lead__source=world.source, buyer=world.buyer, delivered_at=NOON - HOUR)
    stale.mark([again])
    work(NOON)
    assert list(StaleMark.objects.order_by("pk").values_list("attempts", flat=True)) == [1, 0]
    two.clear()
    work(NOON + HOUR)
    assert not StaleMark.objects.exists()


def test_an_ailing_database_is_no_fault_of_a_source(world, two, monkeypatch):
    def away(*args, **kwargs):
        raise OperationalError("gone")

    monkeypatch.setattr(quality, "rule_on", away)
    with pytest.raises(OperationalError):
        quality.recompute(now=NOON)
    assert set(StaleMark.objects.values_list("attempts", flat=True)) == {0}
