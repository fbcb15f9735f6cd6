"""What a flow's fields may be called and be, as plain rules for whoever edits them."""

from __future__ import annotations

from collections.abc import Sequence

from flows.models import Field

Kind = Field.Kind
# The standard fields of the contract, each with the types it may have in a schema.
STANDARD_KINDS: dict[str, tuple[Kind, ...]] = {
    "outcome": (Kind.OUTCOME,),
    "converted": (Kind.BOOLEAN,),
    "quality_score": (Kind.INTEGER,),
    "revenue": (Kind.MONEY,),
    "commission": (Kind.MONEY,),
    "feedback_timestamp": (Kind.TIME,),
    "contacted_date": (Kind.TIME, Kind.DATE),
    "reason": (Kind.TEXT, Kind.CHOICE),
    "notes": (Kind.TEXT,),
    "recommendations": (Kind.TEXT,),
    "issues": (Kind.LIST,),
    "product_details": (Kind.OBJECT,),
}
# Names that the API itself gives a meaning.
RESERVED = frozenset(
    {
        "lead_id",
        "external_id",
        "date",
        "feedback_id",
        "event_id",
        "status",
        "livemode",
        "line",
        "error",
        "index",
    }
)
MAX_CHOICES = 200
MAX_CHOICE_LENGTH = 255


def field_faults(name: str, kind: str, choices: Sequence[str]) -> dict[str, str]:
    """What is wrong with a field, by attribute: ``{"name": …, "kind": …, "choices": …}``; empty: nothing."""
    faults = {
        "name": _name_fault(name),
        "kind": _kind_fault(name, kind),
        "choices": choice_fault(kind, choices),
    }
    return {attribute: fault for attribute, fault in faults.items() if fault}


def _name_fault(name: str) -> str:
    if name in RESERVED:
        return f"“{name}” has a meaning of its own in the API. Choose another name."
    return ""


def _kind_fault(name: str, kind: str) -> str:
    allowed = STANDARD_KINDS.get(name)
    if allowed is None:
        return "Only the field “outcome” has this type." if kind == Kind.OUTCOME else ""
    if kind in allowed:
        return ""
    return f"“{name}” is a standard field: its type is {' or '.join(str(each.label) for each in allowed)}."


def choice_fault(kind: str, choices: Sequence[str]) -> str:
    """What is wrong with a list of choices; "" for nothing."""
    if kind != Kind.CHOICE:
        return "Only the type “Choice” has choices." if choices else ""
    if not choices:
        return "Give at least one choice, one a line."
    if len(choices) > MAX_CHOICES or max(map(len, choices)) > MAX_CHOICE_LENGTH:
        return f"At most {MAX_CHOICES} choices of at most {MAX_CHOICE_LENGTH} characters each."
    if len(set(choices)) < len(choices):
        return "A choice is there twice."
    return ""


def map_faults(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Fields that would share a place on the lead. ``pairs``: (name, maps onto); → field name: message."""
    taken: dict[str, str] = {}
    faults: dict[str, str] = {}
    for name, maps_to in pairs:
        target = maps_to or name
        if target in taken:
            faults[name] = f"“{taken[target]}” maps onto the lead field “{target}” too. Choose another."
        taken.setdefault(target, name)
    return faults
