"""The record of what became of sources, and what an undo asks it: whether anything came in between."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db.models import ProtectedError
from django.utils.timezone import now
from hypothesis import given
from hypothesis import strategies as st

from flows import actions, decisions
from flows.actions.base import Changed, Target
from flows.models import Decision, Rule, Source, SourceBuyer, SourceChange
from flows.source_changes import standing
from flows.sources import pause, pause_for, resume, resume_for, save_edited
from tests import factories as make
from tests.flows.test_decisions import NUMBERS

DOWN, UP = ({"percentage": by, "min": 1, "max": 1000} for by in (-20, 25))


def decide(world, action="step_cap", params=DOWN, *, rule="", buyer=None) -> Decision:
    """A rule fires on the world's source as it stands."""
    scope = "source_buyer" if buyer else "source"
    made, _ = Rule.objects.get_or_create(
        flow=world.flow,
        name=rule or action,
        defaults={"action": action, "params": params, "cooldown_hours": 0, "scope": scope},
    )
    target = Target(
        Source.objects.get(pk=world.source.pk),
        f"look {Decision.objects.count()}",
        "Because it is so",
        {**NUMBERS, "count": 40 + Decision.objects.count()},
        buyer=buyer,
    )
    (decision,) = decisions.decide(made, [target], now=now())
    return decision


def edit(world, **columns) -> None:
    """As a person saves the source's page."""
    source = Source.objects.get(pk=world.source.pk)
    for name, value in columns.items():
        setattr(source, name, value)
    save_edited(source, list(columns), user=world.owner)


def cap() -> int | None:
    return Source.objects.get().daily_cap


def recorded(**which) -> list[tuple]:
    """What is on record, the oldest first: column, before, after, by, who."""
    rows = SourceChange.objects.filter(**which).order_by("pk").select_related("user")
    return [(row.column, row.before, row.after, row.by, row.user) for row in rows]


@pytest.fixture
def stepped(world) -> Decision:
    """A rule has taken the cap from 100 to 80."""
    Source.objects.update(daily_cap=100)
    return decide(world)


# --- The record ------------------------------------------------------------------------------------------
def test_each_change_is_on_record_with_who_made_it(world, stepped):
    edit(world, daily_cap=90, base_price=Decimal("25.00"), name="Other name")
    decisions.undo(stepped, user=world.analyst, force=True)
    assert recorded() == [
        ("daily_cap", 100, 80, "decision", None),
        ("daily_cap", 80, 90, "hand", world.owner),
        ("base_price", "20", "25", "hand", world.owner),
        ("daily_cap", 90, 100, "undo", world.analyst),
    ]
    assert set(SourceChange.objects.filter(by="undo").values_list("decision")) == {(stepped.pk,)}


def test_pausing_and_resuming_by_hand_is_on_record_with_its_reason(world):
    pause(Source.objects.all(), "Audit", user=world.owner)
    pause(Source.objects.all(), "Again", user=world.owner)  # changes nothing
    resume(Source.objects.all(), "", user=world.owner)
    assert recorded() == [
        ("status", "active", "paused", "hand", world.owner),
        ("status", "paused", "active", "hand", world.owner),
    ]
    assert SourceChange.objects.order_by("pk").first().reason == "Audit"


def test_what_is_saved_unchanged_is_not_on_record(world):
    edit(world, daily_cap=None, price_adjustment=Decimal("1.0000"), name="Other name")
    assert recorded() == []


def test_it_cannot_be_rewritten(world, stepped):
    change = SourceChange.objects.get()
    for rewrite in (
        change.save,
        change.delete,
        lambda: SourceChange.objects.update(after=1),
        lambda: SourceChange.objects.all().delete(),
        lambda: SourceChange.objects.bulk_update([change], ["after"]),
    ):
        with pytest.raises(TypeError, match="append-only"):
            rewrite()


def test_it_outlives_who_made_it_and_goes_with_its_source(world):
    source = make.SourceFactory(flow=world.flow)
    pause(Source.objects.filter(pk=source.pk), "", user=world.analyst)
    world.analyst.delete()
    assert recorded() == [("status", "active", "paused", "hand", None)]
    source.delete()
    assert recorded() == []
    with pytest.raises(ProtectedError):
        world.source.delete()


@pytest.mark.parametrize("count", [1, 20])
def test_recording_takes_one_query_however_many_change(world, count, django_assert_num_queries):
    for _ in range(count - 1):
        make.SourceFactory(flow=world.flow)
    with django_assert_num_queries(7):  # savepoint, lock, flows, update, record, who listens, release
        pause(Source.objects.all(), "Audit", user=world.owner)
    assert SourceChange.objects.count() == count


# --- Undo ------------------------------------------------------------------------------------------------
def test_a_person_who_went_away_and_back_has_changed_it(world, stepped):
    edit(world, daily_cap=90)
    edit(world, daily_cap=80)
    with pytest.raises(Changed) as changed:
        decisions.undo(stepped, user=world.owner)
    assert (cap(), changed.value.stands) == (80, {"daily_cap": 80})
    assert [(each.before, each.after, each.user) for each in changed.value.since] == [
        (80, 90, world.owner),
        (90, 80, world.owner),
    ]
    decisions.undo(stepped, user=world.owner, force=True)
    assert cap() == 100


def test_another_rule_that_went_down_and_up_has_changed_it(world, stepped):
    down = decide(world, rule="Other")
    up = decide(world, params=UP, rule="Third")
    assert cap() == 80
    with pytest.raises(Changed) as changed:
        decisions.undo(stepped, user=world.owner)
    assert [each.decision for each in changed.value.since] == [down, up]
    assert cap() == 80


