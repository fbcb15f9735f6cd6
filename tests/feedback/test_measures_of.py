"""What metrics are measured on, over delivery days: per source, per buyer, per both."""

import datetime as dt
import importlib
from decimal import Decimal

import pytest
from django.apps import apps

from feedback import quality, stale
from feedback.measures_of import (
    BUYER,
    SOURCE,
    SOURCE_AND_BUYER,
    conversion_curves,
    days_to_conversion,
    delivered_between,
    score_counts,
    totals_over,
)
from feedback.metrics import Totals
from feedback.models import SourceDay, StaleMark
from feedback.verify import verify
from flows.models import Delivery
from tests import factories as make

FIRST, LAST = dt.date(2025, 11, 1), dt.date(2025, 11, 30)
NOON = dt.datetime(2025, 11, 10, 12, tzinfo=dt.UTC)


@pytest.fixture
def market(db):
    """Two sources, two buyers: 1, 2, 3 and 4 leads, scored 2 to 5, and one from before."""
    Delivery.objects.all().delete()
    flow = make.FlowFactory()
    sources = [make.SourceFactory(flow=flow) for _ in range(2)]
    buyers = [make.BuyerFactory(seller=flow.seller) for _ in range(2)]
    rows, count = [], 0
    for source in sources:
        for buyer in buyers:
            count += 1
            common = {"lead__source": source, "buyer": buyer, "quality_score": count + 1, "feedback_count": 1}
            rows += [make.DeliveryFactory(**common, delivered_on=LAST) for _ in range(count)]
    rows.append(
        make.DeliveryFactory(lead__source=sources[0], buyer=buyers[0], delivered_on=dt.date(2025, 10, 31))
    )
    stale.mark(rows)
    while quality.recompute():
        pass
    return [source.pk for source in sources], [buyer.pk for buyer in buyers]


@pytest.mark.parametrize(
    ("by", "delivered"),
    [
        (SOURCE, {(0,): 3, (1,): 7}),
        (BUYER, {(0,): 4, (1,): 6}),
        (SOURCE_AND_BUYER, {(0, 0): 1, (0, 1): 2, (1, 0): 3, (1, 1): 4}),
    ],
)
def test_totals_per_source_per_buyer_and_per_both(market, by, delivered, django_assert_num_queries):
    sources, buyers = market
    places = [{"source_id": sources, "buyer_id": buyers}[each] for each in by]
    with django_assert_num_queries(1):
        totals = totals_over(SourceDay.objects.all(), sources, FIRST, LAST, *by)
    found = {
        tuple(place.index(pk) for place, pk in zip(places, key, strict=True)): each.delivered
        for key, each in totals.items()
    }
    assert found == delivered


def test_the_days_of_both_ends_count_and_other_sources_do_not(market):
    sources, _ = market
    day_before = totals_over(
        SourceDay.objects.all(), sources[:1], dt.date(2025, 10, 31), dt.date(2025, 10, 31)
    )
    assert day_before[()].delivered == 1
    assert totals_over(SourceDay.objects.all(), sources[1:], FIRST, LAST)[()].delivered == 7


def test_scores_are_counted_one_by_one(market, django_assert_num_queries):
    sources, buyers = market
    rows = delivered_between(Delivery.objects.all(), sources, FIRST, LAST)
    with django_assert_num_queries(1):
        assert score_counts(rows, *SOURCE) == {(sources[0],): (0, 1, 2, 0, 0), (sources[1],): (0, 0, 0, 3, 4)}
    assert score_counts(rows) == {(): (0, 1, 2, 3, 4)}
    assert score_counts(rows, *SOURCE_AND_BUYER)[sources[1], buyers[0]] == (0, 0, 0, 3, 0)
    assert score_counts(Delivery.objects.none(), *SOURCE) == {}


def test_scores_agree_with_the_cells(market):
    sources, _ = market
    (counts,) = score_counts(delivered_between(Delivery.objects.all(), sources, FIRST, LAST)).values()
    totals = totals_over(SourceDay.objects.all(), sources, FIRST, LAST)[()]
    assert sum(counts) == totals.quality_count
    assert sum(count * score for score, count in enumerate(counts, 1)) == totals.quality_sum


def sold(source, days: float, **more):
    return make.DeliveryFactory(
        lead__source=source,
        delivered_at=NOON,
        delivered_on=NOON.date(),
        conversion_status="sold",
        converted_at=NOON + dt.timedelta(days=days),
        **more,
    )


def test_days_to_conversion_are_those_of_sold_leads_and_never_negative(db):
    source = make.SourceFactory()
    sold(source, 1.5)
    sold(source, -2)  # a buyer's CRM dates the sale before the lead came
    make.DeliveryFactory(lead__source=source, delivered_at=NOON)
    assert sorted(days_to_conversion(Delivery.objects.all(), *SOURCE)[source.pk,]) == [0, 1.5]


def test_curves_watch_the_leads_of_a_day_for_as_long_as_all_of_them_have_been():
    today = dt.date(2025, 11, 21)
    day = [today - dt.timedelta(days=age) for age in (0, 2, 21)]
    daily = {(1, day[0]): Totals(delivered=3), (1, day[1]): Totals(delivered=2, converted=1)}
    daily |= {(1, day[2]): Totals(delivered=4, converted=2), (2, day[2]): Totals(delivered=1)}
    times = {(1, day[1]): [1.5], (1, day[2]): [1.25, 20.5]}
    found = conversion_curves(daily, times, today)
    one = found[1,]
    # The sale after 1.5 days is of a day that not all its leads are past; that after 20.5 days likewise.
    assert (one.watched, one.until) == (9, 20)
    assert [(step.time, step.at_risk, step.events) for step in one.steps] == [(1.25, 4, 1)]
    assert one.share(20) == 0.25
    assert found[2,].share(20) == 0


def test_the_migration_marks_cells_with_revenue_so_that_a_worker_fills_their_squares(market):
    source = make.SourceFactory()
    row = sold(source, 1, revenue=Decimal("12.50"))
    stale.mark([row])
    quality.recompute()
    SourceDay.objects.update(revenue_squares=0)  # as the new column begins
    migration = importlib.import_module("feedback.migrations.0008_revenue_squares")
    migration.mark_stale(apps, None)
    assert list(StaleMark.objects.values_list("source", "day")) == [(source.pk, NOON.date())]
    waiting = {finding.name: finding for finding in verify()}["every cell is the aggregate of its deliveries"]
    assert (waiting.faults, waiting.waiting) == ([], 1)
    quality.recompute()
    assert SourceDay.objects.get(source=source).revenue_squares == pytest.approx(156.25)
