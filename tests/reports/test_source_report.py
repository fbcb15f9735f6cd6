"""The source performance report: equal to plain SQL over the deliveries, on either clock."""

from __future__ import annotations

import csv
import datetime as dt
import io
import random
import re
from decimal import Decimal

import pytest
from django.db import connection

from flows.models import Delivery
from tests import factories as make
from tests.reports.conftest import NOW, learn, sell
from tests.reports.test_dashboard_page import words

COUNTS = ("total_leads", "conversions", "quality_scores", "with_feedback", "bad_info", "returned")
# The seed's report, over the table of deliveries. %(…)s stands for a condition on dates.
SQL = """
SELECT s.slug,
       COUNT(*) AS total_leads,
       SUM(CASE WHEN d.conversion_status = 'sold' THEN 1 ELSE 0 END) AS conversions,
       COUNT(d.quality_score) AS quality_scores,
       SUM(CASE WHEN d.feedback_count > 0 THEN 1 ELSE 0 END) AS with_feedback,
       SUM(CASE WHEN d.outcome = 'bad_info' THEN 1 ELSE 0 END) AS bad_info,
       SUM(CASE WHEN d.outcome = 'returned' THEN 1 ELSE 0 END) AS returned,
       AVG(1.0 * d.quality_score) AS avg_quality,
       SUM(d.revenue) AS total_revenue,
       SUM(d.price) AS cost
FROM flows_delivery d JOIN flows_source s ON s.id = d.source_id JOIN flows_flow f ON f.id = d.flow_id
WHERE f.seller_id = %s AND {dates}
GROUP BY s.slug
ORDER BY COALESCE(SUM(d.revenue), 0) DESC
"""


def by_sql(seller, dates: str, first, last) -> dict[str, dict]:
    adapted = [
        connection.ops.adapt_datetimefield_value(each) if isinstance(each, dt.datetime) else str(each)
        for each in (first, last)
    ]
    with connection.cursor() as cursor:
        cursor.execute(SQL.format(dates=dates), [seller.pk, *adapted])
        names = [column[0] for column in cursor.description]
        return {row[0]: dict(zip(names, row, strict=True)) for row in cursor.fetchall()}


def by_csv(client, query: str) -> dict[str, dict[str, str]]:
    response = client.get(f"/reports/sources.csv{query}")
    assert response.status_code == 200
    text = b"".join(response.streaming_content).decode()
    return {row["source_id"]: row for row in csv.DictReader(io.StringIO(text))}


def assert_equal(reported: dict[str, dict[str, str]], expected: dict[str, dict]) -> None:
    assert set(reported) == set(expected)
    revenues = [Decimal(row["total_revenue"]) for row in reported.values()]
    assert revenues == sorted(revenues, reverse=True)  # the seed's order
    for slug, row in expected.items():
        said = reported[slug]
        assert {name: int(said[name]) for name in COUNTS} == {name: row[name] for name in COUNTS}
        assert Decimal(said["total_revenue"]) == round(Decimal(row["total_revenue"] or 0), 2)
        assert Decimal(said["cost"]) == round(Decimal(row["cost"]), 2)
        assert Decimal(said["conversion_rate"]) == round(
            Decimal(row["conversions"]) / Decimal(row["total_leads"]), 4
        )
        if row["avg_quality"] is None:
            assert said["avg_quality"] == ""
        else:
            assert float(said["avg_quality"]) == pytest.approx(float(row["avg_quality"]), abs=0.00006)


@pytest.fixture
def market(world):
    """Three sources of one currency, a few hundred deliveries over 80 days, from a fixed seed."""
    draw = random.Random(20260315)
    sources = [world.source, *(make.SourceFactory(flow=world.flow) for _ in range(2))]
    buyers = [world.buyer, make.BuyerFactory(seller=world.seller)]
    outcomes = ["contacted", "no_contact", "bad_info", "duplicate", "not_interested", "returned"]
    made = [world.delivery]
    for at, source in enumerate(sources):
        for _ in range(120):
            days, state = draw.randrange(80), {}
            if draw.random() < 0.7:
                state = {
                    "outcome": draw.choice(outcomes),
                    "quality_score": draw.choice([None, 1, 2, 3, 4, 5]),
                    "last_feedback_at": NOW - dt.timedelta(hours=draw.randrange(days * 24 + 1)),
                }
                if draw.random() < 0.1 + at / 10:
                    state |= {"outcome": "converted", "revenue": Decimal(draw.randrange(1, 200_000)) / 100}
            made += sell(source, draw.choice(buyers), days=days, **state)
    learn(made)
    return buyers


