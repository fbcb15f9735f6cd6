"""Which columns the list of leads shows: some always, the rest as the address says (``?column=notes``)."""

from __future__ import annotations

from collections.abc import Sequence

from django.http import QueryDict

from feedback.desk import STATUS_FIELDS, Desk
from feedback.schema import FieldSpec, compile_schema
from feedback.schema.spec import TIMESTAMP

COLUMN = "column"
ALWAYS = ("select", "lead", "due")
FIELD = "f-"  # before the name of a field that has no column of its own
OF_FIELD = {"quality_score": "quality", "revenue": "revenue"}
USUAL = ("id", "flow", "source", "delivered", "outcome", "quality", "revenue")
WIDE = 9  # beyond so many columns the table scrolls within its frame


def field_specs(desk: Desk) -> dict[str, FieldSpec]:
    """The fields that a row can set, by name: those of all the buyer's flows, the first flow's first."""
    specs = [spec for flow in desk.flows for spec in compile_schema(flow).fields]
    return {spec.name: spec for spec in reversed(specs) if spec.name != TIMESTAMP}


def further_fields(desk: Desk) -> list[FieldSpec]:
    """Those that the usual columns do not show, in the order of the flows' schemas."""
    status = _status_fields(desk)
    by_name = field_specs(desk)
    names = dict.fromkeys(spec.name for flow in desk.flows for spec in compile_schema(flow).fields)
    return [by_name[name] for name in names if name in by_name and name not in {*OF_FIELD, *status}]


def _status_fields(desk: Desk) -> set[str]:
    """The fields that the column of outcomes shows: of each flow one."""
    schemas = [compile_schema(flow).by_name for flow in desk.flows]
    firsts = (next((name for name in STATUS_FIELDS if name in names), "") for names in schemas)
    return {*firsts} - {""}


def on_offer(desk: Desk) -> dict[str, str]:
    """Every column that can be switched, in the table's order, with its label."""
    several = len(desk.flows) > 1
    fixed = {
        "id": "ID",
        "flow": "Flow" if several and not desk.source_flows else "",
        "source": "Source" if desk.source_flows else "",
        "phone": "Phone" if desk.contact_flows else "",
        "delivered": "Delivered",
        "price": "Paid" if desk.flow_ids(lambda agreement: agreement.shows_price) else "",
        "outcome": "Outcome",
        "quality": "Quality",
        "revenue": "Revenue",
    }
    fields = {f"{FIELD}{spec.name}": spec.label for spec in further_fields(desk)}
    return {name: label for name, label in {**fixed, **fields}.items() if label}


def chosen(offered: Sequence[str], query: QueryDict) -> list[str]:
    """The columns to show, of those on offer and in their order; the usual ones where none is named."""
    named = [name for part in query.getlist(COLUMN) for name in part.split(",")]
    wanted = {name if name in offered else f"{FIELD}{name}" for name in named}
    return [name for name in offered if name in wanted] or [name for name in offered if name in USUAL]
