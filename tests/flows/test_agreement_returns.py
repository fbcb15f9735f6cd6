"""What a seller may set up about returns, in the admin; and the arithmetic of window and cap."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from flows.models import Agreement, Flow
from flows.returns import USUAL_REASONS, Cap, month_of, reasons_of, return_deadline
from tests.admin_pages import faults, filled, url


@pytest.fixture
def agreement(world) -> Agreement:
    return Agreement.objects.get(flow=world.flow, buyer=world.buyer)


def change(client, row, **values):
    address = url(row, "change")
    return client.post(address, filled(client, address, **values))


def test_an_owner_says_what_may_be_returned(world, agreement, as_user):
    answer = change(
        as_user(world.owner),
        agreement,
        return_window_days="14",
        return_cap_kind="share",
        return_cap="10",
        return_auto_reasons="Duplicate\n\nWrong person",
        return_answer_days="3",
        offers_replacement="on",
    )
    assert answer.status_code == 302
    agreement.refresh_from_db()
    assert (agreement.return_window_days, agreement.return_cap_kind) == (14, "share")
    assert agreement.return_cap == 10
    assert agreement.return_auto_reasons == ["Duplicate", "Wrong person"]
    assert (agreement.return_answer_days, agreement.offers_replacement) == (3, True)
    listed = as_user(world.owner).get(url(Agreement, "changelist")).text
    assert "within 14 days" in listed


@pytest.mark.parametrize(
    ("values", "field", "says"),
    [
        ({"return_cap_kind": "share", "return_cap": "101"}, "return_cap", "at most 100 %"),
        ({"return_cap_kind": "count", "return_cap": ""}, "return_cap", "Say how many"),
        ({"return_cap_kind": "none", "return_cap": "5"}, "return_cap", "what this number counts"),
        ({"return_window_days": "0"}, "return_window_days", "greater than or equal to 1"),
        ({"return_answer_days": "0"}, "return_answer_days", "greater than or equal to 1"),
        ({"return_auto_reasons": "Bad mood"}, "return_auto_reasons", "“Bad mood” is no reason"),
    ],
)
def test_what_makes_no_sense_is_told_beside_its_field(world, agreement, as_user, values, field, says):
    found = faults(change(as_user(world.owner), agreement, **values))
    assert list(found) == [field]
    assert says in found[field][0]


def test_a_flow_has_its_own_reasons_or_those_of_its_field_or_the_usual_ones(world, as_user):
    flow = world.flow
    assert reasons_of(flow) == USUAL_REASONS
    flow.fields.filter(name="reason").update(kind="choice", choices=["Out of area", "Duplicate"])
    assert reasons_of(flow) == ("Out of area", "Duplicate")
    answer = change(as_user(world.owner), flow, return_reasons="Fake\nNot a homeowner")
    assert answer.status_code == 302
    assert reasons_of(Flow.objects.get(pk=flow.pk)) == ("Fake", "Not a homeowner")
    twice = faults(change(as_user(world.owner), flow, return_reasons="Fake\nFake"))
    assert "there twice" in twice["return_reasons"][0]


def test_the_deadline_is_the_delivery_and_the_window(world, agreement):
    assert return_deadline(world.delivery, agreement) is None
    agreement.return_window_days = 14
    assert return_deadline(world.delivery, agreement) == world.delivery.delivered_at + dt.timedelta(days=14)


@pytest.mark.parametrize(
    ("kind", "number", "delivered", "used", "left"),
    [
        ("none", None, 50, 9, None),
        ("count", 5, 50, 3, 2),
        ("count", 5, 50, 7, 0),
        ("count", 0, 50, 0, 0),
        ("share", 10, 39, 1, 2),
        ("share", 10, 9, 0, 0),
        ("share", 100, 3, 3, 0),
    ],
)
def test_what_is_left_of_a_months_cap(kind, number, delivered, used, left):
    agreement = Agreement(return_cap_kind=kind, return_cap=number)
    cap = Cap.of(agreement, dt.date(2026, 11, 1), delivered=delivered, used=used)
    assert cap.left == left
    assert cap.reached == (left == 0)


def test_a_month_is_that_of_the_flows_time_zone():
    flow = Flow(timezone="America/New_York")
    zone = ZoneInfo(flow.timezone)
    still_october = dt.datetime(2026, 11, 1, 3, 59, tzinfo=dt.UTC)
    assert month_of(still_october, flow) == (
        dt.datetime(2026, 10, 1, tzinfo=zone),
        dt.datetime(2026, 11, 1, tzinfo=zone),
    )
    december = dt.datetime(2026, 12, 31, 23, tzinfo=dt.UTC)
    assert month_of(december, flow)[1] == dt.datetime(2027, 1, 1, tzinfo=zone)