@pytest.mark.parametrize("days", [7, 30, 90])
def test_by_delivery_date_it_equals_sql(world, as_user, market, days):
    first, last = NOW.date() - dt.timedelta(days=days - 1), NOW.date()
    expected = by_sql(world.seller, "d.delivered_on BETWEEN %s AND %s", first, last)
    assert_equal(by_csv(as_user(world.owner), f"?period={days}"), expected)


def test_by_feedback_date_it_equals_sql_on_the_flows_own_days(world, as_user, market):
    # Midnight in New York was 05:00 UTC before 8 March 2026 and 04:00 UTC after.
    begin = dt.datetime(2026, 2, 10, 5, tzinfo=dt.UTC)
    end = dt.datetime(2026, 3, 11, 4, tzinfo=dt.UTC)
    second = dt.timedelta(seconds=1)
    learn(
        [
            row
            for moment in (begin - second, begin, end - second, end)
            for row in sell(world.source, world.buyer, days=60, outcome="contacted", last_feedback_at=moment)
        ]
    )
    expected = by_sql(world.seller, "d.last_feedback_at >= %s AND d.last_feedback_at < %s", begin, end)
    reported = by_csv(as_user(world.owner), "?clock=feedback&from=2026-02-10&to=2026-03-10")
    assert_equal(reported, expected)
    assert {row["coverage"] for row in reported.values()} == {"1.0000"}


def test_the_two_clocks_answer_differently_and_say_which_is_which(world, as_user, market):
    client = as_user(world.owner)
    assert by_csv(client, "") != by_csv(client, "?clock=feedback")
    assert "By delivery date: leads delivered 14 Feb – 15 Mar" in words(
        client.get("/reports/sources/").content.decode()
    )
    text = words(client.get("/reports/sources/?clock=feedback").content.decode())
    assert "By feedback date: leads whose latest feedback happened 14 Feb – 15 Mar" in text


def test_only_mature_leads_can_be_asked_for(world, as_user, market):
    first, last = NOW.date() - dt.timedelta(days=29), NOW.date() - dt.timedelta(days=14)
    expected = by_sql(world.seller, "d.delivered_on BETWEEN %s AND %s", first, last)
    assert_equal(by_csv(as_user(world.owner), "?mature=on"), expected)


def test_it_narrows_by_buyer_and_source(world, as_user, market):
    client = as_user(world.owner)
    whole = by_csv(client, "?period=90")
    parts = [by_csv(client, f"?period=90&buyer={buyer.public_id}") for buyer in market]
    for slug, row in whole.items():
        assert int(row["total_leads"]) == sum(int(part[slug]["total_leads"]) for part in parts)
    one = by_csv(client, f"?period=90&source={world.source.pk}")
    assert one == {world.source.slug: whole[world.source.slug]}


def rows_of(client, query: str = "") -> list[str]:
    text = client.get(f"/reports/sources/{query}").content.decode()
    return [words(row) for row in re.findall(r"<tr[^>]*>(.*?)</tr>", text, re.DOTALL)][1:]


@pytest.fixture
def timed(world):
    """Six mature conversions after 2, 4, 6, 8, 10 and 12 days, and a young one after half a day."""
    Delivery.objects.all().delete()
    at, sold = NOW - dt.timedelta(days=20), {"revenue": Decimal(100)}
    rows = [
        *(
            sell(world.source, world.buyer, days=20, converted_at=at + dt.timedelta(days=d), **sold)
            for d in TIMES
        ),
        sell(world.source, world.buyer, days=1, converted_at=NOW - dt.timedelta(hours=12), **sold),
    ]
    learn([row for made in rows for row in made])


