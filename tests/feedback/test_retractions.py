"""Feedback that was taken back counts for nothing, in whatever order the events are looked at."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feedback import quality, stale
from feedback.fold import Event, State, fold, in_force, setter_of, standing, takes_effect
from feedback.history import STATE_COLUMNS
from feedback.intake import intake
from feedback.models import ChangeSet, Door, Feedback, SourceDay, StaleMark
from feedback.reading import applied_ids
from feedback.retract import take_back
from feedback.submission import Origin, Submission
from feedback.verify import verify
from flows.models import Delivery
from tests.feedback.test_fold import START, event, values
from tests.triggers import switch_off_append_only


def retraction(order: int, of: int) -> Event:
    return Event({}, START + dt.timedelta(minutes=order), order, f"fbk_{order}", of)


@st.composite
def histories(draw):
    """Up to ten events; some take an earlier one back, a retraction perhaps, or one that is gone already."""
    events = []
    for order in range(draw(st.integers(0, 10))):
        if events and draw(st.booleans()):
            events.append(retraction(order, draw(st.integers(0, order - 1))))
        else:
            events.append(event(draw(st.integers(0, 50)), order, **draw(values)))
    return events


def stands(wanted: Event, events: list[Event]) -> bool:
    """By the definition: nothing that stands itself takes it back."""
    return not any(each.retracts == wanted.order and stands(each, events) for each in events)


@settings(suppress_health_check=[HealthCheck.too_slow])  # on a busy machine
@given(st.data(), histories())
def test_any_permutation_of_events_and_retractions_gives_the_same_state(data, events):
    twice = events + (data.draw(st.lists(st.sampled_from(events))) if events else [])
    assert fold(data.draw(st.permutations(twice))) == fold(events)


@given(histories())
def test_the_state_is_that_of_the_events_that_stand_alone(events):
    alone = [each for each in events if each.retracts is None and stands(each, events)]
    assert fold(events) == fold(alone)
    assert fold(events).feedback_count == len(alone)
    assert {each.order for each in standing(events)} == {each.order for each in alone}
    assert {each.order for each in in_force(events)} == {
        each.order for each in events if stands(each, events)
    }


@given(histories())
def test_taking_back_all_leaves_no_state(events):
    said = [each for each in events if each.retracts is None]
    gone = [retraction(100 + each.order, each.order) for each in said]
    assert fold([*said, *gone]) == State()


@st.composite
def told_lives(draw):
    """Feedback at times of its own; what comes after each: how often it was taken back and restored, and the
    values that it was corrected to (None: it was not).
    """
    minutes = draw(st.lists(st.integers(0, 50), min_size=1, max_size=5, unique=True))
    return [(minute, draw(values), draw(st.integers(0, 3)), draw(st.none() | values)) for minute in minutes]


def arrivals(data, lives) -> list[Event]:
    """The events of these lives in some order of arrival: each life's own order is kept, as it must be."""
    turns = data.draw(st.permutations([life for life, told in enumerate(lives) for _ in steps(told)]))
    left = {life: steps(told) for life, told in enumerate(lives)}
    last: dict[int, int] = {}
    events = []
    for order, life in enumerate(turns, 1):
        minute, said = lives[life][0], left[life].pop(0)
        if said is RETRACTION:
            events.append(retraction(order, last[life]))
        else:
            events.append(event(minute, order, **said))
        last[life] = order
    return events


RETRACTION = object()


def steps(told) -> list:
    """First the feedback, then its chain of retractions, then, if it counts then, what corrects it."""
    _, said, turns, better = told
    chain = [said, *[RETRACTION] * turns]
    return chain if better is None or turns % 2 else [*chain, RETRACTION, better]


@given(st.data(), told_lives())
def test_in_whatever_order_corrections_and_restorations_arrive_they_make_one_state(data, lives):
    """To the cent: amounts are compared as decimals. What must come out is told without any retraction."""
    counting = [
        event(minute, minute, **(said if better is None else better))
        for minute, said, turns, better in lives
        if turns % 2 == 0
    ]
    arrived = arrivals(data, lives)
    twice = arrived + data.draw(st.lists(st.sampled_from(arrived)))
    assert fold(data.draw(st.permutations(twice))) == fold(counting)


def test_a_retraction_taken_back_lets_the_feedback_stand_again():
    said, gone, back = event(0, 1, outcome="converted"), retraction(2, 1), retraction(3, 2)
    assert fold([said, gone]) == State()
    assert fold([back, gone, said]) == fold([said])


def test_what_was_overruled_stands_again_once_the_newer_word_is_taken_back():
    first, second = event(0, 1, outcome="contacted", notes="a"), event(5, 2, outcome="returned")
    events = [first, second, retraction(3, 2)]
    assert fold(events).outcome == "contacted"
    assert setter_of("outcome", events) == first
    assert takes_effect(first, events)
    assert not takes_effect(event(0, 1, outcome="contacted"), [first, second])


@given(histories())
def test_applied_is_what_took_effect_on_arrival(events):
    rows = [
        Feedback(pk=each.order, values=each.values, occurred_at=each.occurred_at, retracts_id=each.retracts)
        for each in events
    ]
    expected = {
        each.order
        for place, each in enumerate(events)
        if each.retracts is not None or takes_effect(each, events[: place + 1])
    }
    assert applied_ids(reversed(rows)) == expected


