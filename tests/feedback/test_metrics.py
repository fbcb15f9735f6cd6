"""Every metric by hand, and the aggregate that feeds them."""

import datetime as dt
import math
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.cells import cells_from, totals_of_deliveries
from feedback.metrics import COLUMNS, METRICS, Totals, counts_of, measure, measure_days
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
    revenue_squares=45_100_000.0,
    commission=Decimal(900),
    cost=Decimal(5000),
)


@pytest.mark.parametrize(
    ("name", "value", "count"),
    [
        ("delivered", "200", 200),
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
        ("cost_per_acquisition", "250", 20),
        ("margin", "25000", 200),
        ("roi", "5", 200),
    ],
)
def test_each_metric_by_hand(name, value, count):
    measured = measure(name, TOTALS)
    assert (measured.value, measured.count) == (Decimal(value), count)


def test_what_a_conversion_cost_is_as_sure_as_the_conversion_rate():
    rate, cost = measure("conversion_rate", TOTALS), measure("cost_per_acquisition", TOTALS)
    assert float(cost.low) == pytest.approx(25 / float(rate.high), rel=1e-5)
    assert float(cost.high) == pytest.approx(25 / float(rate.low), rel=1e-5)


def test_no_metric_is_left_untested_by_hand():
    assert len(METRICS) == 14


@pytest.mark.parametrize("name", METRICS)
def test_nothing_delivered_is_no_rate_of_zero(name):
    measured = measure(name, Totals())
    is_sum = name in ("delivered", "revenue", "cost", "margin")
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


def test_the_interval_of_revenue_per_lead_is_students():
    # 20 sales of about 1,500 among 200 leads: variance (45,100,000 − 200 · 150²)/199, t(199) = 1.97196
    spread = 1.97196 * math.sqrt((45_100_000 - 200 * 150**2) / 199 / 200)
    measured = measure("revenue_per_lead", TOTALS)
    assert float(measured.low) == pytest.approx(150 - spread, abs=0.01)
    assert float(measured.high) == pytest.approx(150 + spread, abs=0.01)


def test_the_interval_of_the_return_on_cost_is_that_of_revenue_per_lead_given_the_cost():
    per_lead, roi = measure("revenue_per_lead", TOTALS), measure("roi", TOTALS)
    assert roi.low == round(per_lead.low / 25 - 1, 6)  # 5,000 for 200 leads
    assert roi.high == round(per_lead.high / 25 - 1, 6)


def test_where_nothing_was_sold_revenue_per_lead_is_not_certain_to_be_nothing():
    unsold = measure("revenue_per_lead", Totals(delivered=10, cost=Decimal(50)))
    assert (unsold.value, unsold.low) == (0, None)
    assert measure("roi", Totals(delivered=10, cost=Decimal(50))).low is None


def test_one_lead_has_revenue_and_no_interval():
    one = measure("revenue_per_lead", Totals(delivered=1, revenue=Decimal(9), revenue_squares=81.0))
    assert (one.value, one.count, one.low, one.high) == (Decimal(9), 1, None, None)


@pytest.mark.parametrize("name", METRICS)
def test_every_rate_tells_what_it_is_counted_of(name):
    if METRICS[name].unit != "rate" or name == "roi":
        with pytest.raises(TypeError, match="no share"):
            counts_of(name, TOTALS)
    else:
        successes, n = counts_of(name, TOTALS)
        assert Decimal(successes) / n == measure(name, TOTALS).value


def test_the_median_time_to_conversion_has_its_interval_by_order_statistics():
    # Of ten values the second and the ninth hold the median with 97.9 % (Conover, table A3).
    measured = measure_days([9.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 30.0])
    assert (measured.value, measured.count) == (Decimal("5.5"), 10)
    assert (measured.low, measured.high) == (2, 9)


def test_five_conversions_are_too_few_for_an_interval_and_none_has_no_median():
    assert measure_days([1.0, 2.0, 3.0, 4.0, 5.0]).low is None
    assert measure_days([]).value is None


def test_totals_agree_when_their_squares_differ_by_the_order_of_addition():
    assert TOTALS.agrees(replace(TOTALS, revenue_squares=45_100_000.0 + 1e-3))
    assert not TOTALS.agrees(replace(TOTALS, revenue_squares=45_100_001.0))
    assert not TOTALS.agrees(replace(TOTALS, converted=21))


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
            revenue_squares=pytest.approx(0.05),
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
