"""A lead through any life: feedback of any time, repetitions, corrections, retractions, restorations, undo.

After each step the stored state is what a plain model of the lead's life says, and the fold of all events on
record, revenue to the cent. The model knows no retractions: it keeps what counts, and forgets the rest.
"""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from feedback.corrections import correct, restore, take_back
from feedback.desk import Desk, Sheet
from feedback.fold import Event, fold
from feedback.history import STATE_COLUMNS
from feedback.intake import intake
from feedback.lead_history import entries
from feedback.models import ChangeSet, Door, Feedback
from feedback.record import histories_of
from feedback.submission import Origin, Submission
from feedback.undo_sets import undo, with_all
from feedback.verify import verify
from flows.models import Delivery
from flows.problems import ProblemError
from tests import factories as make

START = timezone.now().replace(microsecond=0) - dt.timedelta(hours=20)
CENTS = st.integers(0, 10**11).map(lambda cents: str(Decimal(cents) / 100))
SAID = st.fixed_dictionaries(
    {},
    optional={
        "outcome": st.sampled_from(["contacted", "converted", "returned", None]),
        "revenue": CENTS | st.none(),
        "quality_score": st.integers(1, 5) | st.none(),
        "notes": st.sampled_from(["a", "b", None]),
    },
).filter(bool)
MINUTES = st.integers(0, 12)
STATUS = {"converted": "sold", "returned": "not_sold"}


@dataclass
class Said:
    """One feedback of the model. ``was``: what it was put in the place of."""

    feedback_id: str
    at: dt.datetime
    place: int  # by arrival
    values: dict
    counts: bool = True
    was: Said | None = None

    def replaces(self, other: Said) -> bool:
        return self.was is not None and (self.was is other or self.was.replaces(other))


