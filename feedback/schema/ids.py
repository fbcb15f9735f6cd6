"""The ids by which a submission names its delivery."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from feedback.schema.spec import RefusedError
from feedback.schema.values import storable
from flows.problems import Fault

LENGTHS = {"lead_id": 64, "external_id": 128}


class Ids(NamedTuple):
    """The ids that could be read; None where one is left out or unusable."""

    lead_id: str | None
    external_id: str | None


def read_ids(payload: Mapping[str, Any]) -> tuple[Ids, tuple[Fault, ...]]:
    """The payload's ids, safe to ask the database for, and what is wrong with them."""
    found: dict[str, str | None] = dict.fromkeys(LENGTHS)
    faults = []
    for name, length in LENGTHS.items():
        if name in payload:
            try:
                found[name] = _read(name, payload[name], length)
            except RefusedError as refused:
                faults.append(refused.fault(name))
    if not faults and not any(found.values()):
        faults.append(
            Fault("lead_id", "required", "Send lead_id (evt_…), or external_id: your own id of the lead.")
        )
    return Ids(**found), tuple(faults)


def _read(name: str, value: object, length: int) -> str:
    if not isinstance(value, str):
        raise RefusedError("invalid_type", f'Send {name} as text, in quotes, such as "evt_abc123".')
    if not value:
        raise RefusedError("required", f"{name} is empty. Send the id of the lead, or leave {name} out.")
    if len(value) > length:
        raise RefusedError("too_long", f"{name} has at most {length} characters.")
    return storable(value)
