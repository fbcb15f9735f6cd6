"""Fields that the flow does not know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from feedback.schema.hints import did_you_mean
from feedback.schema.spec import ALIAS, ID_NAMES, STANDARD, FieldSpec
from flows.problems import Fault

NAMED = 50  # so many strangers are named one by one; a body of thousands is no slip of the pen


def refuse_strangers(payload: Mapping[str, Any], fields: Mapping[str, FieldSpec]) -> tuple[Fault, ...]:
    """A fault for every key of the payload that is neither an id nor a field of the flow."""
    strangers = [name for name in payload if name not in fields and name not in ID_NAMES and name != ALIAS]
    if not strangers:
        return ()
    faults = [_fault(name, fields) for name in strangers[:NAMED]]
    if len(strangers) > NAMED:
        rest = len(strangers) - NAMED
        faults.append(
            Fault("", "unknown_field", f"Leave out {rest} more fields that this flow does not know.")
        )
    return tuple(faults)


def _fault(name: str, fields: Mapping[str, FieldSpec]) -> Fault:
    allowed = tuple(fields)
    if name in STANDARD:
        return Fault(name, "field_not_allowed", f"Leave out {name}: this flow does not take it.", allowed)
    shown = name[:64].encode(errors="replace").decode()
    lead_names = {spec.maps_to: spec.name for spec in fields.values() if spec.maps_to}
    meant = did_you_mean(name, (*ID_NAMES, *fields), lead_names)
    advice = f'Send "{meant}" if that is what you mean' if meant else f"Leave out {shown}"
    return Fault(shown, "unknown_field", f"{advice}: this flow has no field of this name.", allowed, meant)
