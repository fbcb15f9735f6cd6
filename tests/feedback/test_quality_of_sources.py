"""What a router is told of sources: their last 30 days, in the flow's own days."""

import datetime as dt

import pytest

from feedback import quality, stale
from feedback.measures_of import SOURCE, days_to_conversion, middle_days_to_conversion
from feedback.metrics import METRICS, Middle, measure_days, measure_ordered
from feedback.standing import quality_of
from flows import routing
from flows.models import Delivery
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
    measures = quality_of(world.flow, [world.source], now=NIGHT)[world.source.pk]
    assert set(measures) == {*METRICS, "median_days_to_conversion"}
    assert measures["average_quality"] == {"value": 4.0, "count": 2, "low": 4.0, "high": 4.0}
    assert measures["coverage"] == {"value": 1.0, "count": 2, "low": 0.34238, "high": 1.0}


def test_a_source_without_deliveries_has_no_values(world):
    measures = quality_of(world.flow, [world.source])[world.source.pk]
    known = {"delivered": 0, "revenue": "0.00", "cost": "0.00", "margin": "0.00"}  # sums of nothing
    assert {name: each["value"] for name, each in measures.items()} == {**dict.fromkeys(measures), **known}
    assert {each["count"] for each in measures.values()} == {0}


def test_routing_tells_it(world, deliver):
    deliver(dt.datetime.now(dt.UTC).date() - dt.timedelta(days=2), outcome="bad_info", feedback_count=1)
    (entry,) = routing.routing(world.flow, [world.source])
    assert (entry["quality"]["bad_info_rate"]["value"], entry["quality"]["bad_info_rate"]["count"]) == (
        1.0,
        1,
    )


def test_money_is_told_with_the_currencys_decimals_and_times_in_days(world, deliver):
    day = dt.date(2025, 11, 12)
    noon = dt.datetime(2025, 11, 12, 17, tzinfo=dt.UTC)
    sold = {"outcome": "converted", "conversion_status": "sold", "feedback_count": 1, "delivered_at": noon}
    for days, revenue in ((1, 100), (2, 50), (6, 0)):
        deliver(day, **sold, converted_at=noon + dt.timedelta(days=days), revenue=revenue, price=60)
    measures = quality_of(world.flow, [world.source], now=NIGHT)[world.source.pk]
    assert measures["revenue"] == {"value": "150.00", "count": 3, "low": None, "high": None}
    assert measures["revenue_per_lead"]["value"] == "50.00"
    assert measures["margin"]["value"] == "-30.00"
    assert measures["roi"]["value"] == -0.166667
    assert measures["median_days_to_conversion"] == {"value": 2.0, "count": 3, "low": None, "high": None}


@pytest.mark.parametrize("count", [0, 1, 2, 5, 6, 7, 30, 101])
def test_the_middle_of_the_times_tells_what_all_of_them_do(world, count):
    """Times may be alike, and lie before the delivery."""
    for number in range(count):
        days = number * 7 % 11 - 1
        delivered = dt.datetime(2025, 11, 1, number % 24, tzinfo=dt.UTC)
        make.DeliveryFactory(
            lead__source=world.source,
            buyer=world.buyer,
            conversion_status="sold",
            delivered_at=delivered,
            converted_at=delivered + dt.timedelta(days=days, minutes=number // 2),
        )
    everything = Delivery.objects.filter(source=world.source)
    all_of_them = days_to_conversion(everything, *SOURCE).get((world.source.pk,), [])
    middle = middle_days_to_conversion(everything, *SOURCE).get((world.source.pk,), ())
    assert len(all_of_them) == len(middle) == count
    assert measure_ordered(middle) == measure_days(all_of_them)


@pytest.mark.parametrize("count", range(0, 30_000, 499))
def test_the_middle_reaches_as_far_as_the_interval_of_the_median(count):
    """Ranks within 2 √n of the middle are fetched."""
    ordered = [float(number) for number in range(count)]
    near = [place for place in range(count) if (2 * (place + 1) - count) ** 2 <= 16 * count]
    if near:
        middle = Middle(near[0], tuple(ordered[near[0] : near[-1] + 1]), count)
        assert measure_ordered(middle) == measure_ordered(ordered)


def test_many_sources_take_two_queries(world, django_assert_num_queries):
    sources = [make.SourceFactory(flow=world.flow) for _ in range(5)]
    with django_assert_num_queries(2):
        assert len(quality_of(world.flow, sources)) == 5