TIMES = (2, 4, 6, 8, 10, 12)


@pytest.mark.parametrize(
    ("query", "median", "low", "high"),
    [("?mature=on", "7", "2", "12"), ("", "6", "0.5", "12"), ("?clock=feedback", "6", "0.5", "12")],
)
def test_the_median_time_to_conversion_is_of_the_same_leads(world, as_user, timed, query, median, low, high):
    (row,) = by_csv(as_user(world.owner), query).values()
    told = [row[f"median_days_to_conversion{end}"] for end in ("", "_low", "_high")]
    assert [Decimal(each) for each in told] == [Decimal(median), Decimal(low), Decimal(high)]


def test_the_page_tells_the_days_to_a_sale_and_those_of_all_sources(world, as_user, timed):
    rows = rows_of(as_user(world.owner), "?mature=on")
    assert rows[0].endswith("7.0 2.0–12.0")
    assert rows[-1].endswith("7.0 2.0–12.0")


def test_the_file_expects_of_young_leads_what_mature_ones_did(world, as_user):
    """Mature leads convert by 6 of 20 within 14 days; 80 young ones have not yet, which says little."""
    Delivery.objects.all().delete()
    at, sold = NOW - dt.timedelta(days=20), {"revenue": Decimal(100)}
    old = [
        sell(world.source, world.buyer, days=20, converted_at=at + dt.timedelta(days=d), **sold)
        for d in TIMES
    ]
    rest = [
        sell(world.source, world.buyer, days=20, count=14),
        sell(world.source, world.buyer, days=2, count=80),
    ]
    learn([row for made in (*old, *rest) for row in made])
    (row,) = by_csv(as_user(world.owner), "").values()
    assert (row["conversion_rate"], row["expected_within_days"]) == ("0.0600", "14")
    assert row["expected_conversion_rate"] == "0.3000"
    assert float(row["expected_conversion_rate_low"]) < 0.3 < float(row["expected_conversion_rate_high"])
    (row,) = by_csv(as_user(world.owner), "?clock=feedback").values()
    assert row["expected_conversion_rate"] == ""


def test_the_file_expects_nothing_of_leads_that_are_all_too_young(world, as_user):
    Delivery.objects.all().delete()
    learn(sell(world.source, world.buyer, days=2, count=80))
    (row,) = by_csv(as_user(world.owner), "").values()
    assert (row["expected_within_days"], row["expected_conversion_rate"]) == ("14", "")


def test_the_file_has_every_metric(world, as_user, known):
    (row,) = by_csv(as_user(world.owner), "").values()
    assert (row["margin"], row["roi"]) == ("5500.00", "1.8333")
    assert (row["revenue_per_lead_low"], row["revenue_per_lead_high"]) == ("19.83", "93.51")
    assert (row["contact_rate"], row["duplicate_rate"]) == ("0.2195", "0.0000")
    assert row["median_days_to_conversion"] == ""  # nobody said when


def test_the_page_shows_the_same_numbers_and_their_sum(world, as_user, known):
    rows = rows_of(as_user(world.owner))
    assert rows[0].startswith(f"{world.source.name} {world.flow.name} 150 9 6.0 % ")
    # Revenue per lead: s² = (8 · 1,000² + 500² − 150 · 56.67²)/149, t(149) = 1.976
    assert "$8,500.00 $56.67 19.83–93.51 $3,000.00 27.3 %" in rows[0]
    assert rows[1].startswith("1 source, USD 150 9 6.0 % ")


