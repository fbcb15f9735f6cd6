"""What the lists of returns and of credits show."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import django_tables2 as tables
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from feedback.models import Credit, ReturnRequest
from feedback.return_desk import TONES, Viewer, status_label
from feedback.wording import NOTHING, short_day, when
from flows.models.config import CURRENCY_DECIMALS
from portal.formats import date, number
from portal.tables import NumberColumn, Table
from portal.templatetags.ui import pill

EMPTY: tuple[Any, ...] = ()
SHORT_KINDS = {Credit.Kind.REPLACEMENT: "Lead promised"}
KIND_TONES = {Credit.Kind.CREDIT: "good", Credit.Kind.REPLACEMENT: "info", Credit.Kind.REVERSAL: "warn"}


def _cell(template: str) -> Any:
    """A column drawn by a template that knows the table's viewer."""

    def render(self: _ViewedTable, record: Any) -> SafeString:
        context = {
            "record": record,
            "viewer": self.viewer,
            "title": self.viewer.title(record.delivery),
            "label": status_label(record.status),
            "tone": TONES[ReturnRequest.Status(record.status)],
        }
        return render_to_string(template, context)

    return render


class _ViewedTable(Table):
    """A table that shows each side what it may see."""

    def __init__(self, *args: Any, viewer: Viewer, several_flows: bool, **kwargs: Any) -> None:
        absent = [*kwargs.pop("exclude", ())]
        absent += ["buyer"] if viewer.actor.is_buyer else []
        absent += [] if several_flows else ["flow"]
        super().__init__(*args, exclude=absent, **kwargs)
        self.viewer = viewer


class ReturnTable(_ViewedTable):
    """Returns: those first that wait for a decision, the nearest deadline on top."""

    select = tables.Column(
        "Select", empty_values=EMPTY, orderable=False, attrs={"td": {"class": "return-select"}}
    )
    lead = tables.Column("Lead", empty_values=EMPTY, orderable=False, attrs={"td": {"class": "return-lead"}})
    reason = tables.Column("Reason", attrs={"td": {"class": "return-why"}})
    buyer = tables.Column("Buyer", accessor="buyer__name")
    flow = tables.Column("Flow", accessor="flow__name")
    price = NumberColumn("Price", empty_values=EMPTY, accessor="delivery__price")
    requested_at = tables.Column("Requested", attrs={"td": {"class": "nowrap card-hide"}})
    due_at = tables.Column("Answer due", attrs={"td": {"class": "nowrap"}})
    status = tables.Column("Status", orderable=False, attrs={"td": {"class": "card-corner"}})

    caption = "Returns"
    row_header = "lead"
    empty_title = "No returns yet"

    class Meta(Table.Meta):
        row_attrs = {"id": lambda record: record.public_id}

    render_select = _cell("feedback/cells/return_select.html")
    render_lead = _cell("feedback/cells/return_lead.html")
    render_reason = _cell("feedback/cells/return_why.html")
    render_due_at = _cell("feedback/cells/return_due.html")
    render_status = _cell("feedback/cells/return_status.html")

    def __init__(self, *args: Any, decides: bool, now: Any, **kwargs: Any) -> None:
        """``decides``: the viewer may tick rows to decide on them."""
        super().__init__(*args, exclude=[] if decides else ["select"], **kwargs)
        self.now = now
        if self.viewer.actor.is_seller:
            self.empty_hint = "When a buyer wants to send a lead back, it waits here for your decision."
        else:
            self.empty_hint = "A lead that is not what was agreed can go back: open it, then choose Return."

    def render_price(self, record: ReturnRequest) -> str:
        return self.viewer.price(record.delivery) or NOTHING

    def render_requested_at(self, record: ReturnRequest) -> SafeString:
        at = record.requested_at
        return format_html('<time title="{}">{}</time>', when(at), short_day(at, self.now))


class CreditTable(_ViewedTable):
    """Entries of the ledger, newest first."""

    booked_on = tables.Column("Date", attrs={"td": {"class": "nowrap"}})
    lead = tables.Column("Lead", empty_values=EMPTY, orderable=False, attrs={"td": {"class": "return-lead"}})
    buyer = tables.Column("Buyer", accessor="buyer__name")
    flow = tables.Column("Flow", accessor="flow__name")
    reason = tables.Column("Reason", accessor="request__reason", orderable=False)
    kind = tables.Column("Entry", orderable=False, attrs={"td": {"class": "card-corner"}})
    amount = NumberColumn("Amount")

    caption = "Ledger of credits"
    row_header = "lead"
    empty_title = "Nothing credited yet"
    empty_hint = "Each return that is granted is entered here; what is taken back, as an entry of its own."

    class Meta(Table.Meta):
        order_by = ("-booked_on",)

    def render_lead(self, record: Credit) -> SafeString:
        return format_html(
            '<a class="cell-main" href="{}">{}</a><span class="cell-sub code">{}</span>',
            reverse("return-detail", args=[record.request.public_id]),
            self.viewer.title(record.request.delivery),
            record.public_id,
        )

    def render_booked_on(self, value: dt.date) -> str:
        return date(value)

    def render_kind(self, record: Credit) -> SafeString:
        kind = Credit.Kind(record.kind)
        return pill(SHORT_KINDS.get(kind, str(kind.label)), KIND_TONES[kind])

    def render_amount(self, record: Credit) -> SafeString | str:
        """Its sign tells what was taken back; an agreement may keep prices from the buyer."""
        if not self.viewer.shows_price(record.request.delivery):
            return NOTHING
        return signed(record)


def signed(record: Credit) -> str:
    """``20.00 USD``, ``−20.00 USD``; a promise is worth nothing, so it shows none."""
    promise = record.reverses if record.reverses_id else record
    if promise and promise.kind == Credit.Kind.REPLACEMENT:
        return NOTHING
    return in_currency(record.amount, record.currency)


def in_currency(total: Decimal, currency: str) -> str:
    """``1,500.00 USD``, with a true minus."""
    return f"{number(total, CURRENCY_DECIMALS[currency])} {currency}".replace("-", "−")
