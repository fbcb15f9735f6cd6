"""Returns in the demo world: buyers ask for credit on what they reported as returned, owners answer.

Only what the buyer has said already is asked for, in the same words, so that no answer changes what stands on
a lead: the world is the same with returns and without.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Sequence
from typing import Any

from feedback.demo.life import GRUDGE_REASONS, RETURN_REASONS
from feedback.demo.parties import FlowParties
from feedback.desk import Desk, Sheet
from feedback.models import ReturnRequest
from feedback.returns.ask import ask
from feedback.returns.decide import APPROVE, REJECT, decide, replace_by
from feedback.returns.evidence import Piece
from feedback.returns.thread import say
from flows.models import Agreement, Delivery, Outcome
from flows.problems import ProblemError

# By flow: what each of its agreements says.
TERMS: dict[str, dict[str, Any]] = {
    "flw_auto": {
        "return_window_days": 14,
        "return_cap_kind": Agreement.ReturnCap.SHARE,
        "return_cap": 8,
        "return_auto_reasons": ["Wrong number"],
    },
    "flw_solar": {
        "return_window_days": 21,
        "return_cap_kind": Agreement.ReturnCap.COUNT,
        "return_cap": 40,
        "return_answer_days": 3,
        "offers_replacement": True,
    },
}
OTHER = "Other"
Remedy = ReturnRequest.Remedy
FIRST_DAY, LAST_ANSWERS = 90, 113  # what is asked for later waits today
EVERY = 3  # days: a returns desk is not at work on each of them
THINKS = dt.timedelta(days=2)
CALLS = b"called,duration,result\n2:10 pm,0:00,number not in service\n5:45 pm,0:00,number not in service\n"
QUESTION, ANSWER = "Which number did you call, and when?", "Both numbers of the sheet, twice on two days."
DOUBTS = 0.15  # the share that is rejected although its reason is a good one
NO = "The consumer confirmed the request to us on the phone, under the number that was delivered."


class Returns:
    """Of all flows that take them."""

    def __init__(self, flows: Sequence[FlowParties], seed: int) -> None:
        self.flows = [parties for parties in flows if parties.of.public_id in TERMS]
        self.rng = random.Random(seed)
        for parties in self.flows:
            Agreement.objects.filter(flow=parties.row).update(**TERMS[parties.of.public_id])
            parties.row.return_reasons = [*RETURN_REASONS, OTHER]
            parties.row.save(update_fields=["return_reasons"])

    def look(self, number: int, now: dt.datetime) -> None:
        """At the end of a day: buyers ask, owners answer what has waited."""
        if number < FIRST_DAY or number % EVERY:
            return
        for parties in self.flows:
            for slug in parties.buyers:
                self.ask(parties, slug, now)
            if number <= LAST_ANSWERS:
                self.answer(parties, now)

    def ask(self, parties: FlowParties, slug: str, now: dt.datetime) -> None:
        buyer = parties.buyers[slug]
        window = dt.timedelta(days=TERMS[parties.of.public_id]["return_window_days"])
        reported = Delivery.objects.filter(
            flow=parties.row, buyer=buyer.row.pk, outcome=Outcome.RETURNED, delivered_at__gt=now - window
        ).filter(returns=None)
        rows = reported.select_related("lead", "source", "flow").order_by("pk")
        delivery = rows.first()
        if delivery is None:
            return
        said = str(delivery.fields.get("reason", ""))
        known = said in RETURN_REASONS
        proof = [Piece("calls.csv", "text", CALLS)] if self.rng.random() < 0.3 else []
        try:
            request = ask(
                Sheet.of(delivery, Desk(buyer.actor, now)),
                buyer.actor,
                reason=said if known else OTHER,
                note="" if known else said,
                wanted=Remedy.REPLACEMENT if self.rng.random() < 0.3 else Remedy.CREDIT,
                pieces=proof,
                now=now,
            )
        except ProblemError:  # the cap is reached: it stays feedback
            return
        if request.is_open and self.rng.random() < 0.4:
            say(request, parties.seller.actor, QUESTION, now=now)
            if proof:
                say(request, buyer.actor, ANSWER, now=now)

    def answer(self, parties: FlowParties, now: dt.datetime) -> None:
        waiting = ReturnRequest.objects.filter(
            flow=parties.row, status=ReturnRequest.Status.REQUESTED, requested_at__lte=now - THINKS
        )
        seen: dict[str, dict[int, int]] = {APPROVE: {}, REJECT: {}}
        for request in waiting.order_by("pk"):
            refused = request.note in GRUDGE_REASONS or self.rng.random() < DOUBTS
            seen[REJECT if refused else APPROVE][request.pk] = request.version
        actor = parties.seller.actor
        for verdict, versions in seen.items():
            if versions:
                decide(versions, verdict, actor, note=NO if verdict == REJECT else "", now=now)
        owed = ReturnRequest.objects.filter(flow=parties.row, status=ReturnRequest.Status.APPROVED)
        for request in owed.filter(decided_at__lte=now - THINKS).select_related("delivery"):
            later = Delivery.objects.filter(
                flow=parties.row, buyer=request.buyer_id, delivered_at__gt=request.decided_at, replaces=None
            ).filter(returns=None)
            if chosen := later.order_by("pk").first():
                replace_by(request, chosen.public_id, actor, now=now)