# --- On record --------------------------------------------------------------------------------------
@pytest.fixture
def tell(world):
    """``tell(outcome=…)`` → the change set of the feedback; ``hours_ago`` gives it a timestamp."""

    def one(*, hours_ago: float | None = None, status="recorded", **said) -> ChangeSet:
        if hours_ago is not None:
            said["feedback_timestamp"] = at(hours_ago)
        origin = Origin(world.actor(world.agent), Door.PORTAL)
        (receipt,) = intake(
            world.flow, [Submission(0, {"lead_id": world.delivery.public_id, **said})], origin
        )
        assert receipt.status == status
        return Feedback.objects.get(public_id=receipt.feedback_id).change_set

    base = timezone.now()

    def at(hours: float) -> str:
        return (base - dt.timedelta(hours=hours)).isoformat()

    return one


@pytest.fixture
def retract(world):
    """``retract(change_set)`` → how many of its events were taken back."""

    def one(recorded: ChangeSet) -> int:
        under = ChangeSet.objects.create(door=Door.PORTAL, flow=world.flow, buyer=world.buyer)
        with transaction.atomic():
            return take_back(recorded, under).taken

    return one


def state_of(world) -> dict:
    row = Delivery.objects.get(pk=world.delivery.pk)
    return {name: getattr(row, name) for name in STATE_COLUMNS}


def assert_sound() -> None:
    while quality.recompute():
        pass
    assert [finding.name for finding in verify() if finding.faults] == []


def test_the_state_is_as_if_it_had_not_been_said_and_both_stay_on_record(world, tell, retract):
    stale.mark([world.delivery])
    tell(outcome="contacted", quality_score=4, hours_ago=5)
    before = state_of(world)
    wrong = tell(outcome="converted", revenue="9999", quality_score=None, hours_ago=2)
    while quality.recompute():
        pass
    assert SourceDay.objects.get().converted == 1
    version = Delivery.objects.get(pk=world.delivery.pk).version
    assert retract(wrong) == 1
    assert StaleMark.objects.count() == 1
    assert state_of(world) == before
    assert Delivery.objects.get(pk=world.delivery.pk).version == version + 1
    assert Feedback.objects.count() == 3
    assert_sound()
    assert (SourceDay.objects.get().converted, SourceDay.objects.get().revenue) == (0, 0)


def test_what_came_later_stays(world, tell, retract):
    wrong = tell(outcome="converted", revenue="9999", hours_ago=5)
    tell(outcome="contacted", notes="Later", hours_ago=1)
    retract(wrong)
    now = state_of(world)
    assert (now["outcome"], now["revenue"], now["fields"]) == ("contacted", None, {"notes": "Later"})
    assert now["feedback_count"] == 1
    assert_sound()


def test_without_anything_left_the_lead_waits_for_feedback_again(world, tell, retract):
    retract(tell(outcome="converted"))
    world.delivery.refresh_from_db()
    assert (world.delivery.feedback_count, world.delivery.first_feedback_at) == (0, None)
    assert (world.delivery.last_feedback_at, world.delivery.converted_at) == (None, None)
    later = timezone.now()
    tell(outcome="contacted")
    world.delivery.refresh_from_db()
    assert world.delivery.first_feedback_at >= later


def test_a_second_time_there_is_nothing_left_to_take_back(world, tell, retract):
    wrong = tell(outcome="converted")
    assert [retract(wrong), retract(wrong)] == [1, 0]
    assert Feedback.objects.count() == 2


@pytest.mark.parametrize("hours_ago", [None, 3])
def test_what_was_taken_back_can_be_said_again_once(world, tell, retract, hours_ago):
    said = {"outcome": "converted", "revenue": "12.50", "hours_ago": hours_ago}
    for _ in range(3):
        again = tell(**said)
        assert tell(status="unchanged", **said) == again
        assert state_of(world)["revenue"] == 12.5
        retract(again)
        assert state_of(world)["revenue"] is None
    assert_sound()


def test_an_event_is_taken_back_by_one_other_at_most(world, tell, retract):
    wrong = tell(outcome="converted")
    retract(wrong)
    first = Feedback.objects.get(retracts__isnull=False)
    with pytest.raises(IntegrityError), transaction.atomic():
        Feedback.objects.create(
            delivery=first.delivery,
            change_set=first.change_set,
            occurred_at=first.occurred_at,
            received_at=first.received_at,
            values={},
            fingerprint="another",
            schema_version=1,
            retracts=first.retracts,
        )


def test_a_retraction_that_was_redirected_is_found(world, tell, retract):
    """Behind the code's back, as whoever wants to hide something would."""
    other = tell(outcome="contacted", hours_ago=5).feedback.get()
    retract(tell(outcome="converted", hours_ago=2))
    switch_off_append_only()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE feedback_feedback SET retracts_id = %s WHERE retracts_id IS NOT NULL", [other.pk]
        )
    broken = {finding.name for finding in verify() if finding.faults}
    assert "every event reads as it was recorded" in broken
    assert "every delivery's state is the fold of its events" in broken


def test_the_history_says_what_was_taken_back_and_by_whom(world, tell, retract, as_user, api):
    wrong = tell(outcome="converted").feedback.get()
    retract(wrong.change_set)
    gone = Feedback.objects.get(retracts=wrong)
    page = as_user(world.agent).get(f"/leads/{world.delivery.public_id}/").content.decode()
    assert "Took back the feedback of" in page
    assert f'href="#{wrong.public_id}"' in page
    assert "Taken back since:" in page
    told = api.client.get(
        f"/flows/{world.flow.public_id}/leads/{world.delivery.public_id}/feedback",
        headers={"X-API-Key": api.key},
    ).json()["feedback"]
    assert [(each["feedback_id"], each["retracts"], each["retracted"]) for each in told] == [
        (wrong.public_id, None, True),
        (gone.public_id, wrong.public_id, False),
    ]
    assert [each["applied"] for each in told] == [True, True]
    assert told[1]["values"] == {}
