"""The pipeline for a list: what is recorded, what is refused, and that lists cost no more queries."""

import datetime as dt
from dataclasses import asdict
from decimal import Decimal

import pytest
from django.db import connection
from django.utils.timezone import now
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feedback.fold import Event, fold
from feedback.history import STATE_COLUMNS
from feedback.intake import intake
from feedback.models import ChangeSet, Door, Feedback, StaleMark
from feedback.present import state_json
from feedback.schema.clock import iso
from feedback.submission import Origin, Submission
from flows.problems import ProblemError
from tests import factories as make

pytestmark = pytest.mark.django_db


@pytest.fixture
def origin(world):
    return Origin(actor=world.actor(world.agent), door=Door.PORTAL, request_id="req_1")


@pytest.fixture
def send(world, origin):
    def _send(*payloads, **options):
        submissions = [Submission(i, payload) for i, payload in enumerate(payloads)]
        return intake(world.flow, submissions, origin, **options)

    return _send


def test_feedback_becomes_event_state_and_mark(world, send):
    payload = {"lead_id": world.delivery.public_id, "outcome": "converted", "revenue": 1500}
    (receipt,) = send(payload)

    assert receipt.status == "recorded" and receipt.applied
    event = Feedback.objects.get()
    assert event.public_id == receipt.feedback_id
    assert event.values == {"outcome": "converted", "revenue": "1500.00"}
    world.delivery.refresh_from_db()
    assert world.delivery.outcome == "converted"
    assert world.delivery.conversion_status == "sold"
    assert world.delivery.revenue == Decimal("1500.00")
    assert world.delivery.converted_at == event.occurred_at
    assert world.delivery.version == world.delivery.feedback_count == 1
    assert StaleMark.objects.get().day == world.delivery.delivered_on
    change = ChangeSet.objects.get()
    assert (change.buyer, change.user, change.request_id) == (world.buyer, world.agent, "req_1")
    assert state_json(receipt.delivery, world.flow)["fields"]["sale_amount"] == "1500.00"


def test_a_list_keeps_the_good_and_says_what_is_wrong_with_the_rest(world, other_world, send):
    second = make.DeliveryFactory(lead__source=world.source, buyer=world.buyer)
    receipts = send(
        {"lead_id": world.delivery.public_id, "outcome": "contacted"},
        {"lead_id": world.delivery.public_id, "outcome": "sold"},
        {"lead_id": other_world.delivery.public_id, "outcome": "contacted"},
        {"lead_id": second.public_id, "quality_score": 3},
        {"lead_id": "evt_test", "quality_score": 3},
    )
    assert [receipt.index for receipt in receipts] == [0, 1, 2, 3, 4]
    assert [receipt.status for receipt in receipts] == [
        "recorded",
        "rejected",
        "rejected",
        "recorded",
        "test",
    ]
    assert [r.problem and r.problem.code for r in receipts[1:3]] == ["validation_failed", "lead_not_found"]
    assert Feedback.objects.count() == StaleMark.objects.count() == 2
    assert ChangeSet.objects.count() == 1


def test_rows_for_one_lead_are_taken_in_order(world, send):
    lead = world.delivery.public_id
    receipts = send(
        {"lead_id": lead, "outcome": "contacted"},
        {"lead_id": lead, "outcome": "converted"},
        {"lead_id": lead, "outcome": "contacted"},
        {"lead_id": lead, "outcome": "contacted"},
    )
    assert [receipt.status for receipt in receipts] == ["recorded", "recorded", "recorded", "unchanged"]
    world.delivery.refresh_from_db()
    assert world.delivery.outcome == "contacted"
    assert world.delivery.feedback_count == world.delivery.version == 3
    assert StaleMark.objects.count() == 1


def test_all_or_none(world, send):
    lead = world.delivery.public_id
    receipts = send(
        {"lead_id": lead, "outcome": "contacted"}, {"lead_id": lead, "outcome": "sold"}, atomic=True
    )
    assert [receipt.problem.code for receipt in receipts] == ["not_recorded", "validation_failed"]
    assert not Feedback.objects.exists() and not StaleMark.objects.exists()
    world.delivery.refresh_from_db()
    assert world.delivery.outcome is None
    good = send({"lead_id": lead, "outcome": "contacted"}, {"lead_id": lead, "revenue": 1}, atomic=True)
    assert [receipt.status for receipt in good] == ["recorded", "recorded"]


def test_nothing_recorded_leaves_no_change_set(world, send):
    payload = {"lead_id": world.delivery.public_id, "outcome": "contacted"}
    send(payload)
    (again,) = send(payload)
    assert again.status == "unchanged"
    assert (ChangeSet.objects.count(), StaleMark.objects.count()) == (1, 1)
    world.delivery.refresh_from_db()
    assert world.delivery.version == 1


def test_a_stale_tab_is_told(world, origin):
    lead = world.delivery.public_id

    def save(outcome, version):
        submission = Submission(0, {"lead_id": lead, "outcome": outcome}, expected_version=version)
        return intake(world.flow, [submission], origin)[0]

    assert save("contacted", 0).status == "recorded"
    assert save("contacted", 0).status == "unchanged"  # the button was pressed twice: nothing is lost
    stale = save("returned", 0).problem
    assert (stale.status, stale.code) == (409, "stale")
    assert "changed" in stale.title and "send yours again" in stale.detail
    assert save("returned", 1).status == "recorded"


