"""What a router is told of sources: their last 30 days, in the flow's own days."""

import datetime as dt

import pytest

from feedback import quality, stale
from feedback.standing import TOLD, quality_of
from flows import routing
from tests import factories as make

NIGHT = dt.datetime(2025, 11, 13, 3, tzinfo=dt.UTC)  # in New York it is still the 12th


@pytest.fixture
def deliver(world):
    def delivered_on(*days, **state):
        rows = [
            make.DeliveryFactory(lead__source=world.source, buyer=world.buyer, delivered_on=day, **state)
            for day in days
        ]
        stale.mark(rows)
        quality.recompute()

    return delivered_on


def test_the_last_thirty_days_count(world, deliver):
    days = [dt.date(2025, 10, 13), dt.date(2025, 10, 14), dt.date(2025, 11, 12), dt.date(2025, 11, 13)]
    deliver(*days, quality_score=4, feedback_count=1)
    measures = quality_of([world.source], now=NIGHT)[world.source.pk]
    assert tuple(measures) == TOLD
    assert measures["average_quality"] == {"value": 4.0, "count": 2, "low": 4.0, "high": 4.0}
    assert measures["coverage"] == {"value": 1.0, "count": 2, "low": 0.34238, "high": 1.0}


def test_a_source_without_deliveries_has_no_values(world):
    measures = quality_of([world.source])[world.source.pk]
    assert {(each["value"], each["count"]) for each in measures.values()} == {(None, 0)}


def test_routing_tells_it(world, deliver):
    deliver(dt.datetime.now(dt.UTC).date() - dt.timedelta(days=2), outcome="bad_info", feedback_count=1)
    (entry,) = routing.routing(world.flow, [world.source])
    assert (entry["quality"]["bad_info_rate"]["value"], entry["quality"]["bad_info_rate"]["count"]) == (
        1.0,
        1,
    )


def test_many_sources_take_two_queries(world, django_assert_num_queries):
    sources = [make.SourceFactory(flow=world.flow) for _ in range(5)]
    with django_assert_num_queries(2):
        assert len(quality_of(sources)) == 5
