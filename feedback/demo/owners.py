"""What sellers' people do in the demo world: give a source another chance, answer rules, read alerts."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from collections.abc import Sequence

from feedback.demo.parties import FlowParties
from flows import decisions, suggestions
from flows.models import Alert, Decision, Source, SourceBuyer, SuppressionEntry
from portal.models import Seller

PATIENCE = (7, 12)  # days for which a source stays paused before its owner gives it another chance
CHANCES = 2  # how often they do
GIVE_UP_DAY = 100  # and after which day no longer
READ_AFTER = dt.timedelta(hours=5)  # alerts are read so late
UNREAD = 2  # but the latest few of each seller are not read yet
THINKS = dt.timedelta(days=2)  # so long a suggestion waits for its owner
ANSWER_UNTIL = 90  # the day after which they answer no more: something waits today


class Owners:
    """Of all flows; each acts for their own."""

    def __init__(self, flows: Sequence[FlowParties], rng: random.Random) -> None:
        self.flows = flows
        self.rng = rng
        self.resume_on: dict[int, int] = {}
        self.chances: dict[int, int] = {}
        self.answered: Counter[int] = Counter()  # suggestions, by flow

    def shut(self, parties: FlowParties, number: int) -> set[str]:
        """Slugs of the sources from which a router expects nothing that day: new, paused, suppressed."""
        paused = set(
            Source.objects.filter(flow=parties.row, status=Source.Status.PAUSED).values_list(
                "slug", flat=True
            )
        )
        listed = SuppressionEntry.objects.filter(kind="source", list__seller=parties.row.seller_id)
        values = set(listed.values_list("value", flat=True))
        blocked = {slug for slug in parties.sources if f"{parties.row.pk}/{slug}" in values}
        new = {each.slug for each in parties.of.sources if each.first_day > number}
        return paused | blocked | new

    def look(self, number: int, now: dt.datetime) -> None:
        """At the end of a day."""
        for parties in self.flows:
            for source in Source.objects.filter(flow=parties.row, status=Source.Status.PAUSED):
                self.consider(parties, source, number, now)
            if number <= ANSWER_UNTIL:
                self.answer(parties, now)

    def answer(self, parties: FlowParties, now: dt.datetime) -> None:
        """Dismiss the first suggestion of each flow and approve the others, unless things have changed."""
        waiting = Decision.objects.filter(
            flow=parties.row, status=Decision.Status.SUGGESTED, decided_at__lte=now - THINKS
        )
        for suggestion in waiting.select_related("source").order_by("pk"):
            person = parties.seller.person
            self.answered[parties.row.pk] += 1
            try:
                if self.answered[parties.row.pk] > 1:
                    suggestions.approve(suggestion, user=person, now=now)
                    continue
            except suggestions.PlanChanged:
                pass
            suggestions.dismiss(suggestion, user=person, now=now)

    def closed_to(self, parties: FlowParties) -> set[tuple[str, str]]:
        """Slugs of source and buyer where a router knows that the source is paused for the buyer."""
        rows = SourceBuyer.objects.filter(source__flow=parties.row, status=Source.Status.PAUSED)
        return set(rows.values_list("source__slug", "buyer__slug"))

    def consider(self, parties: FlowParties, source: Source, number: int, now: dt.datetime) -> None:
        due = self.resume_on.setdefault(source.pk, number + self.rng.randint(*PATIENCE))
        if number < due or number > GIVE_UP_DAY or self.chances.get(source.pk, 0) >= CHANCES:
            return
        decision = Decision.objects.filter(
            source=source, action="pause_source", status=Decision.Status.APPLIED
        ).first()
        if decision:
            decisions.undo(decision, user=parties.seller.person, force=True, now=now)
            self.chances[source.pk] = self.chances.get(source.pk, 0) + 1
        del self.resume_on[source.pk]


def read_alerts() -> None:
    """Mark all alerts but the latest as read, some hours after they came."""
    for seller in Seller.objects.all():
        old = list(seller.alerts.order_by("-created_at", "-pk")[UNREAD:])
        for alert in old:
            alert.read_at = alert.created_at + READ_AFTER
        Alert.objects.bulk_update(old, ["read_at"], batch_size=200)
