"""From a flow's fields to one validator: every fault at once, every value in canonical form."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from pydantic_core import SchemaValidator, ValidationError, core_schema

from feedback.schema import clock, values
from feedback.schema.ids import Ids, read_ids
from feedback.schema.json_schema import json_schema
from feedback.schema.spec import (
    ALIAS,
    ID_NAMES,
    STANDARD,
    TIMESTAMP,
    FieldSpec,
    Reader,
    Reading,
    RefusedError,
    Terms,
)
from feedback.schema.strangers import refuse_strangers
from feedback.schema.texts import payload_of
from flows.models import Field, Flow
from flows.models.config import CURRENCY_DECIMALS
from flows.problems import Fault

NAMED: Mapping[str, Callable[[FieldSpec, Terms], Reader]] = {
    "quality_score": lambda spec, terms: values.integer(1, 5),
    TIMESTAMP: lambda spec, terms: clock.timestamp(TIMESTAMP, terms),
    ALIAS: lambda spec, terms: clock.timestamp(ALIAS, terms),
    "contacted_date": lambda spec, terms: clock.date_or_time(spec.name, terms),
    "reason": lambda spec, terms: values.reason(spec.choices),
}
BY_KIND: Mapping[str, Callable[[FieldSpec, Terms], Reader]] = {
    "outcome": lambda spec, terms: values.outcome,
    "boolean": lambda spec, terms: values.boolean,
    "integer": lambda spec, terms: values.integer(),
    "decimal": lambda spec, terms: values.decimal,
    "money": lambda spec, terms: values.money(terms),
    "date": lambda spec, terms: clock.date,
    "time": lambda spec, terms: clock.time(spec.name, terms),
    "choice": lambda spec, terms: values.choice(spec.choices),
    "text": lambda spec, terms: values.text(values.TEXT_LENGTH),
    "list": lambda spec, terms: values.texts,
    "object": lambda spec, terms: values.mapping,
}


@dataclass(frozen=True, slots=True)
class Clean:
    """Feedback in canonical form.

    ``values``: field → canonical JSON value, or None where it is to be cleared; without the ids and the
    timestamp. ``occurred_at``: aware, UTC; None where the sender gave no time.
    """

    ids: Ids
    values: dict[str, Any]
    occurred_at: dt.datetime | None
    warnings: tuple[str, ...] = ()

    def warn(self, warning: str) -> Clean:
        """The same with one more warning."""
        return replace(self, warnings=(*self.warnings, warning))


class Schema:
    """The fields that feedback on one flow may carry, and how they are read. Pure and immutable."""

    def __init__(self, fields: Iterable[FieldSpec], terms: Terms) -> None:
        self.fields = _standardised(fields)
        self.terms = terms
        self.by_name = {spec.name: spec for spec in self.fields}
        self._validator = _validator(_readable(self.fields), terms)

    def validate(
        self, payload: Mapping[str, Any], *, now: dt.datetime, delivered_at: dt.datetime | None = None
    ) -> Clean | tuple[Fault, ...]:
        """The payload in canonical form, or everything that is wrong with it.

        ``payload``: JSON-typed values by field name, ids among them. With ``delivered_at`` (aware) the
        timestamp is held against it.
        """
        reading = Reading(payload, now, delivered_at)
        ids, faults = read_ids(payload)
        read, more = self._read(reading)
        faults += refuse_strangers(payload, self.by_name) + more
        faults += _says_nothing(payload) + self._says_not_when(payload)
        occurred_at, clash = _occurred_at(read)
        if faults or clash:
            return faults + clash
        return Clean(ids, read, occurred_at, tuple(reading.warnings))

    def from_texts(
        self, row: Mapping[str, str], *, decimal_comma: bool = False, sure: bool = True
    ) -> dict[str, Any]:
        """A payload made of a file's or a form's cells: see `feedback.schema.texts.payload_of`."""
        kinds = {spec.name: spec.kind for spec in self.fields}
        return payload_of(row, kinds, decimal_comma=decimal_comma, sure=sure)

    def moment(self, text: str) -> str:
        """A time of happening in one spelling, UTC; the text itself where it is none."""
        return _moment(text, self.terms)

    def json_schema(self) -> dict[str, Any]:
        """The JSON Schema (draft 2020-12) of what `validate` takes."""
        return json_schema(self.fields, self.terms)

    def _says_not_when(self, payload: Mapping[str, Any]) -> tuple[Fault, ...]:
        required = self.by_name[TIMESTAMP].required
        if not required or any(payload.get(name) is not None for name in (TIMESTAMP, ALIAS)):
            return ()
        return (Fault(TIMESTAMP, "required", f"Send {TIMESTAMP}: it is required on this flow."),)

    def _read(self, reading: Reading) -> tuple[dict[str, Any], tuple[Fault, ...]]:
        try:
            return self._validator.validate_python(dict(reading.payload), context=reading), ()
        except ValidationError as error:
            return {}, tuple(_fault(each) for each in error.errors(include_url=False, include_input=False))


@functools.lru_cache(maxsize=4096)
def _moment(text: str, terms: Terms) -> str:
    reading = Reading({}, dt.datetime.now(dt.UTC))  # noted by nobody: it is asked again when it is read
    try:
        return clock.iso(clock.moment(TIMESTAMP, text, terms.zone, reading))
    except RefusedError:
        return text


def compile_schema(flow: Flow) -> Schema:
    """The schema of a flow, compiled once for each of its versions."""
    # The public id is part of the key as it is never used twice; currency and time zone, as they decide too.
    return _compiled(flow.public_id, flow.pk, flow.schema_version, flow.currency, flow.timezone)


@functools.lru_cache(maxsize=512)
def _compiled(public_id: str, flow_id: int, version: int, currency: str, timezone: str) -> Schema:
    fields = [
        FieldSpec(row.name, row.kind, row.required, tuple(map(str, row.choices)), row.help_text, row.maps_to)
        for row in Field.objects.filter(flow=flow_id)
    ]
    return Schema(fields, Terms(currency, CURRENCY_DECIMALS[currency], ZoneInfo(timezone)))


def _standardised(fields: Iterable[FieldSpec]) -> tuple[FieldSpec, ...]:
    """The fields with standard types where the name is standard.

    The timestamp belongs to the feedback rather than to the lead: any flow takes it.
    """
    specs = {
        each.name: replace(each, kind=STANDARD.get(each.name, each.kind))
        for each in fields
        if each.name not in (*ID_NAMES, ALIAS)
    }
    specs.setdefault(TIMESTAMP, FieldSpec(TIMESTAMP, STANDARD[TIMESTAMP], help_text="When it happened."))
    return tuple(specs.values())


def _readable(fields: Iterable[FieldSpec]) -> list[FieldSpec]:
    """The fields and the timestamp's alias; of these two either will do, so neither alone is required."""
    optional = [replace(each, required=False) if each.name == TIMESTAMP else each for each in fields]
    return [*optional, FieldSpec(ALIAS, STANDARD[TIMESTAMP])]


