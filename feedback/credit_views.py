"""The ledger of credits, to read and as a file: the same for both sides, each within what it may see."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponseBase
from django.utils import timezone
from django.utils.functional import cached_property
from django.views.decorators.http import require_safe

from feedback.models import Credit
from feedback.return_desk import Viewer
from feedback.return_filters import CreditFilter
from feedback.return_tables import CreditTable, in_currency
from feedback.returns.ledger import sums
from feedback.schema.clock import iso
from flows.money import money_text
from portal.access import BUYERS, SELLERS, ActorRequest, allow, visible_to
from portal.spreadsheets import Echo, csv_file, defused
from portal.tables import TableView

PARTS = ("request__delivery__lead", "request__delivery__flow", "flow", "buyer", "reverses")
COLUMNS = (
    *("date", "entered_at", "entry_id", "entry", "amount", "currency"),
    *("return_id", "lead_id", "external_id", "flow", "buyer", "reason", "takes_back"),
)


class CreditList(TableView):
    """What was credited, promised and taken back, and what stands."""

    model = Credit
    table_class, filterset_class = CreditTable, CreditFilter
    template_name = "feedback/credit_list.html"
    roles = (*SELLERS, *BUYERS)
    title, nouns = "Credits", "entries"

    @cached_property
    def viewer(self) -> Viewer:
        return Viewer(self.request.actor)

    def get_rows(self) -> QuerySet[Any]:
        return Credit.objects.select_related(*PARTS).order_by("-booked_on", "-pk")

    def get_table(self, **kwargs: Any) -> CreditTable:
        table: CreditTable = super().get_table(
            viewer=self.viewer, several_flows=self.filterset.several_flows, **kwargs
        )
        return table

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        hidden = self.viewer.hidden_prices
        told = self.object_list.exclude(flow__in=hidden) if hidden else self.object_list
        return {
            **context,
            "sums": [in_currency(total, currency) for currency, total in sums(told).items()],
            "hidden": bool(hidden),
            "query": self.request.GET.urlencode(),
        }


@require_safe
@allow(*SELLERS, *BUYERS)
def credit_csv(request: ActorRequest) -> HttpResponseBase:
    """The ledger as it is filtered, oldest first, streamed."""
    rows = visible_to(request.actor, Credit.objects.select_related(*PARTS))
    found = CreditFilter(request.GET, queryset=rows, request=request)
    entries = found.qs if found.is_valid() else rows.none()
    lines = _lines(entries.order_by("booked_on", "pk").iterator(chunk_size=1000), Viewer(request.actor))
    name = f"credits-{request.GET.get('month') or timezone.localdate().isoformat()}.csv"
    return csv_file(lines, name if found.is_valid() else "credits.csv")


def _lines(entries: Iterable[Credit], viewer: Viewer) -> Iterator[Any]:
    write = csv.writer(Echo()).writerow
    yield write(COLUMNS)
    for entry in entries:
        yield write(defused(cell) for cell in _cells(entry, viewer))


def _cells(entry: Credit, viewer: Viewer) -> tuple[str, ...]:
    delivery = entry.request.delivery
    worth = money_text(entry.amount, entry.flow.decimals) if viewer.shows_price(delivery) else ""
    return (
        entry.booked_on.isoformat(),
        iso(entry.created_at),
        entry.public_id,
        entry.kind,
        worth,
        entry.currency,
        entry.request.public_id,
        delivery.public_id,
        delivery.external_id or "",
        entry.flow.name,
        entry.buyer.name,
        entry.request.reason,
        entry.reverses.public_id if entry.reverses else "",
    )
