"""The buyer's desk: what a buyer is shown of a delivery, and what they may set on it now."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from django.db.models import Q
from django.utils import timezone

from feedback.schema import FieldSpec, Schema, compile_schema
from flows.models import Agreement, ConversionStatus, Delivery, Flow
from portal.access import Actor, visible_to
from portal.formats import number
from portal.tables import COUNT_LIMIT

HIDDEN = Agreement(shows_source=False, shows_price=False, shows_contact=False)  # where no agreement stands
STATUS_FIELDS = ("outcome", "converted")  # either may stand in the column of outcomes


@dataclass
class Desk:
    """One buyer's agreements, by flow. One query, made when first asked."""

    actor: Actor
    now: dt.datetime = field(default_factory=timezone.now)

    @cached_property
    def agreements(self) -> dict[int, Agreement]:
        """By the flow's primary key, in order of the flows' names."""
        mine = visible_to(self.actor, Agreement.objects.select_related("flow", "buyer"))
        mine = mine.order_by("flow__name", "pk")
        return {agreement.flow_id: agreement for agreement in mine}

    @property
    def flows(self) -> list[Flow]:
        return [agreement.flow for agreement in self.agreements.values()]

    def agreement(self, delivery: Delivery) -> Agreement:
        """What stands for the delivery's flow; nothing is shown where nothing stands."""
        return self.agreements.get(delivery.flow_id, HIDDEN)

    def flow_ids(self, shows: Callable[[Agreement], bool]) -> list[int]:
        return [flow_id for flow_id, agreement in self.agreements.items() if shows(agreement)]

    @property
    def contact_flows(self) -> list[int]:
        return self.flow_ids(lambda agreement: agreement.shows_contact)

    @property
    def source_flows(self) -> list[int]:
        return self.flow_ids(lambda agreement: agreement.shows_source)

    @property
    def all_contacts_shown(self) -> bool:
        return len(self.contact_flows) == len(self.agreements)

    @property
    def all_sources_shown(self) -> bool:
        return len(self.source_flows) == len(self.agreements)

    def waiting(self) -> Q:
        """Deliveries without any feedback yet, that still take it."""
        open_flows = Q(pk__in=[])
        for flow in self.flows:
            if flow.feedback_enabled:
                opened = self.now - dt.timedelta(days=flow.update_window_days)
                open_flows |= Q(flow=flow, delivered_at__gte=opened)
        return Q(feedback_count=0) & open_flows


def waiting_text(desk: Desk) -> str:
    """How many leads wait for feedback, for people: "312", "10,000+", "" for none."""
    rows = visible_to(desk.actor, Delivery.objects.filter(desk.waiting()))
    count = rows[: COUNT_LIMIT + 1].count()
    return f"{number(COUNT_LIMIT)}+" if count > COUNT_LIMIT else number(count) if count else ""


def due_badge(actor: Actor) -> str:
    """For the rail: ``"312 due"``."""
    waiting = waiting_text(Desk(actor))
    return f"{waiting} due" if waiting else ""


@dataclass(frozen=True)
class Sheet:
    """A delivery as one buyer works on it: its fields, what is shown, and why nothing can be set, if so."""

    delivery: Delivery
    flow: Flow
    agreement: Agreement
    schema: Schema
    now: dt.datetime

    @classmethod
    def of(cls, delivery: Delivery, desk: Desk) -> Sheet:
        agreement = desk.agreement(delivery)
        flow = agreement.flow if agreement is not HIDDEN else delivery.flow
        delivery.flow = flow
        return cls(delivery, flow, agreement, compile_schema(flow), desk.now)

    @property
    def closes_at(self) -> dt.datetime:
        return self.delivery.window_closes_at()

    @property
    def closed(self) -> bool:
        return self.now > self.closes_at

    @property
    def waits(self) -> bool:
        """Whether what became of the lead is still open, and may be told."""
        return self.delivery.conversion_status == ConversionStatus.PENDING and not self.blocked

    @property
    def blocked(self) -> str:
        """Why no feedback is taken on this lead; "" while it is."""
        if not self.flow.feedback_enabled:
            return "This flow does not take feedback. Ask the seller to switch it on."
        if self.closed:
            days = self.flow.update_window_days
            return f"Feedback was taken for {days} days after the delivery. Ask the seller for a change."
        return ""

    @property
    def status_field(self) -> FieldSpec | None:
        """The field that the column of outcomes shows and sets."""
        return next(
            (self.schema.by_name[name] for name in STATUS_FIELDS if name in self.schema.by_name), None
        )

    @property
    def title(self) -> str:
        """How the lead is called: by its contact where that is shown, else by its id."""
        return str(self.delivery.lead) if self.agreement.shows_contact else self.delivery.public_id
