"""A lead through any life of returns: asked, talked over, granted, rejected, replaced, taken back, withdrawn.

After each step the ledger's sum is what stands credited, the lead stands as returned exactly while its return
is granted (the buyer says nothing else of it), and the cap was never exceeded by asking.
"""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from feedback.models import Credit, ReturnRequest
from feedback.returns.audit import ledger_faults, request_faults
from feedback.returns.decide import decide, reopen, replace_by, withdraw
from feedback.returns.ledger import sums
from feedback.returns.thread import say
from flows.problems import ProblemError
from tests.conftest import make_world
from tests.feedback.returning import delivered, requested, takes_returns

CAP = 2
PRICE = Decimal("12.50")
LEADS, REMEDIES = st.integers(0, 2), st.sampled_from(["credit", "replacement"])
GRANTED, REJECTED, OPEN = {"credited", "approved", "replaced"}, {"rejected"}, {"requested"}


class ReturnLife(RuleBasedStateMachine):
    """Three leads of one buyer, of which two may be returned; each life has a world of its own.

    ``stands``: lead → its status, as the model has it.
    """

    @initialize(auto=st.booleans())
    def begin(self, auto: bool) -> None:
        self.auto, self.world = auto, make_world()
        terms = {"offers_replacement": True, "return_cap_kind": "count", "return_cap": CAP}
        takes_returns(self.world, **terms, return_auto_reasons=["Other"] if auto else [])
        self.leads = delivered(self.world, 3, price=PRICE)
        self.stands: dict[int, str] = {}
        self.owner = self.world.actor(self.world.owner)
        self.agent = self.world.actor(self.world.agent)

    # --- What happens ---
    @rule(
        lead=LEADS,
        reason=st.sampled_from(["Other", "Duplicate"]),
        wanted=st.sampled_from(["credit", "replacement"]),
    )
    def it_is_asked_for(self, lead: int, reason: str, wanted: str) -> None:
        full = self.counted() >= CAP
        if lead in self.stands or full:
            self.refused(lambda: requested(self.world, self.leads[lead], reason=reason, wanted=wanted))
            return
        requested(self.world, self.leads[lead], reason=reason, wanted=wanted)
        at_once = "credited" if wanted == "credit" else "approved"
        self.stands[lead] = at_once if self.auto and reason == "Other" else "requested"

    @rule(
        lead=LEADS,
        verdict=st.sampled_from(["approve", "reject"]),
        remedy=st.sampled_from(["credit", "replacement"]),
    )
    def it_is_decided(self, lead: int, verdict: str, remedy: str) -> None:
        row = self.row(lead)
        if row is None:
            return
        deed = lambda: decide({row.pk: row.version}, verdict, self.owner, remedy=remedy)  # noqa: E731
        if self.stands[lead] not in OPEN:
            self.refused(deed)
            return
        deed()
        granted = "credited" if remedy == "credit" else "approved"
        self.stands[lead] = "rejected" if verdict == "reject" else granted

    @rule(lead=LEADS)
    def it_is_taken_back(self, lead: int) -> None:
        row = self.row(lead)
        if row is None:
            return
        deed = lambda: reopen(row, row.version, self.owner, note="?")  # noqa: E731
        if self.stands[lead] in OPEN:
            self.refused(deed)
            return
        deed()
        self.stands[lead] = "requested"

    @rule(lead=LEADS)
    def it_is_withdrawn(self, lead: int) -> None:
        row = self.row(lead)
        if row is None:
            return
        if self.stands[lead] not in OPEN:
            self.refused(lambda: withdraw(row, self.agent))
            return
        withdraw(row, self.agent)
        del self.stands[lead]

    @rule(lead=LEADS)
    def another_lead_takes_its_place(self, lead: int) -> None:
        row = self.row(lead)
        if row is None:
            return
        (other,) = delivered(self.world)
        if self.stands[lead] != "approved":
            self.refused(lambda: replace_by(row, other.public_id, self.owner))
            return
        replace_by(row, other.public_id, self.owner)
        self.stands[lead] = "replaced"

    @rule(lead=LEADS, seller=st.booleans())
    def somebody_writes(self, lead: int, seller: bool) -> None:
        if row := self.row(lead):
            say(row, self.owner if seller else self.agent, "Well.")

    @precondition(lambda self: self.stands)
    @rule(lead=LEADS)
    def a_page_that_is_stale_decides_nothing(self, lead: int) -> None:
        row = self.row(lead)
        if row:
            self.refused(lambda: decide({row.pk: row.version - 1}, "approve", self.owner))

    # --- What holds ---
    @invariant()
    def all_of_it_fits(self) -> None:
        if not hasattr(self, "leads"):
            return
        credited = sum(status == "credited" for status in self.stands.values())
        total = sums(Credit.objects.filter(buyer=self.world.buyer)).get("USD", 0)
        assert total == credited * PRICE
        for lead, delivery in enumerate(self.leads):
            delivery.refresh_from_db()
            status = self.stands.get(lead, "")
            row = self.row(lead)
            assert (row.status if row else "") == status
            assert (delivery.outcome == "returned") == (status in GRANTED)
        assert not [*ledger_faults(), *request_faults()]

    # --- Words ---
    def row(self, lead: int) -> ReturnRequest | None:
        rows = ReturnRequest.objects.filter(delivery=self.leads[lead]).exclude(status="withdrawn")
        return rows.first()

    def counted(self) -> int:
        return sum(status in OPEN | GRANTED for status in self.stands.values())

    def refused(self, deed) -> None:
        with pytest.raises(ProblemError):
            deed()


@pytest.mark.django_db
def test_any_life_of_returns():
    run_state_machine_as_test(
        ReturnLife,
        settings=settings(
            max_examples=25,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
