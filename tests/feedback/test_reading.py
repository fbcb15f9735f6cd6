"""What a buyer reads of their leads: which, in which order, and nothing that the agreement hides."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from urllib.parse import quote, urlencode

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from feedback.fold import Event, takes_effect
from feedback.models import Feedback
from feedback.reading import applied_ids
from flows import keys
from flows.models import Agreement, Delivery
from tests import factories as make
from tests.feedback.conftest import Api, fault_codes

JUNE = dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC)


class Reader:
    """Reads the leads of a flow."""

    def __init__(self, flow, key: str) -> None:
        self.path, self.key, self.client = f"/flows/{flow.public_id}/leads", key, Client()

    def get(self, suffix: str = "", **query):
        address = f"{self.path}{suffix}?{urlencode(query, doseq=True)}"
        return self.client.get(address, headers={"X-API-Key": self.key})

    def ids(self, **query) -> list[str]:
        response = self.get(**query)
        assert response.status_code == 200, response.content
        return [lead["lead_id"] for lead in response.json()["leads"]]

    def faults(self, **query) -> set[tuple[str, str]]:
        response = self.get(**query)
        assert (response.status_code, response.json()["code"]) == (422, "validation_failed")
        return fault_codes(response)


@pytest.fixture
def reader(world, live_key) -> Reader:
    world.delivery.delete()
    return Reader(world.flow, live_key)


def deliver(world, day: float = 0, **more) -> Delivery:
    """A delivery of some day of June 2026."""
    at = JUNE + dt.timedelta(days=day)
    lead = make.LeadFactory(source=more.pop("source", world.source), **more.pop("lead", {}))
    return make.DeliveryFactory(
        **{"lead": lead, "buyer": world.buyer, "delivered_at": at, "updated_at": at, **more}
    )


def hide(world, **columns: bool) -> None:
    Agreement.objects.filter(flow=world.flow, buyer=world.buyer).update(**columns)


# --- One lead -------------------------------------------------------------------------------------
def test_a_lead_is_read_whole(world, reader):
    contact = {"first_name": "Maria", "last_name": "Keller", "email": "m@example.com"}
    lead = {**contact, "data": {"zip": "78701"}}
    delivery = deliver(world, external_id="CRM-7", price=Decimal("25.5"), lead=lead)
    answer = reader.get(f"/{delivery.public_id}").json()
    assert answer.pop("lead")["conversion_status"] == "pending"
    assert answer == {
        "lead_id": delivery.public_id,
        "external_id": "CRM-7",
        "source": world.source.slug,
        "delivered_at": "2026-06-01T12:00:00Z",
        "price": "25.50",
        "contact": {**contact, "phone": "(512) 555-1212", "zip": "78701"},
        "update_window_closes_at": "2026-08-30T12:00:00Z",
    }


def test_the_state_is_that_of_the_receipt(world, api, lead):
    receipt = api.post({"lead_id": lead, "outcome": "converted", "revenue": 1500}).json()
    reader = Reader(world.flow, api.key)
    assert reader.get(f"/{lead}").json()["lead"] == receipt["lead"]
    assert reader.get().json()["leads"][0]["lead"] == receipt["lead"]


def test_what_the_agreement_hides_is_null(world, reader):
    delivery = deliver(world)
    hide(world, shows_source=False, shows_price=False, shows_contact=False)
    for answer in (reader.get(f"/{delivery.public_id}").json(), reader.get().json()["leads"][0]):
        assert (answer["source"], answer["price"], answer["contact"]) == (None, None, None)


def test_what_the_agreement_hides_cannot_be_asked_for(world, reader):
    hide(world, shows_source=False)
    right, wrong = reader.get(source=world.source.slug), reader.get(source="no-such-source")
    for response in (right, wrong):
        assert response.status_code == 422
        assert fault_codes(response) == {("source", "field_not_allowed")}
    assert right.json()["errors"] == wrong.json()["errors"]


@pytest.mark.parametrize("suffix", ["/{}", "/{}/feedback"])
@pytest.mark.parametrize(
    "whose", ["another tenant's", "another buyer's", "another flow's", "nobody's", "NUL"]
)
def test_what_is_not_mine_does_not_exist(world, other_world, reader, suffix, whose):
    other_flow = make.FlowFactory(seller=world.seller)
    ids = {
        "another tenant's": other_world.delivery.public_id,
        "another buyer's": make.DeliveryFactory(lead__source=world.source).public_id,
        "another flow's": make.DeliveryFactory(lead__source__flow=other_flow, buyer=world.buyer).public_id,
        "nobody's": "evt_0000000000000000",
        "NUL": quote("evt_\0"),
    }
    response = reader.get(suffix.format(ids[whose]))
    nobody = reader.get("/evt_1111111111111111").json()
    assert response.status_code == 404
    assert {**response.json(), "request_id": ""} == {**nobody, "request_id": ""}
    assert nobody["code"] == "lead_not_found"


def test_only_buyers_read(world, reader):
    deliver(world)
    seller = Reader(world.flow, keys.issue(name="Router", seller=world.seller)[1])
    for suffix in ("", "/evt_1", "/evt_1/feedback"):
        response = seller.get(suffix)
        assert (response.status_code, response.json()["code"]) == (403, "key_not_allowed")


def test_a_buyer_sells_nothing_at_the_same_address(world, reader):
    response = reader.client.post(
        reader.path, {}, content_type="application/json", headers={"X-API-Key": reader.key}
    )
    assert (response.status_code, response.json()["code"]) == (403, "key_not_allowed")


# --- The list ---------------------------------------------------------------------------------------
def test_the_newest_first_and_only_mine(world, other_world, reader):
    make.DeliveryFactory(lead__source=world.source)
    mine = [deliver(world, day).public_id for day in (1, 3, 2)]
    response = reader.get().json()
    assert [lead["lead_id"] for lead in response["leads"]] == [mine[1], mine[2], mine[0]]
    assert response["next_cursor"] is None
    assert response.keys() == {"leads", "next_cursor"}


def test_filters(world, reader):
    other = make.SourceFactory(flow=world.flow, slug="other")
    sold = deliver(world, 3, outcome="converted", conversion_status="sold").public_id
    bad = deliver(world, 2, outcome="bad_info", conversion_status="not_sold").public_id
    silent = deliver(world, 1, source=other).public_id
    assert reader.ids(outcome="converted") == [sold]
    assert reader.ids(conversion_status="not_sold") == [bad]
    assert reader.ids(conversion_status="pending") == [silent]
    assert reader.ids(source="other") == [silent]
    assert reader.ids(source="unheard-of") == []
    assert reader.ids(outcome="converted", source="other") == []
    assert reader.ids(outcome="", source="", cursor="", limit="") == [sold, bad, silent]


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ({"delivered_from": "2026-06-02T12:00:00Z"}, [3, 2, 1]),
        ({"delivered_from": "2026-06-02T12:00:01Z"}, [3, 2]),
        ({"delivered_to": "2026-06-02T12:00:00Z"}, [1, 0]),
        ({"delivered_to": "2026-06-02T14:00:00+02:00"}, [1, 0]),
        ({"delivered_to": "2026-06-02T14:00:00+01:59"}, [1, 0]),
        ({"delivered_to": "2026-06-02T14:00:00+02:01"}, [0]),
        ({"delivered_from": "2026-06-02", "delivered_to": "2026-06-03"}, [2, 1]),
        ({"delivered_from": "2026-06-04", "delivered_to": "2026-06-01"}, []),
        ({"updated_since": "2026-06-03T12:00:00Z"}, [3, 2]),
        ({"delivered_to": "9999-12-31"}, [3, 2, 1, 0]),
    ],
)
def test_bounds_in_time(world, reader, query, days):
    leads = {day: deliver(world, day).public_id for day in range(4)}
    assert reader.ids(**query) == [leads[day] for day in days]


def test_days_are_the_flows(world, reader):
    """Midnight in New York is 04:00 UTC in June."""
    late = deliver(world, 2 + 15 / 24).public_id  # 03:00 UTC of the 4th: still the 3rd
    deliver(world, 2 + 17 / 24)
    assert reader.ids(delivered_from="2026-06-03", delivered_to="2026-06-03") == [late]


def test_a_plus_that_the_address_made_a_space_is_understood(world, reader):
    lead = deliver(world).public_id
    assert reader.ids(delivered_from="2026-06-01T14:00:00 02:00") == [lead]
    assert reader.ids(delivered_from="2026-06-01T14:00:01 02:00") == []


def test_a_time_without_an_offset_is_read_in_the_flows_zone(world, reader):
    lead = deliver(world).public_id  # 08:00 in New York
    answer = reader.get(delivered_from="2026-06-01T08:00:00").json()
    assert [each["lead_id"] for each in answer["leads"]] == [lead]
    assert "America/New_York" in answer["warnings"][0]
    assert reader.ids(delivered_from="2026-06-01 08:00:01") == []


def test_updated_since_knows_when_feedback_came_not_when_it_happened(world, api, lead, time_machine):
    reader = Reader(world.flow, api.key)
    time_machine.move_to(world.delivery.delivered_at + dt.timedelta(hours=5), tick=False)
    since = (world.delivery.delivered_at + dt.timedelta(hours=4)).isoformat()
    Delivery.objects.update(updated_at=world.delivery.delivered_at)
    assert reader.ids(updated_since=since) == []
    happened = (world.delivery.delivered_at + dt.timedelta(hours=1)).isoformat()
    api.post({"lead_id": lead, "outcome": "converted", "feedback_timestamp": happened})
    assert reader.ids(updated_since=since) == [lead]


@pytest.mark.parametrize("suffix", ["", "/batch"])
def test_every_door_of_feedback_makes_an_update(world, api, lead, suffix):
    Delivery.objects.update(updated_at=JUNE)
    others = [make.DeliveryFactory(lead__source=world.source, buyer=world.buyer).public_id for _ in range(2)]
    Delivery.objects.update(updated_at=JUNE)
    said = [{"lead_id": each, "outcome": "contacted"} for each in (lead, others[0])]
    api.post({"feedback": said} if suffix else said[0], suffix=suffix)
    changed = Delivery.objects.filter(updated_at__gt=JUNE).values_list("public_id", flat=True)
    assert set(changed) == ({lead, others[0]} if suffix else {lead})


def test_every_fault_at_once(reader):
    assert reader.faults(
        outcome="sold",
        conversion_status="won",
        delivered_from="2026-02-30",
        delivered_to="yesterday",
        updated_since="03/01/2026",
        cursor="abc",
        limit="501",
        buyer="byr_1",
    ) == {
        ("outcome", "invalid_outcome"),
        ("conversion_status", "invalid_choice"),
        ("delivered_from", "invalid_timestamp"),
        ("delivered_to", "invalid_timestamp"),
        ("updated_since", "invalid_timestamp"),
        ("cursor", "invalid_choice"),
        ("limit", "out_of_range"),
        ("buyer", "unknown_field"),
    }


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ({"limit": "0"}, ("limit", "out_of_range")),
        ({"limit": "-1"}, ("limit", "invalid_type")),
        ({"limit": "ten"}, ("limit", "invalid_type")),
        ({"limit": "١٠"}, ("limit", "invalid_type")),
        ({"limit": "9" * 10}, ("limit", "invalid_type")),
        ({"outcome": ["converted", "returned"]}, ("outcome", "invalid_type")),
        ({"source": "a\0b"}, ("source", "invalid_type")),
        ({"updated_since": "0001-01-01T00:00:00+14:00"}, ("updated_since", "invalid_timestamp")),
        ({"delivered_from": "0000-01-01"}, ("delivered_from", "invalid_timestamp")),
        ({"lead__buyer__name": "x"}, ("lead__buyer__name", "unknown_field")),
        ({"_connector": "OR"}, ("_connector", "unknown_field")),
    ],
)
def test_a_bad_parameter(reader, query, fault):
    assert reader.faults(**query) == {fault}


def test_a_near_miss_is_named(reader):
    (fault,) = reader.get(outcomes="converted").json()["errors"]
    assert (fault["field"], fault["did_you_mean"]) == ("outcomes", "outcome")
    assert "limit" in fault["allowed"]


# --- Pages ------------------------------------------------------------------------------------------
def walk(reader, between=lambda page: None, **query) -> list[str]:
    """The ids of all pages, one after the other."""
    ids, cursor = [], ""
    for page in range(100):
        answer = reader.get(cursor=cursor, **query).json()
        ids += [lead["lead_id"] for lead in answer["leads"]]
        cursor = answer["next_cursor"]
        if cursor is None:
            return ids
        between(page)
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_pages_make_up_the_whole(world, reader, limit):
    """Several of one moment among them: the order among those is kept too."""
    made = [deliver(world, day).public_id for day in (0, 1, 1, 1, 2, 2, 3)]
    assert walk(reader, limit=limit) == made[::-1]


def test_writes_between_pages_neither_repeat_nor_lose(world, reader):
    made = [deliver(world, day).public_id for day in range(6)]

    def write(page: int) -> None:
        deliver(world, 10 + page)
        Delivery.objects.filter(public_id=made[page]).update(outcome="converted", updated_at=JUNE)

    assert walk(reader, write, limit=2) == made[::-1]


def test_a_cursor_keeps_to_the_filter(world, reader):
    made = [deliver(world, day, outcome="converted" if day % 2 else None).public_id for day in range(8)]
    assert walk(reader, limit=1, outcome="converted") == made[::-2]


def test_a_cursor_of_another_tenant_opens_nothing(world, other_world, reader):
    make.DeliveryFactory(lead__source=other_world.source, buyer=other_world.buyer)
    others = Reader(other_world.flow, keys.issue(name="CRM", buyer=other_world.buyer)[1])
    cursor = others.get(limit=1).json()["next_cursor"]
    deliver(world)
    mine, nonsense = reader.get(cursor=cursor), reader.get(cursor="ZXZ0Xw")
    assert mine.status_code == 422
    assert mine.json()["errors"] == nonsense.json()["errors"]


@pytest.mark.parametrize("cursor", ["abc", "%00", "AA", "=", "é", "🙂" * 10, "A" * 5000, "ZXZ0XwA="])
def test_a_made_up_cursor_is_a_fault(reader, cursor):
    assert reader.faults(cursor=cursor) == {("cursor", "invalid_choice")}


@pytest.mark.parametrize("count", [1, 30])
def test_the_queries_do_not_grow(world, reader, count, django_assert_max_num_queries):
    for day in range(count + 1):
        deliver(world, day)
    cursor = reader.get(limit=1).json()["next_cursor"]
    with django_assert_max_num_queries(8):
        assert len(reader.ids(limit=500, cursor=cursor)) == count


# --- History ----------------------------------------------------------------------------------------
def test_the_history_is_told_oldest_first(world, api, lead):
    at = world.delivery.delivered_at
    newer, older = (at + dt.timedelta(hours=hours) for hours in (3, 1))
    first = api.post(
        {"lead_id": lead, "outcome": "converted", "revenue": 1500, "feedback_timestamp": newer.isoformat()}
    )
    late = api.post({"lead_id": lead, "outcome": "contacted", "feedback_timestamp": older.isoformat()})
    history = Reader(world.flow, api.key).get(f"/{lead}/feedback").json()["feedback"]
    assert [each["feedback_id"] for each in history] == [
        late.json()["feedback_id"],
        first.json()["feedback_id"],
    ]
    assert [each["applied"] for each in history] == [late.json()["applied"], first.json()["applied"]]
    assert [each["applied"] for each in history] == [False, True]
    assert history[1]["values"] == {"outcome": "converted", "revenue": "1500.00"}
    assert dt.datetime.fromisoformat(history[1]["occurred_at"]) == newer
    assert history[1]["received_at"] > history[1]["occurred_at"]
    assert history[1]["door"] == "api"
    assert history[1]["request_id"] == first["X-Request-Id"]


def test_a_lead_without_feedback_has_an_empty_history(world, reader):
    assert reader.get(f"/{deliver(world).public_id}/feedback").json() == {"feedback": []}


def test_what_was_cleared_stands_in_the_history(world, api: Api, lead):
    api.post({"lead_id": lead, "notes": "Call back"})
    api.post({"lead_id": lead, "notes": None})
    history = Reader(world.flow, api.key).get(f"/{lead}/feedback").json()["feedback"]
    assert [each["values"] for each in history] == [{"notes": "Call back"}, {"notes": None}]


said = st.dictionaries(st.sampled_from("abc"), st.integers(0, 1), min_size=1)


@given(st.lists(st.tuples(said, st.integers(0, 3)), max_size=8))
def test_applied_is_what_the_receipt_said(news):
    rows = [
        Feedback(pk=pk, values=values, occurred_at=JUNE + dt.timedelta(hours=hours))
        for pk, (values, hours) in enumerate(news)
    ]
    events = [Event(row.values, row.occurred_at, row.pk) for row in rows]
    receipts = {event.order for n, event in enumerate(events) if takes_effect(event, events[: n + 1])}
    assert applied_ids(reversed(rows)) == receipts
