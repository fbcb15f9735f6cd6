"""The JSON Schema (draft 2020-12) of a flow's feedback, from what the validator is made of.

It takes whatever the validator takes. What no JSON Schema can say (the decimals of a JSON number, the bytes
of an object, a time against the clock) stands in the descriptions, and the validator holds it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from feedback.schema import clock, values
from feedback.schema.ids import LENGTHS
from feedback.schema.spec import ALIAS, ID_NAMES, TIMESTAMP, FieldSpec, Terms
from flows.models import Outcome

Json = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
TEXT = {"type": "string", "pattern": "^[^\\u0000]*$"}
TOO_LARGE = 10**values.WHOLE_DIGITS
ABOUT_ID = {
    "lead_id": "The id under which the lead was delivered. evt_test is validated and never stored.",
    "external_id": "Your own id of the lead, if it was delivered with it. Send it or lead_id.",
}


def json_schema(fields: Sequence[FieldSpec], terms: Terms) -> Json:
    """The schema of one piece of feedback as a JSON object; ``fields``: those of the compiled schema."""
    rules = [
        {"anyOf": [{"required": [name]} for name in ID_NAMES]},
        {"not": {"propertyNames": {"enum": [*ID_NAMES, TIMESTAMP, ALIAS]}}},
        *_timestamp_rules(fields),
        *_reason_rules(fields),
    ]
    return {
        "$schema": DIALECT,
        "type": "object",
        "properties": _properties(fields, terms),
        "required": [spec.name for spec in fields if spec.required and spec.name != TIMESTAMP],
        "additionalProperties": False,
        "allOf": rules,
    }


def field_schema(spec: FieldSpec, terms: Terms) -> Json:
    """The schema of one field's value."""
    shape = NAMED.get(spec.name, BY_KIND[spec.kind])(spec, terms)
    about = " ".join(filter(None, (spec.help_text, shape.pop("description", ""))))
    nullable = shape if spec.required and spec.name != TIMESTAMP else _or_null(shape)
    return {"title": spec.label, **({"description": about} if about else {}), **nullable}


def _properties(fields: Iterable[FieldSpec], terms: Terms) -> Json:
    ids = {
        name: {**TEXT, "description": ABOUT_ID[name], "minLength": 1, "maxLength": length}
        for name, length in LENGTHS.items()
    }
    alias = FieldSpec(ALIAS, "time", help_text=f"Another name of {TIMESTAMP}.")
    return ids | {spec.name: field_schema(spec, terms) for spec in (*fields, alias)}


def _or_null(shape: Json) -> Json:
    """The shape, or null, which clears the field."""
    nullable = {**shape, "type": [*_listed(shape["type"]), "null"]}
    return nullable | ({"enum": [*shape["enum"], None]} if "enum" in shape else {})


def _listed(kinds: str | list[str]) -> list[str]:
    return [kinds] if isinstance(kinds, str) else kinds


def _timestamp_rules(fields: Iterable[FieldSpec]) -> list[Json]:
    """Where the time is required, either of its names will do."""
    if not any(spec.name == TIMESTAMP and spec.required for spec in fields):
        return []
    given = [{"required": [name], "properties": {name: {"type": "string"}}} for name in (TIMESTAMP, ALIAS)]
    return [{"anyOf": given}]


def _reason_rules(fields: Iterable[FieldSpec]) -> list[Json]:
    """For a return the reason must be on the flow's list, where there is one."""
    choices = [choice for spec in fields if spec.name == "reason" for choice in spec.choices]
    if not choices:
        return []
    returned = {"properties": {"outcome": {"const": Outcome.RETURNED.value}}, "required": ["outcome"]}
    return [{"if": returned, "then": {"properties": {"reason": {"enum": [*choices, None]}}}}]


def _text(length: int) -> Json:
    return {**TEXT, "maxLength": length}


def _integer(low: int = -values.SAFE_INTEGER, high: int = values.SAFE_INTEGER) -> Json:
    return {"type": "integer", "minimum": low, "maximum": high}


