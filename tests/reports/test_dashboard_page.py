"""The dashboard: the right numbers, of the right leads, to the right people."""

from __future__ import annotations

import datetime as dt
import html
import json
import re
from decimal import Decimal

import pytest

from feedback.models import SourceDay
from flows.evidence import wilson
from flows.models import Delivery, Rule
from portal.models import User
from tests import factories as make
from tests.reports.conftest import NOW, learn, sell


def page(client, query: str = "") -> str:
    response = client.get(f"/dashboard/{query}")
    assert response.status_code == 200
    return response.content.decode()


def words(text: str) -> str:
    """The text that a person reads, in one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


def figure(text: str, name: str) -> str:
    """What a card says."""
    card = re.search(rf'<article class="figure" id="figure-{name}">(.*?)</article>', text, re.DOTALL)
    return words(card[1])


def chart(text: str, name: str) -> dict:
    found = re.search(rf'data-chart="{name}"\s+data-points="([^"]*)"', text)
    return json.loads(html.unescape(found[1]))


def row_of(text: str, source) -> str:
    rows = re.findall(r"<tr>(.*?)</tr>", text, re.DOTALL)
    return words(next(row for row in rows if f">{source.name}</span>" in row))


def test_the_conversion_rate_counts_only_leads_that_had_time_to_convert(world, as_user, known):
    card = figure(page(as_user(world.owner)), "conversion_rate")
    low, high = wilson(8, 100)
    assert card.startswith("Conversion rate leads 14+ days old 8.0 %")
    assert "8 of 100" in card
    assert f"{low * 100:.1f}–{high * 100:.1f} %" in card
    assert "+2.0 pts" in card  # 6 of 100 in the 30 days before


def test_a_change_within_the_intervals_is_not_coloured(world, as_user, known):
    text = page(as_user(world.owner))
    assert re.search(r'<b class="flat" title="6\.0\s% \([^)]*\) on 100[^"]*may be chance">\+2\.0 pts', text)


def test_quality_revenue_and_coverage_count_every_lead_of_the_period(world, as_user, known):
    text = page(as_user(world.owner))
    average = (8 * 5 + 32 * 3 + 4) / 41
    assert f"scores 1–5 {average:.1f}" in figure(text, "average_quality")
    assert "41 scores" in figure(text, "average_quality")
    assert "$8,500" in figure(text, "revenue")
    assert "$56.67 per lead · 9 sold" in figure(text, "revenue")
    assert "27.3 %" in figure(text, "coverage")  # 41 of 150
    assert "41 of 150 · 109 leads silent" in figure(text, "coverage")


def test_changes_of_revenue_and_coverage_compare_mature_leads(world, as_user, known):
    text = page(as_user(world.owner))
    assert "+67 % per mature lead" in figure(text, "revenue")  # $80.00 against $48.00
    assert "−60.0 pts on mature leads" in figure(text, "coverage")  # 40 of 100 against 100 of 100


def test_a_slow_flow_is_not_compared_with_a_quick_one(world, as_user, known):
    """Of the slow flow no lead of these days is mature: its leads before, dear ones, must not stand against
    the quick flow's now."""
    slow = make.FlowFactory(seller=world.seller)
    source = make.SourceFactory(flow=slow)
    Rule.objects.create(flow=slow, name="Low", metric="conversion_rate", comparison="below",
                        threshold=Decimal("0.05"), maturity_days=30, action="pause_source")  # fmt: skip
    make.AgreementFactory(flow=slow, buyer=world.buyer)
    learn(sell(source, world.buyer, days=40, count=60, revenue=Decimal("20000.00")))
    learn(sell(source, world.buyer, days=20, count=40))
    text = page(as_user(world.owner))
    assert "+67 % per mature lead" in figure(text, "revenue")
    assert "+2.0 pts" in figure(text, "conversion_rate")
    assert "mature leads 8.0 %" in figure(text, "conversion_rate")
    assert "−60.0 pts" in figure(text, "coverage")


def test_a_flow_that_began_meanwhile_is_not_compared(world, as_user, known):
    source = make.SourceFactory(flow=make.FlowFactory(seller=world.seller))
    make.AgreementFactory(flow=source.flow, buyer=world.buyer)
    learn(sell(source, world.buyer, days=31, count=100, revenue=Decimal("20000.00")))
    learn(sell(source, world.buyer, days=20, count=100))
    text = page(as_user(world.owner))
    assert "8 of 200" in figure(text, "conversion_rate")  # what is shown is of all,
    assert "+2.0 pts" in figure(text, "conversion_rate")  # what is compared is not
    assert "+67 % per mature lead" in figure(text, "revenue")