def _validator(fields: Iterable[FieldSpec], terms: Terms) -> SchemaValidator:
    typed = {
        spec.name: core_schema.typed_dict_field(_field_schema(spec, terms), required=spec.required)
        for spec in fields
    }
    return SchemaValidator(core_schema.typed_dict_schema(typed, extra_behavior="ignore"))


def _field_schema(spec: FieldSpec, terms: Terms) -> core_schema.CoreSchema:
    read = NAMED.get(spec.name, BY_KIND[spec.kind])(spec, terms)

    def nullable(value: object, info: core_schema.ValidationInfo[Reading]) -> Any:
        if value is not None:
            return read(value, info.context)
        if spec.required:
            raise RefusedError("required", f"{spec.name} is required on this flow and cannot be cleared.")
        return None

    return core_schema.with_info_plain_validator_function(nullable)


def _fault(error: Mapping[str, Any]) -> Fault:
    name = str(error["loc"][0])
    if error["type"] == "missing":
        return Fault(name, "required", f"Send {name}: it is required on this flow.")
    refused: RefusedError = error["ctx"]["error"]
    return refused.fault(name)


def _says_nothing(payload: Mapping[str, Any]) -> tuple[Fault, ...]:
    if payload.keys() - {*ID_NAMES, TIMESTAMP, ALIAS}:
        return ()
    return (Fault("", "required", "Send at least one field of feedback beside the id, such as outcome."),)


def _occurred_at(read: dict[str, Any]) -> tuple[dt.datetime | None, tuple[Fault, ...]]:
    """Take the timestamp out of the values read; both its names may be used, for one and the same time."""
    times = {at for at in (read.pop(TIMESTAMP, None), read.pop(ALIAS, None)) if at is not None}
    if len(times) > 1:
        fault = Fault(
            ALIAS, "invalid_timestamp", f"{ALIAS} is another name of {TIMESTAMP}; send one of them."
        )
        return None, (fault,)
    return (dt.datetime.fromisoformat(times.pop()) if times else None), ()
