"""``manage.py seed_demo``: the demo world, once."""

from __future__ import annotations

import datetime as dt
import secrets
import time
from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from feedback.demo import card, world
from feedback.demo.owners import read_alerts
from feedback.demo.parties import Founder
from feedback.demo.replay import Replay
from feedback.watch import watch
from flows.models import OutboxMessage
from portal import demo_card
from portal.models import Seller

WORDS = "amber birch cedar coral delta ember fjord grove hazel ivory lagoon maple north opal pine quartz"


class Command(BaseCommand):
    """All or nothing: the world is made in one transaction, so an interrupted seeding leaves no trace."""

    help = "Makes the demo world, unless it is there already."

    def handle(self, *args: Any, **options: Any) -> None:
        slugs = [seller.slug for seller in world.SELLERS]
        if Seller.objects.filter(slug__in=slugs).exists():
            self.stdout.write("The demo world is there already.")
            return
        if Seller.objects.exists():
            self.stdout.write("This database has sellers of its own: no demo world.")
            return
        self.started = time.monotonic()
        with transaction.atomic():
            demo_card.write(self.make(timezone.now()))
        self.stdout.write(f"\nMade the demo world in {time.monotonic() - self.started:.0f} s.")

    def make(self, now: dt.datetime) -> dict[str, Any]:
        """The world until ``now``, and its card."""
        password = new_password()
        flows = Founder(now - dt.timedelta(days=world.DAYS + 1), password).found()
        Replay(flows, now).run(self.tell)
        watch(now=now)
        read_alerts()
        close_outbox()
        return card.describe(flows, password, now)

    def tell(self, days: int) -> None:
        """Progress: on one line where somebody watches, else a line a month."""
        watched = self.stdout.isatty()
        if watched or days % 30 == 0:
            line = f"Making the demo world: day {days} of {world.DAYS}"
            self.stdout.write(f"\r{line}" if watched else line, ending="" if watched else "\n")
            self.stdout.flush()


def new_password() -> str:
    """Easy to type, and different in every installation: two words and a number."""
    words = WORDS.split()
    return f"{secrets.choice(words)}-{secrets.choice(words)}-{secrets.randbelow(9000) + 1000}"


def close_outbox() -> None:
    """The mails of the past left in the past: none of them is sent now."""
    OutboxMessage.objects.filter(status=OutboxMessage.Status.PENDING).update(
        status=OutboxMessage.Status.DONE, attempts=1, done_at=F("created_at")
    )