def test_as_many_days_are_compared_as_are_mature(world, as_user, known):
    """Of these 30 days 16 are mature: leads of 46 days ago are not among the 16 days before."""
    learn(sell(world.source, world.buyer, days=46, count=100, revenue=Decimal("10.00")))
    assert "+2.0 pts" in figure(page(as_user(world.owner)), "conversion_rate")
    learn(sell(world.source, world.buyer, days=45, count=100, revenue=Decimal("10.00")))
    assert "−45.0 pts" in figure(page(as_user(world.owner)), "conversion_rate")  # 8 % against 106 of 200


def test_a_change_of_revenue_on_few_sales_is_not_coloured_and_on_few_leads_not_shown(world, as_user, known):
    text = page(as_user(world.owner))
    assert re.search(r'<b class="flat" title="[^"]*8 and 6 sold this may be chance">\+67', text)
    on_that_day = Delivery.objects.filter(delivered_on=(NOW - dt.timedelta(days=20)).date())
    on_that_day.filter(outcome=None).delete()
    on_that_day.filter(outcome="no_contact").delete()
    learn(on_that_day)
    assert "per mature lead" not in figure(page(as_user(world.owner)), "revenue")


def test_a_change_of_revenue_on_many_sales_is_coloured(world, as_user, known):
    learn(sell(world.source, world.buyer, days=20, count=100, revenue=Decimal("1000.00")))
    text = page(as_user(world.owner))
    assert re.search(r'<b class="good" title="[^"]*in as many days before">\+1,025', text)


def test_a_period_of_young_leads_says_so_instead_of_showing_a_rate(world, as_user, known):
    card = figure(page(as_user(world.owner), "?period=7"), "conversion_rate")
    assert "14 days old yet · so far 2.0 % of 50" in card
    assert "8.0 %" not in card


def test_maturity_is_that_of_the_flows_conversion_rules(world, as_user, known):
    Rule.objects.create(
        flow=world.flow,
        name="Low",
        metric="conversion_rate",
        comparison="below",
        threshold=Decimal("0.05"),
        maturity_days=2,
        action="pause_source",
    )
    card = figure(page(as_user(world.owner)), "conversion_rate")
    assert "leads 2+ days old 6.0 %" in card
    assert "9 of 150" in card


def test_a_lead_matures_on_its_fourteenth_day(world, as_user):
    learn(sell(world.source, world.buyer, days=14, count=1))
    learn(sell(world.source, world.buyer, days=13, count=1))
    assert "0 of 1" in figure(page(as_user(world.owner)), "conversion_rate")


def test_charts_and_their_tables_hold_the_same_numbers(world, as_user, known):
    text = page(as_user(world.owner))
    data = chart(text, "conversion")
    monday = dt.datetime(2026, 2, 23, tzinfo=dt.UTC)  # NOW − 20 days is 23 February
    at = data["x"].index(int(monday.timestamp()))
    assert data["y"][at] == 8.0
    low, high = wilson(8, 100)
    assert (data["low"][at], data["high"][at]) == pytest.approx((low * 100, high * 100), abs=0.001)
    assert data["maturing"] == at + 1  # the week that holds 2 March is not mature throughout
    table = words(re.search(r'<details id="table-conversion".*?</details>', text, re.DOTALL)[0])
    assert "23 Feb – 1 Mar 100 8 8.0 %" in table
    assert "9 Mar – 15 Mar · maturing 50 1 2.0 %" in table
    assert chart(text, "revenue")["y"][at] == 8000.0
    assert chart(text, "quality")["y"][at] == pytest.approx((8 * 5 + 32 * 3) / 40, abs=0.001)


def test_a_source_with_few_mature_leads_is_said_to_have_too_few(world, as_user, known):
    few = make.SourceFactory(flow=world.flow, name="Newcomer")
    learn(sell(few, world.buyer, days=20, count=29, outcome="contacted"))
    text = page(as_user(world.owner))
    assert "Too few 29 mature leads" in row_of(text, few)
    assert row_of(text, world.source).endswith("Active")
    learn(sell(few, world.buyer, days=20, count=1))
    assert row_of(page(as_user(world.owner)), few).endswith("Active")