def test_a_seller_may_speak_for_several_buyers_each_in_a_change_set_of_its_own(world):
    second = make.DeliveryFactory(lead__source=world.source)
    submissions = [
        Submission(i, {"lead_id": each.public_id, "outcome": "contacted"})
        for i, each in enumerate((world.delivery, second))
    ]
    intake(world.flow, submissions, Origin(actor=world.actor(world.owner), door=Door.PORTAL))
    assert {change.buyer for change in ChangeSet.objects.all()} == {world.buyer, second.buyer}


def test_an_external_id_that_several_buyers_use_finds_no_lead_for_the_seller(world):
    for buyer in (world.buyer, make.BuyerFactory(seller=world.seller)):
        make.DeliveryFactory(lead__source=world.source, buyer=buyer, external_id="CRM_1")
    submission = Submission(0, {"external_id": "CRM_1", "outcome": "contacted"})
    (receipt,) = intake(world.flow, [submission], Origin(world.actor(world.owner), Door.PORTAL))
    assert receipt.problem.code == "lead_not_found"


def test_a_flow_that_takes_no_feedback_refuses_every_door(world, send):
    world.flow.feedback_enabled = False
    with pytest.raises(ProblemError) as refused:
        send({"lead_id": world.delivery.public_id, "outcome": "contacted"})
    assert (refused.value.problem.status, refused.value.problem.code) == (403, "feedback_disabled")


def test_history_can_be_replayed_at_its_own_time(world, send):
    then = now() - dt.timedelta(hours=5)
    send({"lead_id": world.delivery.public_id, "outcome": "contacted"}, now=then)
    event = Feedback.objects.get()
    assert event.occurred_at == event.received_at == then
    assert StaleMark.objects.get().marked_at == ChangeSet.objects.get().created_at == then
    world.delivery.refresh_from_db()
    assert world.delivery.first_feedback_at == then


def test_first_feedback_is_when_it_was_received_last_when_it_happened(world, send):
    lead = world.delivery.public_id
    at = [now() - dt.timedelta(hours=hours) for hours in (5, 4, 3)]
    send({"lead_id": lead, "outcome": "contacted", "feedback_timestamp": iso(at[0])}, now=at[1])
    send({"lead_id": lead, "outcome": "converted"}, now=at[2])
    world.delivery.refresh_from_db()
    assert (world.delivery.first_feedback_at, world.delivery.last_feedback_at) == (at[1], at[2])


def test_the_same_words_said_again_after_others_at_one_instant_are_kept_apart(world, send):
    then = now()
    for outcome in ("contacted", "converted", "contacted"):
        send({"lead_id": world.delivery.public_id, "outcome": outcome}, now=then)
    world.delivery.refresh_from_db()
    assert (world.delivery.feedback_count, world.delivery.outcome) == (3, "contacted")


words = st.fixed_dictionaries(
    {"feedback_timestamp": st.integers(1, 20)},
    optional={
        "outcome": st.sampled_from(["contacted", "converted", None]),
        "revenue": st.sampled_from(["1.10", "2.20", None]),
        "notes": st.sampled_from(["a", "b"]),
    },
).filter(lambda said: len(said) > 1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(st.data(), st.lists(words, min_size=1, max_size=6, unique_by=lambda said: said["feedback_timestamp"]))
def test_however_lists_arrive_the_state_is_the_fold(world, send, data, said):
    """Any order, any repetition, in one list or in many: the same state, and equal to the fold on record."""
    arrived = data.draw(st.permutations(said + data.draw(st.lists(st.sampled_from(said)))))
    whole = data.draw(st.booleans())
    delivery = make.DeliveryFactory(lead__source=world.source, buyer=world.buyer)
    base = delivery.delivered_at

    def payload(words):
        at = iso(base + dt.timedelta(minutes=words["feedback_timestamp"]))
        return {**words, "lead_id": delivery.public_id, "feedback_timestamp": at}

    payloads = [payload(words) for words in arrived]
    for one in [payloads] if whole else [[each] for each in payloads]:
        send(*one)
    delivery.refresh_from_db()
    expected = fold(
        Event(
            {name: value for name, value in words.items() if name != "feedback_timestamp"},
            base + dt.timedelta(minutes=words["feedback_timestamp"]),
            words["feedback_timestamp"],
        )
        for words in said
    )
    assert {name: getattr(delivery, name) for name in STATE_COLUMNS} == asdict(expected)


@pytest.mark.parametrize("count", [1, 40])
def test_a_list_takes_as_many_queries_as_one(world, send, django_assert_num_queries, count):
    """Deliveries (locked), their events; change set, new events, states, marks; who wants to be told.

    Forty is as many as SQLite takes in one statement; a hundred are tried where no such limit is.
    """
    if count > 1 and connection.vendor == "postgresql":
        count = 100
    deliveries = [
        make.DeliveryFactory(lead__source=world.source, buyer=world.buyer, external_id=f"CRM_{number}")
        for number in range(count)
    ]
    send({"lead_id": world.delivery.public_id, "notes": "compiles the schema"})
    payloads = [{"lead_id": each.public_id, "outcome": "contacted", "revenue": 5} for each in deliveries]
    with django_assert_num_queries(7):
        receipts = send(*payloads)
    assert [receipt.status for receipt in receipts] == ["recorded"] * count
