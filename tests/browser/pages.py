"""Every page that a person can look at, for tests that walk them all."""

from __future__ import annotations

from django.core.files.base import ContentFile
from django.db.models import Model
from django.urls import reverse
from django.utils.timezone import now, timedelta

from feedback import stale, uploads
from feedback.models import ReturnEvidence, ReturnRequest, Upload
from feedback.quality import recompute
from feedback.returns.decide import withdraw
from feedback.returns.evidence import Piece
from feedback.returns.thread import say
from flows.models import Alert, Decision, Delivery
from tests import factories as make
from tests.admin_pages import one_of_each
from tests.feedback.returning import PDF, decided, delivered, rejected, requested, takes_returns
from tests.portal.routes import BUYERS, PAGES, SELLERS

NOT_PAGES = {
    "upload-template",
    "upload-errors",
    "upload-progress",
    "bulk-count",
    "bulk-progress",
    "source-report-csv",
    "my-numbers-csv",
    "credit-csv",
    "return-evidence",
    "account_reauthenticate",
}
STRANGERS = ("account_login", "account_inactive", "account_reset_password", "account_reset_password_done")
OF_BUYERS = [name for name, page in PAGES.items() if page.who & BUYERS and "GET" in page.methods]
OF_SELLERS = [name for name, page in PAGES.items() if page.who <= SELLERS and "GET" in page.methods]
BUYERS_PAGES = [name for name in OF_BUYERS if name not in NOT_PAGES]  # their manager sees all of them
SELLERS_PAGES = [name for name in OF_SELLERS if name not in NOT_PAGES] + ["admin:index"]
LONG = "Wolfeschlegelsteinhausenbergerdorff"


def fill(world) -> dict[type[Model], Model]:
    """A world with something on every page: many deliveries of all outcomes, long names, refused rows."""
    rows = one_of_each(world, LONG)
    numbers = {"outcome": "returned", "lead_id": world.delivery.public_id}
    Decision.objects.update(numbers=numbers, before={"status": "active"}, after={"status": "paused"})
    outcomes = (None, "converted", "contacted", "no_contact", "bad_info", "returned", "not_interested")
    for number in range(60):
        outcome = outcomes[number % 7]
        at = now() - timedelta(days=number)
        known = (
            {"feedback_count": 1, "last_feedback_at": at, "quality_score": 1 + number % 5} if outcome else {}
        )
        if outcome == "converted":
            known |= {"revenue": "1500.00", "conversion_status": "sold"}
        make.DeliveryFactory(
            lead__source=world.source, buyer=world.buyer, outcome=outcome, delivered_at=at, **known
        )
    stale.mark(list(Delivery.objects.all()))
    recompute()
    file = ContentFile(b"lead_id,outcome,notes\nevt_nowhere,converted," + b"x" * 90, name=f"{LONG}.csv")
    rows[Upload] = uploads.receive(world.actor(world.agent), world.flow, file)
    uploads.run(rows[Upload].pk)
    Alert.objects.create(seller=world.seller, flow=world.flow, level="warn", title=f"{LONG} is late")
    rows |= returns(world)
    return rows


def returns(world) -> dict[type[Model], Model]:
    """Returns in every state, with long words and evidence; → one that waits, and its file."""
    takes_returns(world, offers_replacement=True, return_cap_kind="count", return_cap=50)
    pieces = [Piece(f"{LONG}{LONG}.pdf", "pdf", PDF)]
    credited, refused, owed, withdrawn, *others = delivered(world, 8, lead__last_name=LONG)
    decided(world, requested(world, credited))
    rejected(world, requested(world, refused, note=LONG), note=f"No. {LONG}")
    decided(world, requested(world, owed, wanted="replacement"))
    withdraw(requested(world, withdrawn), world.actor(world.agent))
    rows = [requested(world, each, note=f"{LONG} " * 9, pieces=pieces) for each in others]
    say(rows[0], world.actor(world.owner), f"Why {LONG}?")
    ReturnRequest.objects.filter(pk=rows[1].pk).update(due_at=now() - timedelta(hours=3))
    file = ReturnEvidence.objects.get(message__request=rows[0])
    return {ReturnRequest: rows[0], ReturnEvidence: file}


def address(name: str, rows: dict[type[Model], Model]) -> str:
    """Where the page of this name is."""
    args = PAGES[name].args(rows) if name in PAGES else ()
    return reverse(name, args=args)