class LeadLife(RuleBasedStateMachine):
    """The world is given by the test; each life has a delivery of its own."""

    world: SimpleNamespace
    told = Bundle("told")

    @initialize()
    def begin(self) -> None:
        delivered = START - dt.timedelta(hours=1)
        self.delivery = make.DeliveryFactory(
            lead__source=self.world.source, buyer=self.world.buyer, delivered_at=delivered
        )
        self.origin = Origin(self.world.actor(self.world.agent), Door.PORTAL)
        self.said: list[Said] = []

    # --- What happens ---
    @rule(target=told, minute=MINUTES, values=SAID)
    def feedback_of_some_time(self, minute: int, values: dict) -> Said | None:
        """Early, late or at the same time as another."""
        at = START + dt.timedelta(minutes=minute)
        same = [one for one in self.said if (one.at, one.values) == (at, canonical(values))]
        known = any(one.counts or self.heir_counts(one) for one in same)
        receipt = self.send({**values, "feedback_timestamp": at.isoformat()})
        assert receipt.status == ("unchanged" if known else "recorded")
        return self.note(receipt.feedback_id, at, values) if not known else self.found(receipt.feedback_id)

    @rule(target=told, values=SAID)
    def feedback_of_now(self, values: dict) -> Said | None:
        before = self.expected()
        receipt = self.send(values)
        if receipt.status == "unchanged":
            assert all(before["all"].get(name) == value for name, value in canonical(values).items())
            return self.found(receipt.feedback_id)
        at = Feedback.objects.get(public_id=receipt.feedback_id).occurred_at
        return self.note(receipt.feedback_id, at, values)

    @precondition(lambda self: self.said)
    @rule(one=told)
    def the_same_again(self, one: Said) -> None:
        """Records nothing while it counts, or while something counts in its place."""
        if one.counts or self.heir_counts(one):
            receipt = self.send({**one.values, "feedback_timestamp": one.at.isoformat()})
            assert receipt.status == "unchanged"

    @rule(one=told)
    def it_is_taken_back(self, one: Said) -> None:
        self.mend(take_back, one, allowed=one.counts)
        one.counts = False

    @rule(one=told)
    def it_is_restored(self, one: Said) -> None:
        self.mend(restore, one, allowed=not one.counts)
        if not one.counts:
            one.counts = True
            for other in self.said:
                other.counts = other.counts and not other.replaces(one)

    @rule(target=told, one=told, values=SAID)
    def it_is_corrected(self, one: Said, values: dict) -> Said:
        """The form sends every field: those that are not among the values are emptied, or stay cleared."""
        row, sheet = Feedback.objects.get(public_id=one.feedback_id), self.sheet()
        given = {name: text for name, text in canonical(values).items() if text is not None}
        emptied = {name: "" for name, value in one.values.items() if name not in given and value is not None}
        texts = {name: str(value) for name, value in given.items()} | emptied
        kept = {name: None for name, value in one.values.items() if name not in given and value is None}
        edited = correct(sheet, row, texts, version=sheet.delivery.version, origin=self.origin)
        if not texts or not {**kept, **given} or {**kept, **given} == one.values:
            assert edited.receipt is None
            return one
        if not one.counts:
            assert edited.is_stale
            return one
        assert edited.problem is None, edited
        one.counts = False
        twin = [
            two for two in self.said if two.counts and (two.at, two.values) == (one.at, {**kept, **given})
        ]
        if twin:
            return twin[0]
        newest = Feedback.objects.filter(delivery=self.delivery).latest("pk")
        return self.note(newest.public_id, one.at, {**kept, **given}, was=one)

    @precondition(lambda self: self.said)
    @rule(one=told)
    def a_stale_tab_changes_nothing(self, one: Said) -> None:
        count = Feedback.objects.count()
        with pytest.raises(ProblemError):
            take_back(self.delivery, one.feedback_id, self.sheet().delivery.version - 1, self.origin)
        assert Feedback.objects.count() == count

    @precondition(lambda self: self.said)
    @rule(one=told, values=SAID, deed=st.sampled_from(["say", "take back", "restore", "correct"]))
    def what_is_undone_at_once_leaves_no_trace_in_the_state(self, one: Said, values: dict, deed: str) -> None:
        """And what is done again is as it was."""
        before, newest = self.stands(), self.newest_set()
        with suppress(ProblemError):
            self.do(deed, one, values)
        done = self.newest_set()
        if done == newest:
            return
        after = self.stands()
        assert self.undo(done) and self.stands() == before
        assert self.undo(self.newest_set()) and self.stands() == after
        assert self.undo(self.newest_set()) and self.stands() == before

    @precondition(lambda self: self.said)
    @rule(which=st.integers(0, 50))
    def some_change_set_is_undone(self, which: int) -> None:
        """Whatever came since: each event is taken back once at most, and a second time nothing happens."""
        sets = list(ChangeSet.objects.filter(feedback__delivery=self.delivery).distinct().order_by("pk"))
        one = sets[which % len(sets)]
        self.undo(one)
        count = Feedback.objects.count()
        assert not self.undo(one)
        assert Feedback.objects.count() == count

    # --- What must hold ---
    @invariant()
    def the_state_is_what_the_model_says_and_the_fold_of_all_events(self) -> None:
        if not hasattr(self, "delivery"):
            return
        row, expected = Delivery.objects.get(pk=self.delivery.pk), self.expected()
        assert row.revenue == expected["revenue"]
        assert (row.outcome, row.quality_score) == (expected["outcome"], expected["quality_score"])
        assert row.conversion_status == STATUS.get(expected["outcome"], "pending")
        assert row.fields.get("notes") == expected["notes"]
        assert row.feedback_count == sum(one.counts for one in self.said)
        events = [
            Event(each.values, each.occurred_at, each.pk, each.public_id, each.retracts_id)
            for each in Feedback.objects.filter(delivery=row)
        ]
        state = fold(events)
        assert {name: getattr(row, name) for name in STATE_COLUMNS} == {
            name: getattr(state, name) for name in STATE_COLUMNS
        }
        assert row.version == len(events)

    def teardown(self) -> None:
        if hasattr(self, "delivery"):
            told = entries(self.sheet())  # the page's words can be made of any life
            assert len(told) == Feedback.objects.filter(delivery=self.delivery).count() - sum(
                one.was is not None for one in self.said
            )
            assert [fault for finding in verify() for fault in finding.faults if "cell" not in fault] == []

    # --- The model ---
    def expected(self) -> dict:
        values: dict = {}
        for one in sorted((one for one in self.said if one.counts), key=lambda one: (one.at, one.place)):
            values |= one.values
        revenue = values.get("revenue")
        return {
            "all": values,
            "revenue": None if revenue is None else Decimal(revenue),
            **{name: values.get(name) for name in ("outcome", "quality_score", "notes")},
        }

    def heir_counts(self, one: Said) -> bool:
        return any(other.counts and other.replaces(one) for other in self.said)

    def note(self, feedback_id: str, at: dt.datetime, values: dict, was: Said | None = None) -> Said:
        self.said.append(Said(feedback_id, at, len(self.said), canonical(values), was=was))
        return self.said[-1]

    def found(self, feedback_id: str) -> Said:
        return next(one for one in self.said if one.feedback_id == feedback_id)

    # --- The house ---
    def send(self, values: dict):
        row = {"lead_id": self.delivery.public_id, **values}
        (receipt,) = intake(self.world.flow, [Submission(0, row)], self.origin)
        assert receipt.problem is None, receipt.problem
        return receipt

    def sheet(self) -> Sheet:
        row = Delivery.objects.select_related("lead", "flow").get(pk=self.delivery.pk)
        return Sheet.of(row, Desk(self.origin.actor))

    def stands(self) -> tuple:
        row = Delivery.objects.get(pk=self.delivery.pk)
        return tuple(getattr(row, name) for name in (*STATE_COLUMNS, "first_feedback_at"))

    def newest_set(self) -> ChangeSet | None:
        return ChangeSet.objects.filter(feedback__delivery=self.delivery).order_by("-pk").first()

    def do(self, deed: str, one: Said, values: dict) -> None:
        sheet = self.sheet()
        if deed == "say":
            intake(
                self.world.flow,
                [Submission(0, {"lead_id": self.delivery.public_id, **values})],
                self.origin,
            )
        elif deed == "correct":
            texts = {name: "" if value is None else str(value) for name, value in values.items()}
            event = Feedback.objects.get(public_id=one.feedback_id)
            correct(sheet, event, texts, version=sheet.delivery.version, origin=self.origin)
        else:
            mending = {"take back": take_back, "restore": restore}[deed]
            mending(self.delivery, one.feedback_id, sheet.delivery.version, self.origin)

    def undo(self, done: ChangeSet) -> bool:
        """As History does → whether anything was taken back. The model is told what counts then."""
        head = with_all(ChangeSet.objects.filter(pk=done.pk)).get()
        try:
            undone = undo(head, self.origin)
        except ProblemError:
            return False
        self.learn()
        return undone.head is not None

    def learn(self) -> None:
        """What was said on the side, and what counts, as the chains of the events have it."""
        history = histories_of([self.delivery])[self.delivery.public_id]
        chains, known = history.chains(), {one.feedback_id: one for one in self.said}
        for event in sorted(history.events, key=lambda each: each.order):
            if event.retracts is None and event.public_id not in known:
                known[event.public_id] = self.note(event.public_id, event.occurred_at, dict(event.values))
        by_order = {event.order: known[event.public_id] for event in history.events if event.retracts is None}
        for order, one in by_order.items():
            one.counts = chains.counts(order)
            one.was = by_order.get(chains.corrects.get(order, 0))

    def mend(self, deed, one: Said, *, allowed: bool) -> None:
        version = self.sheet().delivery.version
        if allowed:
            deed(self.delivery, one.feedback_id, version, self.origin)
        else:
            with pytest.raises(ProblemError):
                deed(self.delivery, one.feedback_id, version, self.origin)


def canonical(values: dict) -> dict:
    """As it is kept: an amount has two decimals."""
    return {
        name: f"{Decimal(value):.2f}" if name == "revenue" and value is not None else value
        for name, value in values.items()
    }


@pytest.mark.django_db
def test_a_lead_through_any_life(world):
    class Life(LeadLife):
        pass

    Life.world = world
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