def test_sums_are_kept_apart_by_currency(world, as_user, known):
    yen = make.FlowFactory(seller=world.seller, currency="JPY", name="A flow before all others")
    learn(sell(make.SourceFactory(flow=yen, name="Kansai"), world.buyer, days=2, revenue=Decimal(90_000)))
    rows = rows_of(as_user(world.owner))
    assert [row.split(",")[1].split()[0] for row in rows if "source," in row] == ["JPY", "USD"]
    assert any(row.startswith("1 source, JPY 1 1 100.0 % ") and "¥90,000" in row for row in rows)
    assert any(row.startswith("1 source, USD 150 9") and "$8,500.00" in row for row in rows)
    only = rows_of(as_user(world.owner), "?currency=USD")
    assert not any("JPY" in row for row in only)
    plain = by_csv(as_user(world.owner), "?currency=JPY")
    assert [row["total_revenue"] for row in plain.values()] == ["90000"]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("", ["Rich", "Many", "Silent"]),
        ("nonsense", ["Rich", "Many", "Silent"]),
        ("total_revenue", ["Silent", "Many", "Rich"]),
        ("source", ["Many", "Rich", "Silent"]),
        ("-source", ["Silent", "Rich", "Many"]),
        ("-total_leads", ["Silent", "Many", "Rich"]),
        ("avg_quality", ["Rich", "Many", "Silent"]),  # what has no score comes last either way
        ("-avg_quality", ["Many", "Rich", "Silent"]),
        ("-coverage", ["Many", "Rich", "Silent"]),
    ],
)
def test_every_column_sorts(world, as_user, sort, order):
    rich, many, silent = (
        make.SourceFactory(flow=world.flow, name=name) for name in ("Rich", "Many", "Silent")
    )
    world.delivery.delete()
    learn(
        [
            *sell(rich, world.buyer, days=2, count=2, revenue=Decimal("900.00"), quality_score=2),
            *sell(many, world.buyer, days=2, count=3, revenue=Decimal("10.00"), quality_score=4),
            *sell(silent, world.buyer, days=2, count=4),
        ]
    )
    reported = by_csv(as_user(world.owner), f"?sort={sort}" if sort else "")
    assert [row["source"] for row in reported.values()] == order


def test_the_head_says_how_the_table_is_sorted_and_keeps_the_filters(world, as_user, known):
    text = as_user(world.owner).get("/reports/sources/?period=90&sort=-cost").content.decode()
    heads = re.findall(r'<th scope="col"[^>]*>\s*<a[^>]*>', text)
    assert [head for head in heads if "aria-sort" in head] == [
        head for head in heads if 'aria-sort="descending"' in head and "sort-cost" in head
    ]
    assert 'href="?period=90&amp;sort=cost"' in text
    assert 'href="?period=90&amp;sort=-coverage"' in text
    assert 'href="?period=90&amp;sort=source"' in text


def test_the_file_is_named_after_its_days_and_clock(world, as_user, known):
    response = as_user(world.owner).get("/reports/sources.csv?clock=feedback")
    name = "sources-by-feedback-date-2026-02-14-to-2026-03-15.csv"
    assert response["Content-Disposition"] == f'attachment; filename="{name}"'
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response.streaming


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "＝1", "  =1"])
def test_a_name_that_is_a_formula_is_defused(world, as_user, known, name):
    world.source.name = name
    world.source.save()
    (row,) = by_csv(as_user(world.owner), "").values()
    assert row["source"] == f"'{name}"


def test_nothing_of_another_seller_is_in_the_report(world, other_world, as_user, known):
    learn(sell(other_world.source, other_world.buyer, days=2, count=5, revenue=Decimal("1.00")))
    assert list(by_csv(as_user(world.owner), "?period=90")) == [world.source.slug]


def test_an_empty_report_says_what_to_do(world, as_user):
    text = words(as_user(world.owner).get("/reports/sources/?from=2020-01-01&to=2020-01-02").content.decode())
    assert "No leads were delivered in these days" in text
    assert by_csv(as_user(world.owner), "?from=2020-01-01&to=2020-01-02") == {}


@pytest.mark.parametrize("clock", ["delivery", "feedback"])
def test_the_number_of_queries_does_not_grow_with_the_sources(
    world, as_user, known, clock, django_assert_max_num_queries
):
    client = as_user(world.owner)
    for _ in range(10):
        learn(sell(make.SourceFactory(flow=world.flow), world.buyer, days=2, revenue=Decimal("5.00")))
    with django_assert_max_num_queries(11):
        assert client.get(f"/reports/sources/?clock={clock}").status_code == 200
