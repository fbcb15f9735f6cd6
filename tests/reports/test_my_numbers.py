"""A buyer's own numbers: as plain SQL has them, of their own leads alone, as far as the agreement shows."""

from __future__ import annotations

import csv
import datetime as dt
import io
from decimal import Decimal

import pytest
from django.db import connection

from feedback.models import Credit, ReturnMessage, ReturnRequest
from flows.models import Agreement, Delivery
from tests import factories as make
from tests.reports.conftest import NOW, learn, sell
from tests.reports.test_dashboard_page import words

HOUR = dt.timedelta(hours=1)
SQL = """
SELECT s.name, COUNT(*) AS delivered,
       SUM(CASE WHEN d.feedback_count > 0 THEN 1 ELSE 0 END) AS with_feedback,
       SUM(CASE WHEN d.conversion_status = 'sold' THEN 1 ELSE 0 END) AS converted,
       SUM(CASE WHEN d.outcome = 'returned' THEN 1 ELSE 0 END) AS returned,
       SUM(d.price) AS cost, SUM(d.revenue) AS revenue
FROM flows_delivery d JOIN flows_source s ON s.id = d.source_id
WHERE d.buyer_id = %s AND d.delivered_on BETWEEN %s AND %s
GROUP BY s.name
"""


@pytest.fixture
def market(world):
    """Two buyers on two sources; only one of the buyers asks."""
    Delivery.objects.all().delete()
    second = make.SourceFactory(flow=world.flow, name="=Second")
    rival = make.BuyerFactory(seller=world.seller)
    made = [
        *sell(world.source, world.buyer, days=20, count=3, revenue=Decimal("400.00")),
        *sell(world.source, world.buyer, days=20, count=7, outcome="contacted"),
        *sell(world.source, world.buyer, days=20, count=5, outcome="returned"),
        *sell(world.source, world.buyer, days=20, count=5),
        *sell(second, world.buyer, days=3, count=4, outcome="no_contact"),
        *sell(second, world.buyer, days=3, count=1, revenue=Decimal("150.50")),
        *sell(world.source, rival, days=20, count=40, revenue=Decimal("999.00")),
    ]
    learn(made)
    return rival


def file(client, query: str = "") -> list[dict[str, str]]:
    response = client.get(f"/numbers.csv{query}")
    assert response.status_code == 200
    return list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode())))


def page(client, query: str = "") -> str:
    response = client.get(f"/numbers/{query}")
    assert response.status_code == 200
    return words(response.content.decode())


def agreement_of(world) -> Agreement:
    return Agreement.objects.get(flow=world.flow, buyer=world.buyer)


def agree(world, **terms) -> None:
    Agreement.objects.filter(flow=world.flow, buyer=world.buyer).update(**terms)


@pytest.mark.parametrize("days", [7, 30, 90])
def test_the_file_equals_sql_over_the_buyers_own_leads(world, as_user, market, days):
    first, last = NOW.date() - dt.timedelta(days=days - 1), NOW.date()
    with connection.cursor() as cursor:
        cursor.execute(SQL, [world.buyer.pk, str(first), str(last)])
        names = [column[0] for column in cursor.description]
        expected = {row[0]: dict(zip(names, row, strict=True)) for row in cursor.fetchall()}
    told = {row["source"].removeprefix("'"): row for row in file(as_user(world.agent), f"?period={days}")}
    assert told.keys() == expected.keys()
    for name, row in told.items():
        for column in ("delivered", "with_feedback", "converted", "returned"):
            assert int(row[column]) == expected[name][column]
        assert Decimal(row["cost"]) == Decimal(str(expected[name]["cost"]))
        assert Decimal(row["revenue"]) == Decimal(str(expected[name]["revenue"] or 0))
        sold, cost = expected[name]["converted"], Decimal(str(expected[name]["cost"]))
        assert row["cost_per_acquisition"] == (f"{cost / sold:.2f}" if sold else "")
        assert Decimal(row["roi"]) == round((Decimal(row["revenue"]) - cost) / cost, 4)