def _money(spec: FieldSpec, terms: Terms) -> Json:
    decimals = f"at most {terms.decimals} decimals" if terms.decimals else "no decimals"
    whole = {} if terms.decimals else {"multipleOf": 1}
    digits = _digits(terms.decimals)
    return {
        "description": f"An amount in {terms.currency} with {decimals}, as a number or as text.",
        "type": ["number", "string"],
        "minimum": 0,
        "exclusiveMaximum": TOO_LARGE,
        **whole,
        "pattern": f"^(-?0+(\\.0+)?|{digits})$",
        "maxLength": 100,
    }


def _decimal(spec: FieldSpec, terms: Terms) -> Json:
    return {
        "description": f"With at most {values.FRACTION_DIGITS} decimals, as a number or as text.",
        "type": ["number", "string"],
        "exclusiveMinimum": -TOO_LARGE,
        "exclusiveMaximum": TOO_LARGE,
        "pattern": f"^-?{_digits(values.FRACTION_DIGITS)}$",
        "maxLength": 100,
    }


def _digits(decimals: int) -> str:
    """A number in plain digits; further zeros on either side change nothing."""
    fraction = f"\\.[0-9]{{1,{decimals}}}0*" if decimals else "\\.0+"
    return f"0*[0-9]{{1,{values.WHOLE_DIGITS}}}({fraction})?"


def _moment(about: str) -> Json:
    return {
        "description": about,
        "type": "string",
        "format": "date-time",
        "pattern": f"^{_plain(clock.TIME)}$",
    }


def _date_or_time(spec: FieldSpec, terms: Terms) -> Json:
    return {
        "description": "A date, or an ISO 8601 time with an offset. Not in the future.",
        "type": "string",
        "pattern": DATE_OR_TIME,
    }


def _plain(pattern: re.Pattern[str]) -> str:
    """The expression with ASCII digits for every reader: ``\\d`` is more than that to some."""
    return pattern.pattern.replace(r"\d", "[0-9]")


DATE_OR_TIME = f"^({_plain(clock.DATE)}|{_plain(clock.TIME)})$"


def _list(spec: FieldSpec, terms: Terms) -> Json:
    return {"type": "array", "maxItems": values.LIST_LENGTH, "items": _text(values.ITEM_LENGTH)}


def _object(spec: FieldSpec, terms: Terms) -> Json:
    about = f"At most {values.OBJECT_BYTES:,} bytes of JSON and {values.OBJECT_DEPTH} levels."
    return {"description": about, "type": "object"}


Shaper = Callable[[FieldSpec, Terms], Json]
HAPPENED = "ISO 8601 with an offset. Not in the future, not before the delivery; left out: now."
ISO = "ISO 8601 with an offset; without one it is read in the flow's time zone."
# The same names as in the tables of readers in `feedback.schema.compiled`: a test holds them together.
NAMED: Mapping[str, Shaper] = {
    "quality_score": lambda spec, terms: _integer(1, 5),
    TIMESTAMP: lambda spec, terms: _moment(HAPPENED),
    ALIAS: lambda spec, terms: _moment(HAPPENED),
    "contacted_date": _date_or_time,
    "reason": lambda spec, terms: _text(values.REASON_LENGTH),
}
BY_KIND: Mapping[str, Shaper] = {
    "outcome": lambda spec, terms: {"type": "string", "enum": list(values.OUTCOMES)},
    "boolean": lambda spec, terms: {"type": "boolean"},
    "integer": lambda spec, terms: _integer(),
    "decimal": _decimal,
    "money": _money,
    "date": lambda spec, terms: {
        "type": "string",
        "format": "date",
        "pattern": f"^{_plain(clock.DATE)}$",
    },
    "time": lambda spec, terms: _moment(ISO),
    "choice": lambda spec, terms: {"type": "string", "enum": list(spec.choices)},
    "text": lambda spec, terms: _text(values.TEXT_LENGTH),
    "list": _list,
    "object": _object,
}
