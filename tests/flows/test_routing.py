"""``GET /flows/{id}/routing``: what a router needs before it buys."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
import time_machine

from flows import suppression
from flows.intake import LeadIn, take_leads
from flows.models import Delivery, SuppressionList
from tests import factories as make

NOON = dt.datetime(2026, 1, 15, 17, tzinfo=dt.UTC)  # 12:00 in New York


@pytest.fixture(autouse=True)
def noon(world):
    Delivery.objects.all().delete()
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


@pytest.fixture
def ask(world, seller_api):
    def get(source: str = "", **headers: str):
        path = f"/flows/{world.flow.public_id}/routing"
        return seller_api.get(f"{path}/{source}" if source else path, headers=headers)

    return get


def sell(world, number: int, **more) -> None:
    lead = LeadIn(world.source.slug, world.buyer.slug, {"email": f"m{number}@example.org"}, **more)
    assert take_leads(world.flow, [lead])[0].outcome == "success"


def test_one_source(world, ask):
    world.source.daily_cap, world.source.price_adjustment = 5, Decimal("1.2")
    world.source.save()
    sell(world, 1)
    sell(world, 2, delivered_at=NOON - dt.timedelta(days=1))
    response = ask(world.source.slug)
    answer = response.json()
    quality = answer.pop("quality")
    assert response.status_code == 200
    assert answer == {
        "source": world.source.slug,
        "status": "active",
        "reason": None,
        "paused_for": [],
        "daily_cap": 5,
        "delivered_today": 1,
        "remaining": 4,
        "base_price": "20.00",
        "price_adjustment": "1.2",
        "price": "24.00",
        "as_of": "2026-01-15T17:00:00Z",
    }
    assert set(quality["conversion_rate"]) == {"value", "count", "low", "high"}


def test_all_sources_of_the_flow_and_no_others(world, other_world, ask):
    make.SourceFactory(flow=world.flow, slug="aa")
    answer = ask().json()
    assert answer["as_of"] == "2026-01-15T17:00:00Z"
    assert [each["source"] for each in answer["sources"]] == ["aa", world.source.slug]
    assert "as_of" not in answer["sources"][0]
    assert ask(other_world.source.slug).status_code == 404


def test_without_a_cap_nothing_remains_to_be_counted(world, ask):
    answer = ask(world.source.slug).json()
    assert (answer["daily_cap"], answer["remaining"]) == (None, None)


def test_a_cap_lowered_below_what_was_sold(world, ask):
    for number in range(2):
        sell(world, number)
    world.source.daily_cap = 1
    world.source.save()
    assert ask(world.source.slug).json()["remaining"] == 0


def test_a_paused_source_says_why(world, ask):
    world.source.status, world.source.status_reason = "paused", "Average quality 2.1 is below 3.0"
    world.source.save()
    answer = ask(world.source.slug).json()
    assert (answer["status"], answer["reason"]) == ("paused", "Average quality 2.1 is below 3.0")


def test_a_suppressed_source_is_as_good_as_paused(world, ask):
    bad = SuppressionList.objects.create(seller=world.seller, name="Bad Sources", slug="bad-sources")
    kind, value = suppression.source_value(world.flow, world.source)
    suppression.add(bad, kind, value, reason="bad info")
    answer = ask(world.source.slug).json()
    assert answer["status"] == "paused"
    assert "suppression" in answer["reason"]


def test_an_unknown_source(ask):
    response = ask("nowhere")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_unchanged_is_304_though_time_goes_by(world, ask, noon):
    for source in ("", world.source.slug):
        first = ask(source)
        noon.shift(30)
        again = ask(source, **{"If-None-Match": first["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again["ETag"] == first["ETag"]
        assert first["Cache-Control"] == again["Cache-Control"] == "private, no-cache"


def test_a_change_is_seen(world, ask):
    tag = ask()["ETag"]
    sell(world, 1)
    response = ask("", **{"If-None-Match": tag})
    assert response.status_code == 200
    assert response["ETag"] != tag


def test_the_quality_is_what_the_provider_says(world, ask, monkeypatch):
    measure = {"value": 0.5, "count": 8, "low": 0.2, "high": 0.8}
    monkeypatch.setattr(
        "flows.routing.quality_of", lambda flow, sources: {world.source.pk: {"contact_rate": measure}}
    )
    assert ask(world.source.slug).json()["quality"] == {"contact_rate": measure}


def test_the_number_of_queries_does_not_grow(world, ask, django_assert_max_num_queries):
    ask()
    for _ in range(5):
        make.SourceFactory(flow=world.flow)
    with django_assert_max_num_queries(10):  # key 2, flow, sources, counts, lists, pairs, quality 2, log
        assert len(ask().json()["sources"]) == 6
