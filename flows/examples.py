"""A request that works, for a flow as it is set up: what a buyer's developer copies first."""

from __future__ import annotations

import datetime as dt
import json
import zoneinfo
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, Protocol

from django.conf import settings
from django.utils.timezone import now as wall_clock

from flows.models import Field, Flow

TEST_LEAD = "evt_test"  # validated with any key of the flow, never stored
MOST_FIELDS = 8
TEXTS = {"reason": "Wants a call next week", "notes": "Great lead", "recommendations": "More like this"}


class AnyField(Protocol):
    """A flow's field as its row or as its compiled schema has it."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def required(self) -> bool: ...
    @property
    def choices(self) -> Sequence[str]: ...


def endpoint(flow: Flow) -> str:
    """The absolute address to which feedback on the flow is posted."""
    return f"{settings.BASE_URL}/flows/{flow.public_id}/feedback"


def example_body(flow: Flow, fields: Iterable[AnyField], *, now: dt.datetime | None = None) -> dict[str, Any]:
    """A valid JSON body: the required fields, then others in their order, up to `MOST_FIELDS`."""
    moment = (now or wall_clock()).replace(microsecond=0)
    chosen = sorted(fields, key=lambda field: not field.required)
    names = {field.name for field in chosen}
    if "outcome" in names:
        chosen = [field for field in chosen if field.required or field.name != "converted"]
    count = max(MOST_FIELDS, sum(field.required for field in chosen))
    return {"lead_id": TEST_LEAD} | {
        field.name: example_value(field, flow, moment) for field in chosen[:count]
    }


def example_value(field: AnyField, flow: Flow, moment: dt.datetime) -> Any:
    """A value of the field's type that its schema accepts."""
    makers: dict[str, Callable[[], Any]] = {
        Field.Kind.OUTCOME: lambda: "converted",
        Field.Kind.BOOLEAN: lambda: True,
        Field.Kind.INTEGER: lambda: 5,
        Field.Kind.DECIMAL: lambda: "1.5",
        Field.Kind.MONEY: lambda: str(Decimal(1500).quantize(Decimal(1).scaleb(-flow.decimals))),
        Field.Kind.DATE: lambda: moment.astimezone(zoneinfo.ZoneInfo(flow.timezone)).date().isoformat(),
        Field.Kind.TIME: lambda: moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        Field.Kind.CHOICE: lambda: field.choices[0],
        Field.Kind.LIST: lambda: ["Wrong phone"],
        Field.Kind.OBJECT: lambda: {"plan": "basic"},
    }
    return makers.get(field.kind, lambda: TEXTS.get(field.name, "text"))()


def curl(flow: Flow, body: dict[str, Any], key: str = "YOUR_KEY") -> str:
    """A curl line for a POSIX shell."""
    data = json.dumps(body, indent=2).replace("'", "'\\''")
    return (
        f"curl -X POST {endpoint(flow)} \\\n  -H 'X-API-Key: {key}' \\\n"
        f"  -H 'Content-Type: application/json' \\\n  -d '{data}'"
    )
