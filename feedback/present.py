"""A delivery's state as it is shown: by the API as JSON, and to people."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from feedback.fold import COLUMNS
from feedback.schema import FieldSpec, compile_schema
from feedback.schema.clock import iso
from flows.models import Delivery, Flow

# Where the value of a standard field with a column of its own stands.
COLUMN_OF: Mapping[str, str] = {**COLUMNS, "feedback_timestamp": "last_feedback_at"}


def amount(value: Decimal | None, flow: Flow) -> str | None:
    """Money as a text with the flow currency's decimals: ``"1500.00"``."""
    return None if value is None else f"{value:.{flow.decimals}f}"


def moment(value: dt.datetime | None) -> str | None:
    """A time in UTC, ISO 8601 with ``Z``."""
    return None if value is None else iso(value)


def state_json(delivery: Delivery, flow: Flow) -> dict[str, Any]:
    """The contract's ``lead``: the current state of a delivery's feedback."""
    return {
        "outcome": delivery.outcome,
        "conversion_status": delivery.conversion_status,
        "quality_score": delivery.quality_score,
        "revenue": amount(delivery.revenue, flow),
        "commission": amount(delivery.commission, flow),
        "currency": flow.currency,
        "contacted_at": moment(delivery.contacted_at),
        "fields": lead_fields(delivery, flow),
        "feedback_count": delivery.feedback_count,
        "last_feedback_at": moment(delivery.last_feedback_at),
    }


def lead_fields(delivery: Delivery, flow: Flow) -> dict[str, Any]:
    """The state under the lead's names: every mapped field, and every one without a column of its own.

    Fields of the flow are always there, null where nothing stands; what earlier versions of the schema took
    keeps its name.
    """
    schema = compile_schema(flow)
    shown = {name: value for name, value in delivery.fields.items() if name not in schema.by_name}
    for spec in schema.fields:
        if spec.maps_to or spec.name not in COLUMN_OF:
            shown[spec.maps_to or spec.name] = value_json(delivery, spec, flow)
    return shown


def value_json(delivery: Delivery, spec: FieldSpec, flow: Flow) -> Any:
    """The canonical JSON value of one field as it stands; None where nothing does."""
    column = COLUMN_OF.get(spec.name)
    if column is None:
        return delivery.fields.get(spec.name)
    value = getattr(delivery, column)
    if isinstance(value, Decimal):
        return amount(value, flow)
    return iso(value) if isinstance(value, dt.datetime) else value
