"""The same events give the same state, in whatever order and however often they arrive."""

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.fold import Event, State, fold, setter_of, takes_effect
from flows.models import Outcome

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def event(minute: int, order: int | None = None, **values) -> Event:
    return Event(values, START + dt.timedelta(minutes=minute), minute if order is None else order)


money = st.decimals(0, 10**9, places=2).map(str)
values = st.fixed_dictionaries(
    {},
    optional={
        "outcome": st.none() | st.sampled_from(Outcome.values),
        "converted": st.none() | st.booleans(),
        "quality_score": st.none() | st.integers(1, 5),
        "revenue": st.none() | money,
        "commission": st.none() | money,
        "contacted_date": st.none() | st.just("2026-01-01T05:00:00Z"),
        "notes": st.none() | st.text(max_size=5),
        "issues": st.none() | st.lists(st.text(max_size=3), max_size=2),
    },
)
histories = st.lists(st.tuples(st.integers(0, 10**6), values), max_size=8, unique_by=lambda pair: pair[0])


@given(st.data(), histories)
def test_order_and_repetition_do_not_matter(data, history):
    events = [event(minute, **said) for minute, said in history]
    arrived = data.draw(
        st.permutations(events + data.draw(st.lists(st.sampled_from(events))) if events else [])
    )
    assert fold(arrived) == fold(sorted(events, key=lambda e: e.occurred_at))


@given(histories)
def test_each_field_is_what_its_last_event_said(history):
    events = [event(minute, **said) for minute, said in history]
    state = fold(events)
    last = {}
    for _, said in sorted(history, key=lambda pair: pair[0]):
        last.update(said)
    assert state.outcome == last.get("outcome")
    assert state.quality_score == last.get("quality_score")
    assert state.revenue == (Decimal(last["revenue"]) if last.get("revenue") is not None else None)
    kept = {name: last[name] for name in ("converted", "notes", "issues") if last.get(name) is not None}
    assert state.fields == kept
    assert state.feedback_count == len(history)
    assert state.last_feedback_at == max((e.occurred_at for e in events), default=None)
    assert (state.converted_at is not None) == (state.conversion_status == "sold")


def test_no_events_no_state():
    assert fold([]) == State()


def test_of_one_time_the_later_arrival_decides():
    first, second = event(0, 1, outcome="contacted"), event(0, 2, outcome="converted")
    assert fold([second, first]).outcome == "converted"


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"outcome": "converted"}, "sold"),
        ({"outcome": "contacted"}, "pending"),
        ({"outcome": "no_contact"}, "pending"),
        ({"outcome": "bad_info"}, "not_sold"),
        ({"outcome": "duplicate"}, "not_sold"),
        ({"outcome": "not_interested"}, "not_sold"),
        ({"outcome": "returned"}, "not_sold"),
        ({"converted": True}, "sold"),
        ({"converted": False}, "not_sold"),
        # both in one event: a decided outcome, then converted, then an open outcome
        ({"outcome": "returned", "converted": True}, "not_sold"),
        ({"outcome": "converted", "converted": False}, "sold"),
        ({"outcome": "contacted", "converted": True}, "sold"),
        ({"outcome": "no_contact", "converted": False}, "not_sold"),
        ({"outcome": None, "converted": True}, "sold"),
        ({"notes": "hello"}, "pending"),
    ],
)
def test_conversion_status_of_one_event(said, status):
    assert fold([event(0, **said)]).conversion_status == status


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        ({"outcome": "converted"}, {"converted": False}, "not_sold"),
        ({"converted": False}, {"outcome": "converted"}, "sold"),
        ({"converted": True}, {"outcome": "contacted"}, "pending"),
        ({"outcome": "returned"}, {"converted": True}, "sold"),
        # the one that spoke last is cleared: the other stands
        ({"outcome": "converted", "converted": None}, {"outcome": None}, "pending"),
        ({"converted": True}, {"outcome": None}, "sold"),
        ({"outcome": "converted"}, {"notes": "paid"}, "sold"),
    ],
)
def test_the_later_setter_of_the_conversion_status_wins(first, second, status):
    assert fold([event(0, **first), event(1, **second)]).conversion_status == status


def test_clearing_the_later_word_lets_the_earlier_stand():
    events = [event(0, outcome="converted"), event(1, converted=False), event(2, converted=None)]
    assert fold(events[:2]).conversion_status == "not_sold"
    assert fold(events).conversion_status == "sold"


def test_sold_since_the_first_event_of_the_present_sale():
    events = [
        event(0, outcome="converted"),
        event(1, outcome="returned"),
        event(2, outcome="converted"),
        event(3, outcome="converted", revenue="5.00"),
    ]
    assert fold(events[:2]).converted_at is None
    assert fold(events).converted_at == events[2].occurred_at


def test_the_setter_is_the_latest_event_that_names_the_field():
    events = [event(0, outcome="contacted"), event(2, outcome=None), event(1, outcome="returned", notes="x")]
    assert setter_of("outcome", events) == events[1]
    assert setter_of("notes", events) == events[2]
    assert setter_of("revenue", events) is None


def test_an_event_takes_effect_while_any_of_its_fields_stands():
    late = event(1, outcome="contacted", notes="late")
    assert takes_effect(late, [late, event(2, outcome="converted")])
    assert not takes_effect(late, [late, event(2, outcome="converted"), event(3, notes=None)])