@pytest.mark.parametrize("column", ["status", "price_adjustment"])
def test_status_and_price_likewise(world, column):
    if column == "status":
        decision = decide(world, "pause_source", {})
        resume(Source.objects.all(), "", user=world.owner)
        pause(Source.objects.all(), decision.after["status_reason"], user=world.owner)
    else:
        decision = decide(world, "set_price_adjustment", {"value": "1.2"})
        edit(world, price_adjustment=Decimal("1.1"))
        edit(world, price_adjustment=Decimal("1.2000"))
    with pytest.raises(Changed) as changed:
        decisions.undo(decision, user=world.owner)
    assert len(changed.value.since) == 2
    assert decision.after == changed.value.stands


def test_another_base_price_is_asked_about_where_a_price_is_undone(world):
    """The factor stands as the rule left it; what it makes of the price does not. A reversal goes on."""
    decision = decide(world, "set_price_adjustment", {"value": "0.8"})
    edit(world, base_price=Decimal(99))
    with pytest.raises(Changed) as changed:
        decisions.undo(decision, user=world.owner)
    assert [each.column for each in changed.value.since] == ["base_price"]
    (planned,) = actions.get("set_price_adjustment").plan_reverse([decisions.lock(decision)], ["cleared"])
    assert not isinstance(planned, Changed)
    decisions.undo(decision, user=world.owner, force=True)
    source = Source.objects.get(pk=world.source.pk)
    assert (source.price_adjustment, source.base_price) == (1, 99)


def test_a_source_paused_for_one_buyer_likewise(world):
    decision = decide(world, "pause_source", {}, buyer=world.buyer)
    other = make.BuyerFactory(seller=world.seller)
    pause_for(world.source, other, "Not theirs", user=world.owner)
    pause(Source.objects.all(), "Everybody", user=world.owner)
    assert decisions.actions.get("pause_source").in_the_way(decision) is None  # others, and the whole
    resume_for(world.source, world.buyer, "", user=world.owner)
    pause_for(world.source, world.buyer, decision.after["status_reason"], user=world.owner)
    with pytest.raises(Changed):
        decisions.undo(decision, user=world.owner)
    decisions.undo(decision, user=world.owner, force=True)
    assert SourceBuyer.objects.get(buyer=world.buyer).status == "active"


def test_what_changed_another_column_or_source_is_not_in_the_way(world, stepped):
    edit(world, base_price=Decimal(30), price_adjustment=Decimal("1.1"))
    pause(Source.objects.all(), "Audit", user=world.owner)
    other = make.SourceFactory(flow=world.flow, daily_cap=80)
    other.daily_cap = 70
    save_edited(other, ["daily_cap"], user=world.owner)
    decisions.undo(stepped, user=world.owner)
    assert Source.objects.get(pk=world.source.pk).daily_cap == 100


def test_decisions_taken_back_the_last_first_leave_nothing_to_ask_about(world, stepped):
    second, third = decide(world), decide(world, rule="Other")
    decisions.undo(third, user=world.owner)
    decisions.undo(second, user=world.owner)
    decisions.undo(stepped, user=world.owner)
    assert cap() == 100


def test_taken_back_in_another_order_is_asked_about(world, stepped):
    second = decide(world)
    decisions.undo(stepped, user=world.owner, force=True)
    assert cap() == 100
    with pytest.raises(Changed) as changed:
        decisions.undo(second, user=world.owner)
    assert [each.by for each in changed.value.since] == ["undo"]


def test_a_decision_of_before_the_record_falls_back_on_values(world, stepped):
    SourceChange.objects.all()._raw_delete("default")
    edit(world, daily_cap=90)
    with pytest.raises(Changed) as changed:
        decisions.undo(stepped, user=world.owner)
    assert (changed.value.stands, list(changed.value.since)) == ({"daily_cap": 90}, [])
    edit(world, daily_cap=80)
    decisions.undo(stepped, user=world.owner)
    assert cap() == 100


def test_what_went_round_the_record_is_seen_by_its_value(world, stepped):
    Source.objects.update(daily_cap=90)
    with pytest.raises(Changed):
        decisions.undo(stepped, user=world.owner)


class Taken:
    """Decisions that are made on a cap and taken back, or not, in any order; a stack of those that stand."""

    def __init__(self) -> None:
        self.cap, self.changes, self.stack = 100, [], []

    def do(self, cap: int) -> None:
        decision = Decision(pk=len(self.changes) + 1)
        self.note(cap, SourceChange.By.DECISION, decision)
        self.stack.append(self.changes[-1])

    def take_back(self, reversal: bool) -> None:
        last = self.stack.pop()
        back = Decision(pk=len(self.changes) + 1, reverses=last.decision) if reversal else last.decision
        self.note(last.before, SourceChange.By.DECISION if reversal else SourceChange.By.UNDO, back)

    def note(self, cap: int, by: str, decision: Decision | None) -> None:
        self.changes.append(
            SourceChange(column="daily_cap", before=self.cap, after=cap, by=by, decision=decision)
        )
        self.cap = cap


@given(st.lists(st.one_of(st.integers(1, 9), st.booleans()), max_size=30))
def test_what_stands_is_what_was_not_taken_back(steps):
    """Integers: a decision that sets so many. Booleans: the last that stands is undone, or reversed."""
    taken = Taken()
    for step in steps:
        if isinstance(step, bool):
            if taken.stack:
                taken.take_back(reversal=step)
        else:
            taken.do(step)
    assert standing(taken.changes) == taken.stack


@given(st.lists(st.integers(1, 9), max_size=10))
def test_what_people_set_always_stands(caps):
    taken = Taken()
    for each in caps:
        taken.note(each, SourceChange.By.HAND, None)
    assert standing(taken.changes) == taken.changes