def test_sources_stand_best_first_and_those_with_too_few_last(world, as_user, known):
    better = make.SourceFactory(flow=world.flow, name="Better")
    few = make.SourceFactory(flow=world.flow, name="Few")
    learn(sell(better, world.buyer, days=20, count=40, revenue=Decimal("10.00")))
    learn(sell(few, world.buyer, days=20, count=2, revenue=Decimal("10.00")))
    names = re.findall(r'<span class="cell-main">([^<]*)</span>', page(as_user(world.owner)))
    assert names == ["Better", world.source.name, "Few"]


def test_a_paused_source_says_why_even_when_it_delivers_nothing(world, as_user, known):
    make.SourceFactory(flow=world.flow, name="Mailer", status="paused", status_reason="Quality <below> 3.0")
    make.SourceFactory(flow=world.flow, name="Idle")
    text = page(as_user(world.owner))
    assert "Paused Quality <below> 3.0" in words(text)
    assert "<below>" not in text
    assert "Idle</span>" not in text


def test_the_interval_bar_draws_the_rules_threshold(world, as_user, known):
    Rule.objects.create(
        flow=world.flow,
        name="Low",
        metric="conversion_rate",
        comparison="below",
        threshold=Decimal("0.05"),
        maturity_days=14,
        min_count=10,
        action="pause_source",
    )
    text = page(as_user(world.owner))
    bar = re.search(r'<svg class="interval".*?</svg>', text, re.DOTALL)[0]
    end = Decimal(re.search(r'class="bar-head">0 – (\d+)', text)[1])
    assert f'class="threshold threshold--low" x1="{5 / end * 200:.1f}"' in bar
    assert f'class="value" x1="{8 / end * 200:.1f}"' in bar
    assert "dashed: the rules’ 5 %" in words(text)
    assert "style=" not in text


def test_currencies_are_shown_one_at_a_time(world, as_user, known):
    yen = make.FlowFactory(seller=world.seller, currency="JPY", timezone="Asia/Tokyo", name="Nippon")
    source = make.SourceFactory(flow=yen, name="Kansai")
    learn(sell(source, world.buyer, days=20, count=2, revenue=Decimal(90000)))
    client = as_user(world.owner)
    usual, other = page(client), page(client, "?currency=JPY")
    # One flow each: the first in the alphabet is the usual one.
    assert "¥180,000" in figure(usual, "revenue")
    assert "Kansai" in usual and "Kansai" in other
    dollars = page(client, "?currency=USD")
    assert "$8,500" in figure(dollars, "revenue")
    assert ">Kansai</span>" not in dollars
    chosen = page(client, f"?flow={world.flow.public_id}&currency=JPY")
    assert "$8,500" in figure(chosen, "revenue")  # the flow has no yen


def test_filters_narrow_by_flow_buyer_source_and_days(world, as_user, known):
    other = make.BuyerFactory(seller=world.seller)
    learn(sell(world.source, other, days=20, count=5, revenue=Decimal("1.00")))
    client = as_user(world.owner)
    assert "13 of 105" in figure(page(client), "conversion_rate")
    assert "5 of 5" in figure(page(client, f"?buyer={other.public_id}"), "conversion_rate")
    empty = make.SourceFactory(flow=world.flow)
    assert "No leads were delivered" in page(client, f"?source={empty.pk}")
    assert "6 of 100" in figure(page(client, "?from=2026-01-30&to=2026-02-10"), "conversion_rate")
    assert "6 of 100" in figure(page(client, "?period=own&from=2026-02-03&to=2026-02-03"), "conversion_rate")
    assert "13 of 105" not in figure(page(client, "?from=2026-02-04&to=2026-02-10"), "conversion_rate")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?from=2026-03-10&to=2026-03-01", "before the first one"),
        ("?from=2010-01-01&to=2026-03-01", "At most 731 days"),
        ("?from=yesterday", "Enter a valid date"),
        ("?from=0001-01-01&to=0001-01-05", "of this century"),
        ("?period=everything", "not one of the available choices"),
        ("?currency=XXX", "not one of the available choices"),
    ],
)
def test_nonsense_is_named_and_the_usual_days_are_shown(world, as_user, known, query, said):
    text = page(as_user(world.owner), query)
    assert said in words(text)
    assert "8 of 100" in figure(text, "conversion_rate")