def test_formulas_in_names_are_defused(world, as_user, market):
    assert "'=Second" in {row["source"] for row in file(as_user(world.agent))}


def test_the_weeks_of_the_file_add_up_to_its_sources(world, as_user, market):
    client = as_user(world.agent)
    weeks, sources = file(client, "?by=week"), file(client)
    for column in ("delivered", "converted", "cost", "revenue"):
        assert sum(Decimal(row[column]) for row in weeks) == sum(Decimal(row[column]) for row in sources)
    assert [row["maturing"] for row in weeks] == ["yes", "yes", "no"]


def test_the_page_says_what_a_sale_cost(world, as_user, market):
    """25 leads at 20.00, four sold: 500.00 spent, 125.00 each, and 1,350.50 came of it."""
    text = page(as_user(world.agent))
    assert "Spend USD $500.00 $20.00 per lead · 25 leads" in text
    assert "Cost per acquisition USD $125.00" in text
    assert "Revenue reported USD $1,350" in text or "$1,351" in text
    assert "Return on cost all leads 170.1" in text
    assert "Returned all leads 20.0" in text


def test_rival_leads_are_in_no_number(world, as_user, market):
    text = page(as_user(world.manager))
    assert "40 of" not in text
    assert sum(int(row["delivered"]) for row in file(as_user(world.manager), "?period=90")) == 25


def test_a_hidden_source_is_counted_and_not_named(world, as_user, market):
    agree(world, shows_source=False)
    client = as_user(world.agent)
    text = page(client)
    assert world.source.name not in text
    assert "=Second" not in text
    assert "Sources not shown" in text
    (row,) = file(client)
    assert (row["source"], row["delivered"]) == ("Sources not shown", "25")
    assert client.get(f"/numbers/?source={world.source.pk}").status_code == 404


def test_hidden_prices_are_told_in_no_number(world, as_user, market):
    agree(world, shows_price=False)
    client = as_user(world.agent)
    text = page(client)
    assert "does not show the price" in text
    assert "$500" not in text
    assert "$125" not in text
    assert "Spend per week" not in text
    for row in [*file(client), *file(client, "?by=week")]:
        assert {row[each] for each in ("cost", "cost_per_acquisition", "margin", "roi", "roi_low")} == {""}


def test_what_was_credited_is_taken_off_the_cost(world, as_user, market):
    """20.00 of 500.00 came back for a returned lead, and of another one it was given and taken back."""
    first, second = Delivery.objects.filter(buyer=world.buyer, outcome="returned")[:2]
    credit(first, "20.00")
    undone = credit(second, "20.00")
    credit(second, "-20.00", kind="reversal", reverses=undone)
    client = as_user(world.agent)
    text = page(client)
    assert "Spend USD $480.00 $19.20 per lead · 25 leads · $20.00 credited already taken off" in text
    assert "Cost per acquisition USD $120.00" in text
    assert sum(Decimal(row["cost"]) for row in file(client)) == 480
    assert sum(Decimal(row["credited"]) for row in file(client, "?by=week")) == 20
    agree(world, shows_price=False)
    assert {row["credited"] for row in file(client)} == {""}
    assert "credited" not in page(client)


def credit(delivery, amount: str, **more) -> Credit:
    """An entry of the ledger, on a request of its own where the lead has none."""
    asked = ReturnRequest.objects.filter(delivery=delivery).first() or ReturnRequest.objects.create(
        delivery=delivery, flow=delivery.flow, buyer=delivery.buyer, reason="Wrong number", due_at=NOW
    )
    said = ReturnMessage.objects.create(request=asked, act="credited", side="seller")
    terms = {"kind": "credit", "currency": "USD", "booked_on": NOW.date(), **more}
    return Credit.objects.create(
        request=asked, flow=delivery.flow, buyer=delivery.buyer, amount=Decimal(amount), message=said, **terms
    )


