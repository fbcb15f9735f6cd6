"""The demand side of the demo world: buyers' feedback on its way, and its arrival."""

from __future__ import annotations

import datetime as dt
import heapq
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field

from feedback.demo.life import Case, News
from feedback.demo.parties import FlowParties
from feedback.demo.world import DAILY, FAST
from feedback.intake import intake
from feedback.models import Door
from feedback.submission import Origin, Submission
from flows import keys

BY_API = (FAST, DAILY)  # habits of buyers whose CRM sends by itself; the others' people type


@dataclass(order=True, slots=True)
class Letter:
    """A piece of news until it is sent. Letters of one ``call`` are sent together."""

    sent_at: dt.datetime
    flow: str
    buyer: str
    order: int
    parties: FlowParties = field(compare=False)
    payload: dict[str, object] = field(compare=False)

    @property
    def call(self) -> tuple[dt.datetime, str, str]:
        return self.sent_at, self.flow, self.buyer


class Postbox:
    """Letters by the time at which they are sent."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []
        self.order = itertools.count()
        self.origins: dict[tuple[str, str], Origin] = {}

    def expect(self, parties: FlowParties, case: Case, lead_id: str, news: Iterable[News]) -> None:
        for each in news:
            payload = {
                "lead_id": lead_id,
                "feedback_timestamp": each.happened_at.isoformat(timespec="seconds"),
                **each.values,
            }
            heapq.heappush(
                self.letters,
                Letter(
                    each.sent_at, case.flow.public_id, case.buyer.slug, next(self.order), parties, payload
                ),
            )

    def send_until(self, moment: dt.datetime) -> None:
        """Hand in everything sent before ``moment``, call by call, each at its time."""
        due = []
        while self.letters and self.letters[0].sent_at < moment:
            due.append(heapq.heappop(self.letters))
        for _, letters in itertools.groupby(due, key=lambda letter: letter.call):
            self.send(list(letters))

    def send(self, letters: list[Letter]) -> None:
        first = letters[0]
        submissions = [Submission(index, letter.payload) for index, letter in enumerate(letters)]
        origin = self.origin(first.parties, first.buyer)
        receipts = intake(first.parties.row, submissions, origin, now=first.sent_at)
        refused = [receipt.problem for receipt in receipts if receipt.problem]
        if refused:  # the world only sends what is right: a refusal is a fault of the house
            raise RuntimeError(f"{first.buyer}: {refused[0].code}: {refused[0].as_text()}")

    def origin(self, parties: FlowParties, slug: str) -> Origin:
        """By which door the buyer comes: their CRM by the API, else a person by the portal."""
        known = self.origins.get((parties.of.public_id, slug))
        if known is None:
            habit = next(buyer.habit for buyer in parties.of.buyers if buyer.slug == slug)
            party = parties.buyers[slug]
            if habit in BY_API:
                known = Origin(keys.authenticate(party.keys["live"])[1], Door.API)
            else:
                known = Origin(party.actor, Door.PORTAL)
            self.origins[parties.of.public_id, slug] = known
        return known
