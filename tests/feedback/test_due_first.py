"""Due for feedback: what waits, that which is due first at the top, over agreements of every kind."""

from __future__ import annotations

import datetime as dt
import random

import pytest
from django.utils import timezone

from feedback.deadlines import delivered_from, feedback_due
from feedback.desk import Desk
from feedback.due import DueFirst
from flows.models import Agreement, Delivery
from portal.access import visible_to
from tests import factories as make
from tests.feedback.test_leads_page import ids, next_url

LEADS = "/leads/"
Schedule = Agreement.Schedule
KINDS = [
    (Schedule.NONE, 5),
    (Schedule.NONE, 40),
    (Schedule.DAILY, 60),
    (Schedule.WEEKLY, 3),
    (Schedule.MONTHLY, 90),
]


@pytest.fixture
def many_flows(world):
    """Five flows, each with another schedule or window, 12 leads on each at random times."""
    chance = random.Random(7)  # any will do
    Delivery.objects.update(buyer=make.BuyerFactory(seller=world.seller))
    world.buyer.timezone = "America/Denver"
    world.buyer.save()
    for schedule, days in KINDS:
        flow = make.FlowFactory(seller=world.seller, update_window_days=days)
        make.standard_fields(flow, "outcome")
        source = make.SourceFactory(flow=flow)
        for _ in range(12):
            hours = chance.randrange(30 * 24)
            make.DeliveryFactory(
                lead__source=source,
                buyer=world.buyer,
                delivered_at=timezone.now() - dt.timedelta(hours=hours, seconds=chance.choice([0, 17])),
            )
        Agreement.objects.filter(flow=flow).update(schedule=schedule)
    return world


def expected(world) -> list[str]:
    """All that waits, sorted in Python."""
    agreements = {each.flow_id: each for each in Agreement.objects.select_related("flow", "buyer")}
    keys = []
    for row in Delivery.objects.filter(buyer=world.buyer, feedback_count=0):
        agreement = agreements[row.flow_id]
        closes = row.delivered_at + dt.timedelta(days=agreement.flow.update_window_days)
        if closes >= timezone.now():
            keys.append((feedback_due(agreement, row.delivered_at), row.delivered_at, row.pk, row.public_id))
    return [public_id for *_, public_id in sorted(keys)]


def test_what_is_due_first_stands_at_the_top(many_flows, as_user):
    wanted = expected(many_flows)
    assert len(wanted) > 20
    assert ids(as_user(many_flows.agent).get(LEADS)) == wanted[:50]


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize("falling", [False, True])
def test_pages_of_any_size_make_the_whole_in_order_both_ways(many_flows, size, falling):
    desk = Desk(many_flows.actor(many_flows.agent))
    rows = visible_to(desk.actor, Delivery.objects.filter(desk.waiting()))
    walk, wanted = DueFirst(desk, falling), expected(many_flows)[:: -1 if falling else 1]
    found, place = [], None
    while page := walk.ahead(rows, place, size):
        found += page
        place = walk.values(page[-1])
    assert [row.public_id for row in found] == wanted
    back, place = [], None
    while page := walk.back(rows, place, size):
        back = page + back
        place = walk.values(page[0])
    assert [row.public_id for row in back] == wanted


@pytest.mark.parametrize("schedule", Schedule.values)
def test_a_deadline_and_the_delivery_from_which_it_is_later_agree(world, schedule):
    agreement = Agreement.objects.select_related("flow", "buyer").get(flow=world.flow, buyer=world.buyer)
    agreement.schedule = schedule
    chance = random.Random(schedule)
    for _ in range(300):
        start = dt.datetime(2026, 2, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=chance.randrange(60 * 24 * 300))
        due = feedback_due(agreement, start)
        edge = delivered_from(agreement, due)
        assert edge <= start
        assert feedback_due(agreement, edge) >= due
        assert feedback_due(agreement, edge - dt.timedelta(microseconds=1)) < due


def test_what_has_feedback_or_takes_none_is_not_due(world, as_user):
    told = make.DeliveryFactory(lead__source=world.source, buyer=world.buyer, feedback_count=1)
    late = make.DeliveryFactory(
        lead__source=world.source, buyer=world.buyer, delivered_at=timezone.now() - dt.timedelta(days=91)
    )
    shown = ids(as_user(world.agent).get(LEADS))
    assert shown == [world.delivery.public_id]
    assert told.public_id not in shown
    assert late.public_id not in shown


def test_the_pager_leads_through_what_is_due_and_back(world, as_user, monkeypatch):
    monkeypatch.setattr("feedback.list_views.LeadList.paginate_by", 3)
    for hours in range(1, 8):
        make.DeliveryFactory(
            lead__source=world.source,
            buyer=world.buyer,
            delivered_at=timezone.now() - dt.timedelta(hours=hours),
        )
    client, wanted = as_user(world.agent), expected(world)
    first = client.get(LEADS)
    second = client.get(next_url(first))
    third = client.get(next_url(second))
    assert [*ids(first), *ids(second), *ids(third)] == wanted
    assert "4–6 of 8" in second.content.decode()
    assert ids(client.get(next_url(third, "previous"))) == ids(second)
    assert ids(client.get(next_url(second, "previous"))) == ids(first)
    assert 'id="page-next"' not in third.content.decode()
    assert 'id="page-previous"' not in first.content.decode()


def test_a_row_says_how_long_is_left_for_what(world, as_user):
    Agreement.objects.update(schedule=Schedule.DAILY, return_window_days=10)
    page = as_user(world.agent).get(LEADS).content.decode()
    cell = page.split(f'id="due-{world.delivery.public_id}"')[1].split("<form")[0]
    assert [word for word in ("feedback", "return", "updates") if f">{word}<" in cell] == [
        "feedback",
        "return",
        "updates",
    ]
    assert "8 d left" in cell  # of ten, the first has passed
    assert 'title="' in cell


def test_the_number_of_queries_does_not_depend_on_the_flows(
    many_flows, as_user, django_assert_max_num_queries
):
    client = as_user(many_flows.agent)
    client.get(LEADS)
    with django_assert_max_num_queries(16):
        client.get(LEADS)