def test_the_time_to_the_first_contact_is_a_median(world, as_user):
    Delivery.objects.all().delete()
    at = NOW - dt.timedelta(days=2)
    rows = [
        row
        for hours in (1, 3, 5, 7, 9)
        for row in sell(
            world.source, world.buyer, days=2, outcome="contacted", contacted_at=at + hours * HOUR
        )
    ]
    early = sell(world.source, world.buyer, days=2, outcome="contacted", contacted_at=at - 3 * HOUR)
    learn([*rows, *early])
    assert "Time to contact median 4.0 h" in page(as_user(world.agent))
    (row,) = file(as_user(world.agent))
    assert Decimal(row["median_days_to_contact"]) == Decimal("0.17")


@pytest.mark.parametrize(
    ("schedule", "told_after", "in_time"),
    [
        ("realtime", dt.timedelta(minutes=59), True),
        ("realtime", dt.timedelta(minutes=61), False),
        ("daily", dt.timedelta(hours=21, minutes=59), True),  # delivered at 11, due at 9 the next day
        ("daily", dt.timedelta(hours=22, minutes=1), False),
        (
            "weekly",
            dt.timedelta(days=4),
            True,
        ),  # Thursday, 11:00; due on Monday at noon, an hour less by then
        ("weekly", dt.timedelta(days=4, minutes=1), False),
        ("monthly", None, None),  # not due before April
    ],
)
def test_what_was_told_in_time_goes_by_the_agreed_schedule(world, as_user, schedule, told_after, in_time):
    Delivery.objects.all().delete()
    agree(world, schedule=schedule)
    at = NOW - dt.timedelta(days=10)
    told = {"first_feedback_at": at + told_after} if told_after else {}
    learn(sell(world.source, world.buyer, days=10, count=1, outcome="contacted", **told))
    text = page(as_user(world.agent))
    if in_time is None:
        assert "nothing was due yet" in text
    else:
        assert f"{'1' if in_time else '0'} of 1 lead due" in text


def test_overdue_leads_are_counted_and_linked(world, as_user):
    Delivery.objects.all().delete()
    agree(world, schedule="daily")
    learn([*sell(world.source, world.buyer, days=3, count=2), *sell(world.source, world.buyer, days=0)])
    response = as_user(world.agent).get("/numbers/")
    text = response.content.decode()
    assert f"/leads/?show=due&amp;flow={world.flow.public_id}" in text
    assert "2 overdue leads" in words(text)


def test_without_a_lead_the_page_says_what_will_be_there(world, as_user):
    Delivery.objects.all().delete()
    world_without = make.BuyerFactory(seller=world.seller)
    make.AgreementFactory(flow=world.flow, buyer=world_without)
    user = make.MembershipFactory(buyer=world_without, role="buyer_agent").user
    assert "No leads yet" in page(as_user(user))


def test_a_period_without_leads_says_so(world, as_user, market):
    assert "No leads were delivered in these" in page(as_user(world.agent), "?from=2001-01-01&to=2001-01-31")


def test_a_wrong_day_is_told_and_the_usual_days_shown(world, as_user, market):
    text = page(as_user(world.agent), "?from=2026-02-30&to=2026-01-01")
    assert "Enter a valid date" in text
    assert "Until then, the last 30 days are shown." in text


def test_the_number_of_queries_does_not_grow(world, as_user, market, django_assert_max_num_queries):
    client = as_user(world.agent)
    for _ in range(3):
        flow = make.FlowFactory(seller=world.seller)
        make.AgreementFactory(flow=flow, buyer=world.buyer, schedule="daily")
        learn(sell(make.SourceFactory(flow=flow), world.buyer, days=5, count=2, outcome="contacted"))
    with django_assert_max_num_queries(16):
        assert client.get("/numbers/").status_code == 200
