"""``POST /flows/{id}/leads``: a lead goes out to a buyer, or is refused by the state of the flow."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
import time_machine
from django.utils import timezone

from feedback.models import StaleMark
from flows import keys, suppression
from flows.intake import LeadIn, take_leads
from flows.models import Delivery, IntakeRefusal, Lead, SuppressionList
from tests import factories as make
from tests.flows.conftest import Api


@pytest.fixture
def sell(world, seller_api):
    """``sell(price="1.00")`` → the answer to a good lead with these changes."""

    def post(api=seller_api, **changes):
        body = {
            "source": world.source.slug,
            "buyer": world.buyer.slug,
            "lead": {"first_name": "Maria", "email": "maria@example.org"},
        }
        body = {name: value for name, value in {**body, **changes}.items() if value is not ...}
        return api.post(f"/flows/{world.flow.public_id}/leads", body)

    return post


def sold(world):
    return world.flow.deliveries.exclude(pk=world.delivery.pk)


def reason(response) -> str:
    assert response.status_code == 200
    answer = response.json()
    assert (answer["outcome"], answer["lead_id"], answer["price"]) == ("failure", None, None)
    return answer["reason"]


def test_a_lead_is_sold(world, sell):
    response = sell()
    delivery = sold(world).get()
    assert response.status_code == 201
    assert response.json() == {
        "outcome": "success",
        "reason": None,
        "lead_id": delivery.public_id,
        "price": "20.00",
        "livemode": True,
        "warnings": [],
    }
    assert delivery.public_id.startswith("evt_")
    assert (delivery.source, delivery.buyer, delivery.price) == (world.source, world.buyer, Decimal(20))
    assert delivery.lead.first_name == "Maria"
    assert abs(delivery.delivered_at - timezone.now()) < dt.timedelta(minutes=1)


def test_everything_that_may_be_said(world, sell):
    response = sell(
        buyer=world.buyer.public_id,
        lead={
            "first_name": " Maria ",
            "last_name": "Keller",
            "email": " Maria@Example.ORG ",
            "phone": "(512) 555-0100",
            "age": 41,
            "score": 0.5,
            "home": {"type": "house", "owned": True},
        },
        price=25.5,
        event_id="lc-5f1e",
        external_id="CRM-1",
        delivered_at="2026-01-15T23:30:00-05:00",
    )
    assert response.status_code == 201, response.json()
    delivery = sold(world).get()
    assert (delivery.public_id, delivery.external_id, delivery.price) == (
        "lc-5f1e",
        "CRM-1",
        Decimal("25.50"),
    )
    assert delivery.delivered_at == dt.datetime(2026, 1, 16, 4, 30, tzinfo=dt.UTC)
    assert delivery.delivered_on == dt.date(2026, 1, 15)  # the flow is in New York
    lead = delivery.lead
    assert (lead.first_name, lead.email, lead.email_normalised) == (
        "Maria",
        "Maria@Example.ORG",
        "maria@example.org",
    )
    assert lead.phone_e164 == "+15125550100"
    assert lead.data == {"age": 41, "score": 0.5, "home": {"type": "house", "owned": True}}


def test_a_new_delivery_makes_its_cell_stale(world, sell):
    sell()
    mark = StaleMark.objects.get(delivery=sold(world).get())
    assert (mark.source, mark.day) == (world.source, sold(world).get().delivered_on)


@pytest.mark.parametrize(
    ("currency", "base", "adjustment", "price"),
    [
        ("USD", "20.00", "1.2", "24.00"),
        ("USD", "10.05", "0.5", "5.03"),  # halves away from zero
        ("JPY", "1001", "0.5", "501"),
        ("KWD", "1.001", "1", "1.001"),
    ],
)
def test_without_a_price_it_is_the_sources(world, sell, currency, base, adjustment, price):
    world.flow.currency = currency
    world.flow.save()
    world.source.base_price, world.source.price_adjustment = Decimal(base), Decimal(adjustment)
    world.source.save()
    assert sell().json()["price"] == price


@pytest.mark.parametrize(
    "contact",
    [{"email": "m@x.org", "phone": "n/a"}, {"email": "none", "phone": "512 555 0100"}, {"phone": 5125550100}],
)
def test_one_way_to_reach_the_consumer_is_enough(sell, contact):
    assert sell(lead=contact).status_code == 201


def test_a_time_without_an_offset_is_read_in_the_flows_zone_with_a_warning(world, sell):
    response = sell(delivered_at="2026-01-15T12:00:00")
    assert "America/New_York" in response.json()["warnings"][0]
    assert sold(world).get().delivered_at == dt.datetime(2026, 1, 15, 17, tzinfo=dt.UTC)


class TestRefusals:
    def test_a_paused_source(self, world, sell):
        world.source.status = "paused"
        world.source.save()
        assert reason(sell()) == "source_paused"

    def test_a_suppressed_contact(self, world, sell):
        returns = SuppressionList.objects.create(seller=world.seller, name="Returns", slug="returns")
        suppression.add(returns, "email", "maria@example.org", reason="returned")
        suppression.add(returns, "phone", "+15125550100", reason="returned")
        assert reason(sell(lead={"email": " MARIA@example.org"})) == "suppressed"
        assert reason(sell(lead={"phone": "512-555-0100"})) == "suppressed"
        assert sell(lead={"email": "other@example.org", "phone": "512-555-0101"}).status_code == 201

    def test_a_source_on_a_list(self, world, sell):
        bad = SuppressionList.objects.create(seller=world.seller, name="Bad Sources", slug="bad-sources")
        kind, value = suppression.source_value(world.flow, world.source)
        entry = bad.entries.create(kind=kind, value=value)
        assert reason(sell()) == "suppressed"
        suppression.remove(entry)
        assert sell().status_code == 201

    def test_another_sellers_list_is_no_matter(self, world, other_world, sell):
        returns = SuppressionList.objects.create(seller=other_world.seller, name="Returns", slug="returns")
        suppression.add(returns, "email", "maria@example.org", reason="returned")
        assert sell().status_code == 201

    def test_the_same_consumer_to_the_same_buyer(self, world, sell):
        sell(lead={"email": "maria@example.org", "phone": "512 555 0100"})
        assert reason(sell(lead={"email": "MARIA@example.org"})) == "duplicate"
        assert reason(sell(lead={"phone": "+1 512-555-0100", "email": "new@example.org"})) == "duplicate"

    def test_another_buyer_or_flow_may_have_the_consumer(self, world, sell):
        sell()
        other = make.BuyerFactory(seller=world.seller)
        make.AgreementFactory(flow=world.flow, buyer=other)
        assert sell(buyer=other.slug).status_code == 201
        flow = make.FlowFactory(seller=world.seller)
        make.AgreementFactory(flow=flow, buyer=world.buyer)
        source = make.SourceFactory(flow=flow)
        lead = LeadIn(source.slug, world.buyer.slug, {"email": "maria@example.org"})
        assert take_leads(flow, [lead])[0].outcome == "success"

    @pytest.mark.parametrize("order", [1, -1])
    def test_a_duplicate_is_one_within_30_days_whichever_came_first(self, sell, order):
        days = ["2026-01-01T12:00:00Z", "2026-01-31T12:00:00Z"][::order]
        assert [sell(delivered_at=day).json()["outcome"] for day in days] == ["success", "failure"]

    def test_after_30_days_it_is_none(self, sell):
        days = ["2026-01-01T12:00:00Z", "2026-01-31T12:00:01Z"]
        assert [sell(delivered_at=day).json()["outcome"] for day in days] == ["success", "success"]

    def test_of_a_refused_lead_only_a_count_is_kept(self, world, sell):
        world.source.status = "paused"
        world.source.save()
        leads = Lead.objects.count()
        for _ in range(2):
            sell()
        sell(delivered_at="2026-01-15T23:30:00-05:00")
        assert Lead.objects.count() == leads
        assert not sold(world).exists()
        assert not StaleMark.objects.exists()
        counts = dict(IntakeRefusal.objects.values_list("day", "count"))
        assert counts.pop(dt.date(2026, 1, 15)) == 1
        assert list(counts.values()) == [2]
        assert set(IntakeRefusal.objects.values_list("source", "reason")) == {
            (world.source.pk, "source_paused")
        }


class TestEventIds:
    def test_the_same_again_is_answered_again(self, world, sell):
        first, again = (sell(event_id="lc-1", external_id="c-1") for _ in range(2))
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.content == again.content
        assert sold(world).count() == 1

    def test_a_replay_is_one_even_when_the_flow_would_refuse_by_now(self, world, sell):
        sell(event_id="lc-1")
        world.source.status = "paused"
        world.source.save()
        assert sell(event_id="lc-1").json()["outcome"] == "success"

    @pytest.mark.parametrize(
        "change",
        [
            {"lead": {"first_name": "Maria", "email": "other@example.org"}},
            {"lead": {"first_name": "Maria", "email": "maria@example.org", "age": 1}},
            {"price": 1},
            {"external_id": "c-1"},
            {"delivered_at": "2026-01-15T12:00:00Z"},
        ],
    )
    def test_with_other_content_it_is_taken(self, sell, change):
        sell(event_id="lc-1")
        response = sell(event_id="lc-1", **change)
        assert response.status_code == 422
        assert [(f["field"], f["code"]) for f in response.json()["errors"]] == [("event_id", "id_mismatch")]

    def test_another_tenants_event_id_is_as_free_as_any(self, world, other_world, sell):
        theirs = LeadIn(
            other_world.source.slug, other_world.buyer.slug, {"email": "x@example.org"}, event_id="lc-1"
        )
        take_leads(other_world.flow, [theirs])
        response = sell(event_id="lc-1")
        assert (response.status_code, response.json()["lead_id"]) == (201, "lc-1")

    def test_an_external_id_is_the_buyers_for_one_lead(self, world, sell):
        assert sell(external_id="c-1").status_code == 201
        response = sell(external_id="c-1", lead={"email": "other@example.org"})
        assert [(f["field"], f["code"]) for f in response.json()["errors"]] == [
            ("external_id", "id_mismatch")
        ]
        other = make.BuyerFactory(seller=world.seller)
        make.AgreementFactory(flow=world.flow, buyer=other)
        assert sell(external_id="c-1", buyer=other.slug).status_code == 201


class TestTestKeys:
    @pytest.fixture
    def trial(self, world) -> Api:
        return Api(keys.issue(name="Trial", seller=world.seller, livemode=False)[1])

    def test_answered_alike_and_nothing_is_stored(self, world, sell, trial):
        leads = Lead.objects.count()
        live_shape = {
            "outcome": "success",
            "reason": None,
            "price": "20.00",
            "livemode": False,
            "warnings": [],
        }
        response = sell(trial)
        assert response.status_code == 201
        assert response.json() == {**live_shape, "lead_id": "evt_test"}
        assert sell(trial, event_id="lc-1").json()["lead_id"] == "lc-1"
        assert Lead.objects.count() == leads
        assert not sold(world).exists()
        assert not StaleMark.objects.exists()

    def test_refusals_are_told_and_not_counted(self, world, sell, trial):
        world.source.status = "paused"
        world.source.save()
        assert reason(sell(trial)) == "source_paused"
        assert sell(trial, price=-1).status_code == 422
        assert not IntakeRefusal.objects.exists()


class TestCaps:
    @pytest.fixture(autouse=True)
    def capped(self, world):
        world.flow.timezone = "America/Denver"
        world.flow.save()
        world.source.daily_cap = 2
        world.source.save()
        Delivery.objects.all().delete()

    def lead(self, number: int) -> dict:
        return {"email": f"m{number}@example.org"}

    def test_the_cap_is_reached(self, world, sell):
        answers = [sell(lead=self.lead(n)) for n in range(3)]
        assert [answer.json()["outcome"] for answer in answers] == ["success", "success", "failure"]
        assert reason(answers[2]) == "cap_reached"
        assert IntakeRefusal.objects.get().count == 1

    def test_the_day_turns_at_midnight_of_the_flow(self, sell):
        night = dt.datetime(2026, 1, 15, 6, 59, 59, tzinfo=dt.UTC)  # 23:59:59 in Denver
        with time_machine.travel(night, tick=False):
            answers = [sell(lead=self.lead(n)) for n in range(3)]
        assert [answer.json()["reason"] for answer in answers] == [None, None, "cap_reached"]
        with time_machine.travel(night + dt.timedelta(seconds=1), tick=False):
            assert sell(lead=self.lead(3)).status_code == 201
        utc_midnight = dt.datetime(2026, 1, 16, 0, 0, 0, tzinfo=dt.UTC)  # the same day in Denver
        with time_machine.travel(utc_midnight, tick=False):
            assert sell(lead=self.lead(4)).status_code == 201
            assert reason(sell(lead=self.lead(5))) == "cap_reached"

    def test_a_lead_of_an_earlier_day_counts_on_that_day(self, sell):
        for n in range(2):
            assert sell(lead=self.lead(n), delivered_at="2026-01-15T12:00:00Z").status_code == 201
        assert reason(sell(lead=self.lead(3), delivered_at="2026-01-16T06:00:00Z")) == "cap_reached"
        assert sell(lead=self.lead(3)).status_code == 201

    def test_a_cap_of_none_and_a_cap_of_nothing(self, world, sell):
        world.source.daily_cap = 0
        world.source.save()
        assert reason(sell()) == "cap_reached"
        world.source.daily_cap = None
        world.source.save()
        assert sell().status_code == 201

    def test_within_one_list_too(self, world):
        leads = [LeadIn(world.source.slug, world.buyer.slug, self.lead(n)) for n in range(4)]
        receipts = take_leads(world.flow, leads)
        assert [receipt.reason for receipt in receipts] == [None, None, "cap_reached", "cap_reached"]
        assert [receipt.index for receipt in receipts] == [0, 1, 2, 3]


class TestLists:
    def test_each_lead_of_a_list_sees_those_before_it(self, world):
        def lead(email: str, **more):
            return LeadIn(world.source.slug, world.buyer.slug, {"email": email}, **more)

        receipts = take_leads(
            world.flow,
            [
                lead("a@example.org", event_id="1"),
                lead("a@example.org", event_id="1"),
                lead("a@example.org"),
                lead("b@example.org", event_id="1"),
                lead("c@example.org", external_id="x"),
                lead("d@example.org", external_id="x"),
                LeadIn("nowhere", world.buyer.slug, {"email": "e@example.org"}),
            ],
        )
        told = [(r.outcome, r.reason, r.replayed, r.problem and r.problem.faults[0].field) for r in receipts]
        assert told == [
            ("success", None, False, None),
            ("success", None, True, None),
            ("failure", "duplicate", False, None),
            ("error", None, False, "event_id"),
            ("success", None, False, None),
            ("error", None, False, "external_id"),
            ("error", None, False, "source"),
        ]

    def test_the_number_of_queries_does_not_grow(self, world, django_assert_max_num_queries):
        world.source.daily_cap = 60
        world.source.save()

        def leads(first: int, count: int):
            return [
                LeadIn(
                    world.source.slug,
                    world.buyer.slug,
                    {"email": f"m{n}@example.org"},
                    event_id=f"e{n}",
                    external_id=f"x{n}",
                )
                for n in range(first, first + count)
            ]

        for first, count in ((0, 1), (100, 70)):  # the latter with refusals
            with django_assert_max_num_queries(16) as queries:  # 2 of them savepoints, 1 the stale marks
                take_leads(world.flow, leads(first, count))
            assert not any("sqlite_master" in query["sql"] for query in queries.captured_queries)
        assert IntakeRefusal.objects.get().count == 11


def test_one_lead_costs_few_queries(sell, django_assert_max_num_queries):
    sell()
    # Key 2, flow, source, buyers, suppression, duplicates, lead, delivery, stale mark, the request's log row;
    # two savepoints and their ends.
    with django_assert_max_num_queries(16):
        assert sell(lead={"email": "other@example.org"}).status_code == 201
