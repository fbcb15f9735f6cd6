"""What sellers' people do in the demo world: give a paused source another chance, read their alerts."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Sequence

from feedback.demo.parties import FlowParties
from flows import decisions
from flows.models import Alert, Decision, Source, SuppressionEntry
from portal.models import Seller

PATIENCE = (7, 12)  # days for which a source stays paused before its owner gives it another chance
CHANCES = 2  # how often they do
GIVE_UP_DAY = 100  # and after which day no longer
READ_AFTER = dt.timedelta(hours=5)  # alerts are read so late
UNREAD = 2  # but the latest few of each seller are not read yet


class Owners:
    """Of all flows; each acts for their own."""

    def __init__(self, flows: Sequence[FlowParties], rng: random.Random) -> None:
        self.flows = flows
        self.rng = rng
        self.resume_on: dict[int, int] = {}
        self.chances: dict[int, int] = {}

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
