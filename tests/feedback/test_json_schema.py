"""A flow's JSON Schema and its validator say the same of any payload, as far as a JSON Schema can say it."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from feedback.schema import STANDARD, Clean, FieldSpec, Schema, Terms, compile_schema, compiled, json_schema
from feedback.schema.values import OUTCOMES
from flows.models import Field
from flows.presets import PRESETS, set_up_flow
from tests import factories as make

NOW = dt.datetime(2026, 3, 20, 12, 0, tzinfo=dt.UTC)
CURRENCIES = {"USD": 2, "JPY": 0, "KWD": 3}
REASONS = ("Wrong number", "Asked before")
KINDS = [kind for kind in Field.Kind.values if kind != "outcome"]


def spec_of(name: str, kind: str, required: bool = False) -> FieldSpec:
    choices = {"choice": ("auto", "home"), "text": REASONS if name == "reason" else ()}.get(kind, ())
    return FieldSpec(name, kind, required, choices)


@st.composite
def schemas(draw) -> Schema:
    standard = draw(st.lists(st.sampled_from(sorted(STANDARD)), unique=True))
    custom = draw(st.lists(st.sampled_from(KINDS), max_size=4))
    specs = [spec_of(name, STANDARD[name], draw(st.booleans())) for name in standard]
    specs += [spec_of(f"own_{n}", kind, draw(st.booleans())) for n, kind in enumerate(custom)]
    currency = draw(st.sampled_from(sorted(CURRENCIES)))
    return Schema(specs, Terms(currency, CURRENCIES[currency], ZoneInfo("America/New_York")))


# --- Values: what a kind takes, and what lies just beside it ---------------------------------------
amounts = st.decimals(0, 999_999_999_999, places=2, allow_nan=False) | st.integers(0, 10**12 - 1)
odd_texts = st.sampled_from(["", " 15", "1,5", "$15", "1e3", "-1", "-0.00", "007.10", "1.000", "9" * 13, "١"])
numbers = st.decimals(-(10**12), 10**12, allow_nan=False, allow_infinity=False) | st.integers(
    -(10**13), 10**13
)
days = st.dates(dt.date(1, 1, 1), dt.date(2026, 3, 19)).map(str)
moments = st.builds(
    "{}{}{}{}".format,
    days,
    st.sampled_from("Tt "),
    st.sampled_from(["10:00", "10:00:59", "23:59:59.123456789", "25:00", "10:0"]),
    st.sampled_from(["", "Z", "z", "+02:00", "-0500", "+2"]),
)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
longer = st.sampled_from(["x" * 500, "x" * 501, "x" * 5000, "x" * 5001, "a\x00b"])
FITTING: dict[str, st.SearchStrategy[Any]] = {
    "outcome": st.sampled_from(OUTCOMES),
    "boolean": st.booleans(),
    "integer": st.integers(0, 6) | st.integers(),
    "decimal": numbers | numbers.map(str) | odd_texts,
    "money": amounts | amounts.map(str) | numbers | odd_texts,
    "date": days,
    "time": moments | days,
    "choice": st.sampled_from(["auto", "home"]),
    "text": texts | longer | st.sampled_from(REASONS),
    "list": st.lists(texts, max_size=21) | st.lists(st.sampled_from(["x" * 200, "x" * 201]), max_size=3),
    "object": st.dictionaries(texts, st.none() | st.booleans() | texts | st.lists(texts), max_size=3),
}
anything = st.one_of(st.none(), *FITTING.values())


@st.composite
def payloads(draw, schema: Schema) -> dict[str, Any]:
    """Mostly right, somewhere wrong."""
    ids = draw(
        st.sampled_from([{"lead_id": "evt_1"}] * 4 + [{"external_id": "x" * 128}, {"lead_id": ""}, {}])
    )
    payload: dict[str, Any] = dict(ids)
    for spec in schema.fields:
        if spec.required or draw(st.booleans()):
            fits = draw(st.integers(0, 9)) > 0
            payload[spec.name] = draw(FITTING[spec.kind] if fits else anything)
    if draw(st.integers(0, 9)) == 0:
        payload[draw(st.sampled_from(["date", "buyer", "lead_id", "outcome"]))] = draw(anything)
    return payload


@given(st.data())
def test_what_the_validator_takes_is_valid(data):
    schema = data.draw(schemas())
    payload = data.draw(payloads(schema))
    if isinstance(schema.validate(payload, now=NOW), Clean):
        Draft202012Validator(schema.json_schema()).validate(payload)


# What a JSON Schema can say of each code; of the others it says nothing.
SAID = {
    "required",
    "unknown_field",
    "field_not_allowed",
    "invalid_outcome",
    "negative_amount",
    "invalid_choice",
}


@given(st.data())
def test_what_the_validator_refuses_for_its_form_is_not_valid(data):
    schema = data.draw(schemas())
    payload = data.draw(payloads(schema))
    answer = schema.validate(payload, now=NOW)
    if not isinstance(answer, Clean) and any(fault.code in SAID for fault in answer):
        assert not Draft202012Validator(schema.json_schema()).is_valid(payload), answer


EVERY = [spec_of(name, kind) for name, kind in STANDARD.items()] + [spec_of(f"own_{k}", k) for k in KINDS]


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"lead_id": "evt_1"},
        {"outcome": "converted"},
        {"lead_id": "", "outcome": "converted"},
        {"lead_id": 1, "outcome": "converted"},
        {"lead_id": "x" * 65, "outcome": "converted"},
        {"external_id": "x" * 129, "outcome": "converted"},
        {"lead_id": "evt_1", "feedback_timestamp": "2026-01-15T14:30:00Z"},
        {"lead_id": "evt_1", "date": "2026-01-15T14:30:00Z"},
        {"lead_id": "evt_1", "outcome": "sold"},
        {"lead_id": "evt_1", "outcome": "Converted"},
        {"lead_id": "evt_1", "outcome": "converted", "price": 1},
        {"lead_id": "evt_1", "converted": "true"},
        {"lead_id": "evt_1", "quality_score": 0},
        {"lead_id": "evt_1", "quality_score": 6},
        {"lead_id": "evt_1", "quality_score": "5"},
        {"lead_id": "evt_1", "quality_score": True},
        {"lead_id": "evt_1", "quality_score": Decimal("4.5")},
        {"lead_id": "evt_1", "revenue": -1},
        {"lead_id": "evt_1", "revenue": "-0.01"},
        {"lead_id": "evt_1", "revenue": 10**12},
        {"lead_id": "evt_1", "revenue": "1" * 13},
        {"lead_id": "evt_1", "revenue": "10.005"},
        {"lead_id": "evt_1", "revenue": "1_000"},
        {"lead_id": "evt_1", "revenue": "١٢٣"},
        {"lead_id": "evt_1", "revenue": True},
        {"lead_id": "evt_1", "revenue": "0" * 101},
        {"lead_id": "evt_1", "own_decimal": "0.0000000001"},
        {"lead_id": "evt_1", "own_decimal": "NaN"},
        {"lead_id": "evt_1", "own_decimal": -(10**12)},
        {"lead_id": "evt_1", "own_integer": 2**53},
        {"lead_id": "evt_1", "own_date": "03/19/2026"},
        {"lead_id": "evt_1", "own_date": "2026-03-19T10:00:00Z"},
        {"lead_id": "evt_1", "own_time": "2026-03-19"},
        {"lead_id": "evt_1", "contacted_date": "yesterday"},
        {"lead_id": "evt_1", "feedback_timestamp": "2026-03-19", "outcome": "converted"},
        {"lead_id": "evt_1", "own_choice": "Auto"},
        {"lead_id": "evt_1", "notes": "x" * 5001},
        {"lead_id": "evt_1", "notes": "a\x00b"},
        {"lead_id": "evt_1", "reason": "x" * 501},
        {"lead_id": "evt_1", "outcome": "returned", "reason": "Something else"},
        {"lead_id": "evt_1", "issues": ["x"] * 21},
        {"lead_id": "evt_1", "issues": ["x" * 201]},
        {"lead_id": "evt_1", "issues": [1]},
        {"lead_id": "evt_1", "issues": "slow"},
        {"lead_id": "evt_1", "product_details": ["a"]},
    ],
)
def test_both_refuse_a_near_miss(payload):
    schema = Schema(EVERY, Terms())
    assert not isinstance(schema.validate(payload, now=NOW), Clean)
    assert not Draft202012Validator(schema.json_schema()).is_valid(payload)


def test_a_required_time_may_come_under_either_name():
    schema = Schema(
        [spec_of("feedback_timestamp", "time", required=True), spec_of("outcome", "outcome")], Terms()
    )
    said, at = {"lead_id": "evt_1", "outcome": "converted"}, "2026-01-15T14:30:00Z"
    for more, good in [
        ({"feedback_timestamp": at}, True),
        ({"date": at}, True),
        ({"feedback_timestamp": None, "date": at}, True),
        ({"feedback_timestamp": None}, False),
        ({}, False),
    ]:
        payload = {**said, **more}
        assert isinstance(schema.validate(payload, now=NOW), Clean) == good
        assert Draft202012Validator(schema.json_schema()).is_valid(payload) == good


def test_every_reader_has_its_shape():
    assert json_schema.NAMED.keys() == compiled.NAMED.keys()
    assert json_schema.BY_KIND.keys() == compiled.BY_KIND.keys() == set(Field.Kind.values)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_schema_of_every_preset_is_a_json_schema(db, preset):
    flow = make.FlowFactory()
    set_up_flow(flow, preset)
    made = compile_schema(flow).json_schema()
    Draft202012Validator.check_schema(json.loads(json.dumps(made)))
    assert {each.name for each in PRESETS[preset]} < made["properties"].keys()


def test_types_limits_and_help_are_in_it():
    schema = Schema(
        [FieldSpec("loan", "money", help_text="What was lent."), spec_of("reason", "text")], Terms()
    )
    properties = schema.json_schema()["properties"]
    assert properties["loan"]["title"] == "Loan"
    assert properties["loan"]["description"].startswith(
        "What was lent. An amount in USD with at most 2 decimals"
    )
    assert properties["loan"]["type"] == ["number", "string", "null"]
    assert properties["reason"]["maxLength"] == 500