@pytest.mark.parametrize("name", ["flow", "buyer", "source"])
def test_anothers_id_in_a_filter_is_as_unknown_as_any(world, other_world, as_user, name):
    theirs = {
        "flow": other_world.flow.public_id,
        "buyer": other_world.buyer.public_id,
        "source": other_world.source.pk,
    }
    client = as_user(world.owner)
    for path in ("/dashboard/", "/reports/sources/", "/reports/sources.csv"):
        answers = [client.get(path, {name: value}) for value in (theirs[name], "nothing", "-1")]
        assert [answer.status_code for answer in answers] == [404, 404, 404]
        assert len({words(answer.content.decode()) for answer in answers}) == 1


def test_nothing_of_another_seller_is_counted_or_named(world, other_world, as_user, known):
    theirs = sell(other_world.source, other_world.buyer, days=20, count=7, revenue=Decimal("9999.00"))
    learn(theirs)
    text = page(as_user(world.owner))
    assert "8 of 100" in figure(text, "conversion_rate")
    for name in (other_world.source.name, other_world.flow.name, other_world.buyer.name):
        assert f">{name}<" not in text


@pytest.mark.parametrize("path", ["/dashboard/", "/reports/sources/", "/reports/sources.csv"])
def test_only_sellers_see_reports(world, as_user, client, path):
    assert client.get(path).status_code == 302
    assert [as_user(user).get(path).status_code for user in (world.manager, world.agent)] == [404, 404]
    assert [as_user(user).get(path).status_code for user in (world.owner, world.analyst)] == [200, 200]
    assert as_user(world.owner).post(path).status_code == 405


def test_the_time_is_the_persons_own(world, as_user, known):
    User.objects.filter(pk=world.owner.pk).update(timezone="Asia/Tokyo")
    response = as_user(world.owner).get("/dashboard/")
    assert response["X-As-Of"] == "01:00:00"
    assert "as of 01:00:00" in words(response.content.decode())
    assert "16 Feb – 16 Mar" not in words(response.content.decode())
    assert "15 Feb – 16 Mar" in words(response.content.decode())  # it is the 16th in Tokyo


def test_leads_of_a_day_that_has_begun_only_on_the_flows_clock_are_counted(world, as_user, fixed_time):
    tokyo = make.FlowFactory(seller=world.seller, timezone="Asia/Tokyo")
    source = make.SourceFactory(flow=tokyo)
    made = make.DeliveryFactory(
        lead__source=source, buyer=world.buyer, delivered_at=NOW, delivered_on=dt.date(2026, 3, 16)
    )
    learn([made])
    assert "0 of 1" in figure(page(as_user(world.owner), f"?flow={tokyo.public_id}"), "coverage")


def test_a_new_seller_is_told_what_to_do_next(as_user, db):
    seller = make.SellerFactory()
    owner = make.MembershipFactory(seller=seller, role="seller_owner").user
    text = page(as_user(owner))
    for address in ("flows/flow", "flows/source", "portal/buyer", "flows/apikey"):
        assert f'href="/admin/{address}/add/"' in text
    make.FlowFactory(seller=seller)
    text = page(as_user(owner))
    assert 'href="/admin/flows/flow/add/"' not in text
    assert "figure" not in re.sub(r"<head>.*?</head>", "", text, flags=re.DOTALL)


def test_an_analyst_is_not_offered_what_only_an_owner_may_do(db, as_user):
    seller = make.SellerFactory()
    analyst = make.MembershipFactory(seller=seller, role="seller_analyst").user
    assert "/admin/flows/flow/add/" not in page(as_user(analyst))


def test_the_number_of_queries_does_not_grow_with_the_data(
    world, as_user, known, django_assert_max_num_queries
):
    client = as_user(world.owner)
    with django_assert_max_num_queries(15):
        page(client)
    for _ in range(5):
        flow = make.FlowFactory(seller=world.seller)
        for _ in range(3):
            source = make.SourceFactory(flow=flow)
            learn(sell(source, world.buyer, days=20, count=3, revenue=Decimal("10.00")))
    with django_assert_max_num_queries(15):
        page(client)
    assert SourceDay.objects.count() > 15
