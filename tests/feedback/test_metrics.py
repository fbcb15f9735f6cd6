"""Every metric by hand, and the aggregate that feeds them."""

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.cells import cells_from, totals_of_deliveries
from feedback.metrics import COLUMNS, METRICS, Totals, measure
from flows.models import Delivery
from tests import factories as make

TOTALS = Totals(
    delivered=200,
    with_feedback=100,
    converted=20,
    contacted=25,
    no_contact=10,
    bad_info=15,
    duplicate=5,
    not_interested=15,
    returned=10,
    quality_count=4,
    quality_sum=14,
    quality_squares=54,
    revenue=Decimal(30000),
    commission=Decimal(900),
    cost=Decimal(5000),
)


@pytest.mark.parametrize(
    ("name", "value", "count"),
    [
        ("conversion_rate", "0.1", 200),
        ("return_rate", "0.05", 200),
        ("coverage", "0.5", 200),
        ("contact_rate", "0.6", 100),
        ("bad_info_rate", "0.15", 100),
        ("duplicate_rate", "0.05", 100),
        ("average_quality", "3.5", 4),
        ("revenue", "30000", 200),
        ("revenue_per_lead", "150", 200),
        ("cost", "5000", 200),
        ("margin", "25000", 200),
        ("roi", "5", 200),
    ],
)
def test_each_metric_by_hand(name, value, count):
    measured = measure(name, TOTALS)
    assert (measured.value, measured.count) == (Decimal(value), count)


def test_no_metric_is_left_untested_by_hand():
    assert len(METRICS) == 12


@pytest.mark.parametrize("name", METRICS)
def test_nothing_delivered_is_no_rate_of_zero(name):
    measured = measure(name, Totals())
    is_sum = name in ("revenue", "cost", "margin")
    assert measured.value == (0 if is_sum else None)
    assert measured.low is None


@given(st.lists(st.integers(1, 5), min_size=1, max_size=60))
def test_the_interval_of_quality_stays_on_the_scale(scores):
    totals = Totals(
        quality_count=len(scores), quality_sum=sum(scores), quality_squares=sum(s * s for s in scores)
    )
    measured = measure("average_quality", totals)
    assert 1 <= measured.low <= round(measured.value, 5) + Decimal("0.00001")
    assert round(measured.value, 5) - Decimal("0.00001") <= measured.high <= 5


def test_totals_add_up():
    assert TOTALS + Totals() == TOTALS
    assert measure("conversion_rate", TOTALS + TOTALS).count == 400


def test_each_delivery_is_counted_under_one_head(db):
    source, buyer = make.SourceFactory(), make.BuyerFactory()
    common = {"lead__source": source, "buyer": buyer, "price": Decimal("20.10"), "feedback_count": 1}
    day = {"delivered_on": dt.date(2025, 11, 1)}
    sold = {
        "outcome": "contacted",
        "conversion_status": "sold",
        "revenue": Decimal("0.10"),
        "quality_score": 5,
    }
    make.DeliveryFactory(**common, **day, **sold)
    make.DeliveryFactory(**common, **day, **{**sold, "revenue": Decimal("0.20"), "quality_score": 2})
    make.DeliveryFactory(**common, **day, outcome="returned", conversion_status="not_sold")
    make.DeliveryFactory(
        lead__source=source, buyer=buyer, price=Decimal(0), delivered_on=dt.date(2025, 11, 2)
    )
    (first, second) = cells_from(Delivery.objects.all())
    assert first == (
        (source.pk, buyer.pk, dt.date(2025, 11, 1)),
        Totals(
            delivered=3,
            with_feedback=3,
            converted=2,
            returned=1,
            quality_count=2,
            quality_sum=7,
            quality_squares=29,
            revenue=Decimal("0.300"),
            cost=Decimal("60.300"),
        ),
    )
    assert second == ((source.pk, buyer.pk, dt.date(2025, 11, 2)), Totals(delivered=1))


def test_totals_without_a_key_are_of_everything(world):
    assert totals_of_deliveries(Delivery.objects.all())[()].delivered == 1
    assert totals_of_deliveries(Delivery.objects.none())[()] == Totals()


def test_the_columns_are_those_of_the_cell():
    from feedback.models import SourceDay

    stored = {field.name for field in SourceDay._meta.fields}
    assert set(COLUMNS) == stored - {"id", "source", "buyer", "day", "computed_at"}
