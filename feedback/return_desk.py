"""A return as one side sees it: sellers see all of it, buyers what their agreement shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from django.db.models import QuerySet
from django.urls import reverse

from feedback.desk import Desk
from feedback.models import ReturnEvidence, ReturnMessage, ReturnRequest
from feedback.wording import money
from flows.models import Delivery
from portal.access import Actor, visible_to

Act, Side, Status = ReturnMessage.Act, ReturnMessage.Side, ReturnRequest.Status
TONES = {
    Status.REQUESTED: "info",
    Status.CREDITED: "good",
    Status.APPROVED: "warn",
    Status.REPLACED: "good",
    Status.REJECTED: "bad",
    Status.WITHDRAWN: "neutral",
}
ACT_TONES = {
    Act.CREDITED: "is-good",
    Act.PROMISED: "is-good",
    Act.REPLACED: "is-good",
    Act.REJECTED: "is-bad",
    Act.REOPENED: "is-warn",
}
SHORT_STATUS = {Status.REQUESTED: "Waiting", Status.APPROVED: "Lead owed"}
MOST = 99


@dataclass
class Viewer:
    """Who looks. For a buyer their agreements are read, in one query, once they are needed."""

    actor: Actor

    @cached_property
    def desk(self) -> Desk:
        return Desk(self.actor)

    def title(self, delivery: Delivery) -> str:
        """How the lead is called: by its contact where that is shown, else by its id."""
        hidden = self.actor.is_buyer and not self.desk.agreement(delivery).shows_contact
        return delivery.public_id if hidden else str(delivery.lead)

    def price(self, delivery: Delivery) -> str:
        """What the lead cost, "" where that is not shown."""
        return money(delivery.price, delivery.flow) if self.shows_price(delivery) else ""

    def shows_price(self, delivery: Delivery) -> bool:
        return self.actor.is_seller or self.desk.agreement(delivery).shows_price

    def source(self, delivery: Delivery) -> str:
        shown = self.actor.is_seller or self.desk.agreement(delivery).shows_source
        return delivery.source.name if shown else ""

    def lead_url(self, delivery: Delivery) -> str:
        if self.actor.is_buyer:
            return reverse("lead-detail", args=[delivery.public_id])
        return reverse("admin:flows_delivery_change", args=[delivery.pk])

    @property
    def hidden_prices(self) -> list[int]:
        """Flows on which this viewer is not told what leads cost."""
        return [] if self.actor.is_seller else self.desk.flow_ids(lambda agreement: not agreement.shows_price)


def waiting(actor: Actor) -> QuerySet[ReturnRequest]:
    """What waits for this side: for the seller's decision, or for the buyer's answer to a question."""
    rows = visible_to(actor, ReturnRequest.objects.filter(status=Status.REQUESTED))
    return rows.filter(buyers_turn=True) if actor.is_buyer else rows


def waiting_badge(actor: Actor) -> str:
    """For the rail: ``"12"``, ``"99+"``, or "". Counts no further than it says."""
    count = waiting(actor).order_by()[: MOST + 1].count()
    return f"{min(count, MOST)}{'+' if count > MOST else ''}" if count else ""


def status_label(status: str) -> str:
    """The status in one or two words, for a pill."""
    return str(SHORT_STATUS.get(Status(status), Status(status).label))


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the thread."""

    message: ReturnMessage
    who: str
    deed: str
    body: str
    tone: str
    evidence: Sequence[ReturnEvidence] = field(default_factory=list)


def thread(request: ReturnRequest) -> list[Line]:
    """What was said and done, oldest first: two queries."""
    rows = ReturnMessage.objects.filter(request=request).select_related("user").order_by("pk")
    return [_line(request, message) for message in rows.prefetch_related("evidence")]


def _line(request: ReturnRequest, message: ReturnMessage) -> Line:
    return Line(
        message,
        _who(request, message),
        _deed(request, message),
        request.note if message.act == Act.REQUESTED else message.body,
        ACT_TONES.get(Act(message.act), "is-info" if message.side == Side.SELLER else ""),
        message.evidence.all(),  # type: ignore[arg-type]  # prefetched
    )


def _who(request: ReturnRequest, message: ReturnMessage) -> str:
    if message.side == Side.RULE:
        return "The agreement"
    party = request.buyer.name if message.side == Side.BUYER else request.flow.seller.name
    person = message.user
    return f"{person.get_full_name() or person.username}, {party}" if person else party


def _deed(request: ReturnRequest, message: ReturnMessage) -> str:
    if message.act == Act.REQUESTED and request.wanted == ReturnRequest.Remedy.REPLACEMENT:
        return "asked for another lead"
    return str(Act(message.act).label)
