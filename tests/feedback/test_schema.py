"""What the schema takes, in which canonical form, and how it refuses: all at once, saying what to do."""

import datetime as dt
import json
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.schema import STANDARD, Clean, FieldSpec, Schema, Terms
from flows.models import Outcome
from flows.problems import Fault

NOW = dt.datetime(2026, 3, 20, 12, 0, tzinfo=dt.UTC)
DELIVERED = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)
NEW_YORK = ZoneInfo("America/New_York")
EVERY = [FieldSpec(name, kind) for name, kind in STANDARD.items()]
CUSTOM = [
    FieldSpec("policy_sold", "boolean"),
    FieldSpec("age", "integer"),
    FieldSpec("rate", "decimal"),
    FieldSpec("premium_amount", "money"),
    FieldSpec("appointment_date", "date"),
    FieldSpec("appointment_time", "time"),
    FieldSpec("policy_type", "choice", choices=("auto", "home")),
    FieldSpec("remark", "text"),
    FieldSpec("tags", "list"),
    FieldSpec("extra", "object"),
]


def schema(*fields: FieldSpec, currency: str = "USD", decimals: int = 2) -> Schema:
    return Schema(fields or [*EVERY, *CUSTOM], Terms(currency, decimals, NEW_YORK))


def clean(payload: dict, of: Schema | None = None, **options) -> Clean:
    answer = (of or schema()).validate({"lead_id": "evt_1", **payload}, now=NOW, **options)
    assert isinstance(answer, Clean), answer
    return answer


def faults(payload: dict, of: Schema | None = None, **options) -> list[Fault]:
    answer = (of or schema()).validate({"lead_id": "evt_1", **payload}, now=NOW, **options)
    assert isinstance(answer, tuple), answer
    assert all(fault.message.endswith((".", ")")) for fault in answer)
    return list(answer)


def codes(payload: dict, of: Schema | None = None, **options) -> list[tuple[str, str]]:
    return [(fault.field, fault.code) for fault in faults(payload, of, **options)]


@pytest.mark.parametrize(
    ("field", "given", "kept"),
    [
        ("quality_score", Decimal("5.0"), 5),
        ("outcome", "bad_info", "bad_info"),
        ("converted", False, False),
        ("quality_score", 5, 5),
        ("revenue", 1500, "1500.00"),
        ("revenue", Decimal("1500.5"), "1500.50"),
        ("revenue", Decimal("15E2"), "1500.00"),
        ("revenue", "1500.10", "1500.10"),
        ("revenue", "10.500", "10.50"),
        ("revenue", Decimal("-0.0"), "0.00"),
        ("commission", 999_999_999_999, "999999999999.00"),
        ("contacted_date", "2026-03-19", "2026-03-19T04:00:00Z"),
        ("contacted_date", "2026-03-19T10:00:00+02:00", "2026-03-19T08:00:00Z"),
        ("reason", "Wrong number", "Wrong number"),
        ("notes", "x" * 5000, "x" * 5000),
        ("issues", ["slow", "rude"], ["slow", "rude"]),
        (
            "product_details",
            {"a": Decimal("12.5"), "b": [1, None, True]},
            {"a": 12.5, "b": [1, None, True]},
        ),
        ("policy_sold", True, True),
        ("age", -7, -7),
        ("rate", Decimal("6.1250"), "6.125"),
        ("rate", "-100", "-100"),
        ("rate", 0, "0"),
        ("premium_amount", "150", "150.00"),
        ("appointment_date", "2026-12-24", "2026-12-24"),
        ("appointment_time", "2027-01-01T00:00:00.250Z", "2027-01-01T00:00:00.250000Z"),
        ("policy_type", "auto", "auto"),
        ("remark", "=SUM(A1)\nnext line 🙂", "=SUM(A1)\nnext line 🙂"),
    ],
)
def test_a_good_value_is_kept_in_canonical_form(field, given, kept):
    answer = clean({field: given})
    assert answer.values == {field: kept}
    json.dumps(answer.values)


@pytest.mark.parametrize("field", [name for name in STANDARD if name != "feedback_timestamp"])
def test_null_clears_any_field(field):
    assert clean({field: None}).values == {field: None}


@pytest.mark.parametrize(
    ("field", "given", "code"),
    [
        ("outcome", "sold", "invalid_outcome"),
        ("outcome", "", "invalid_outcome"),
        ("outcome", 1, "invalid_type"),
        ("converted", "true", "invalid_type"),
        ("converted", 1, "invalid_type"),
        ("quality_score", 0, "out_of_range"),
        ("quality_score", 6, "out_of_range"),
        ("quality_score", "5", "invalid_type"),
        ("quality_score", True, "invalid_type"),
        ("quality_score", Decimal("4.5"), "invalid_type"),
        ("revenue", -1, "negative_amount"),
        ("revenue", "-0.01", "negative_amount"),
        ("revenue", Decimal("10.005"), "too_many_decimals"),
        ("revenue", Decimal("1E-300"), "too_many_decimals"),
        ("revenue", "1." + "0" * 90 + "1", "too_many_decimals"),
        ("revenue", 10**12, "out_of_range"),
        ("revenue", Decimal("1E+400"), "out_of_range"),
        ("revenue", 10**4000, "out_of_range"),
        ("revenue", True, "invalid_type"),
        ("revenue", "1_000", "invalid_type"),
        ("revenue", "١٢٣", "invalid_type"),
        ("revenue", "1,500.00", "invalid_type"),
        ("revenue", "$15", "invalid_type"),
        ("revenue", " 15", "invalid_type"),
        ("revenue", "1e3", "invalid_type"),
        ("revenue", "NaN", "invalid_type"),
        ("revenue", "", "invalid_type"),
        ("revenue", Decimal("NaN"), "invalid_type"),
        ("revenue", Decimal("Infinity"), "invalid_type"),
        ("revenue", 15.5, "invalid_type"),
        ("revenue", [15], "invalid_type"),
        ("contacted_date", "2026-02-30", "invalid_timestamp"),
        ("contacted_date", "03/19/2026", "invalid_timestamp"),
        ("contacted_date", "2026-03-23", "timestamp_in_future"),
        ("contacted_date", "2026-03-20T12:06:00Z", "timestamp_in_future"),
        ("contacted_date", "0001-01-01", None),
        ("contacted_date", 20260319, "invalid_type"),
        ("feedback_timestamp", "2026-03-20T12:06:00Z", "timestamp_in_future"),
        ("feedback_timestamp", "2026-03-01T11:59:59Z", "timestamp_before_delivery"),
        ("feedback_timestamp", "2026-02-30T10:00:00Z", "invalid_timestamp"),
        ("feedback_timestamp", "2026-03-10T25:00:00Z", "invalid_timestamp"),
        ("feedback_timestamp", "2026-03-10", "invalid_timestamp"),
        ("feedback_timestamp", "٢٠٢٦-03-10T10:00:00Z", "invalid_timestamp"),
        ("feedback_timestamp", "0001-01-01T00:00:00+14:00", "invalid_timestamp"),
        ("feedback_timestamp", "yesterday", "invalid_timestamp"),
        ("feedback_timestamp", 1773572400, "invalid_type"),
        ("date", "soon", "invalid_timestamp"),
        ("reason", "x" * 501, "too_long"),
        ("notes", "x" * 5001, "too_long"),
        ("notes", "a\x00b", "invalid_type"),
        ("notes", "a\ud800b", "invalid_type"),
        ("notes", 5, "invalid_type"),
        ("issues", "slow", "invalid_type"),
        ("issues", ["slow", 5], "invalid_type"),
        ("issues", ["x"] * 21, "too_long"),
        ("issues", ["x" * 201], "too_long"),
        ("issues", ["\x00"], "invalid_type"),
        ("product_details", [], "invalid_type"),
        ("product_details", {"a": "x" * 8192}, "too_long"),
        ("product_details", {"a\ud800": 1}, "invalid_type"),
        ("product_details", {"a": 2**53}, "out_of_range"),
        ("product_details", {"a": Decimal("0.12345678901234567890")}, "out_of_range"),
        ("age", 2**53, "out_of_range"),
        ("rate", "0.1234567891", "too_many_decimals"),
        ("appointment_date", "2026-3-1", "invalid_timestamp"),
        ("appointment_date", "2026-03-01T10:00:00Z", "invalid_timestamp"),
        ("appointment_time", "2026-03-01", "invalid_timestamp"),
        ("policy_type", "Auto", "invalid_choice"),
        ("policy_type", 1, "invalid_type"),
        ("remark", "x" * 5001, "too_long"),
    ],
)
def test_a_bad_value_is_refused_with_its_code(field, given, code):
    payload = {"converted": True, field: given}
    if code is None:
        clean(payload, delivered_at=DELIVERED)
    else:
        assert codes(payload, delivered_at=DELIVERED) == [(field, code)]


def test_a_depth_bomb_is_refused():
    bomb: dict = {}
    for _ in range(5000):
        bomb = {"a": bomb}
    assert codes({"product_details": bomb}) == [("product_details", "too_long")]


def test_every_fault_is_reported_at_once():
    payload = {
        "lead_id": 5,
        "outcome": "sold",
        "revenue": -1,
        "quality_score": 9,
        "feedback_timestamp": "2026-02-01T00:00:00Z",
        "colour": "red",
    }
    assert set(codes(payload, delivered_at=DELIVERED)) == {
        ("lead_id", "invalid_type"),
        ("outcome", "invalid_outcome"),
        ("revenue", "negative_amount"),
        ("quality_score", "out_of_range"),
        ("feedback_timestamp", "timestamp_before_delivery"),
        ("colour", "unknown_field"),
    }


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("sold", "converted"),
        ("CONVERTED", "converted"),
        ("conv", "converted"),
        ("Not Interested", "not_interested"),
        ("no-contact", "no_contact"),
        ("bad", "bad_info"),
        ("retruned", "returned"),
        ("cont", "contacted"),
        ("xyzzy", ""),
        ("converted" * 1000, ""),
    ],
)
def test_a_near_miss_of_an_outcome_is_refused_with_what_was_meant(word, meant):
    (fault,) = faults({"outcome": word})
    assert (fault.code, fault.did_you_mean) == ("invalid_outcome", meant)
    assert fault.allowed == tuple(Outcome.values)


@pytest.mark.parametrize(
    ("name", "code", "meant"),
    [
        ("revenu", "unknown_field", "revenue"),
        ("Outcome", "unknown_field", "outcome"),
        ("leadid", "unknown_field", "lead_id"),
        ("sale_amount", "unknown_field", "revenue"),
        ("buyer", "unknown_field", ""),
        ("price", "unknown_field", ""),
        ("org_id", "unknown_field", ""),
        ("commission", "field_not_allowed", ""),
        ("notes", "field_not_allowed", ""),
    ],
)
def test_a_field_that_the_flow_does_not_have_is_refused(name, code, meant):
    of = schema(FieldSpec("outcome", "outcome"), FieldSpec("revenue", "money", maps_to="sale_amount"))
    (fault,) = faults({"outcome": "contacted", name: 1}, of)
    assert (fault.field, fault.code, fault.did_you_mean) == (name, code, meant)
    assert {"outcome", "revenue"} <= set(fault.allowed)


def test_thousands_of_unknown_fields_are_not_answered_one_by_one():
    answer = faults({"outcome": "contacted", **{f"field{n}": n for n in range(3000)}})
    assert len(answer) == 51
    assert "2950 more" in answer[-1].message


def test_the_timestamp_is_taken_by_every_flow():
    of = schema(FieldSpec("outcome", "outcome"))
    answer = clean({"outcome": "contacted", "feedback_timestamp": "2026-03-10T10:00:00Z"}, of)
    assert answer.occurred_at == dt.datetime(2026, 3, 10, 10, tzinfo=dt.UTC)
    assert answer.values == {"outcome": "contacted"}


def test_date_is_another_name_of_the_timestamp():
    at = "2026-03-10T10:00:00Z"
    assert clean({"converted": True, "date": at}).occurred_at == dt.datetime(2026, 3, 10, 10, tzinfo=dt.UTC)
    same = {"converted": True, "date": "2026-03-10T12:00:00+02:00", "feedback_timestamp": at}
    assert clean(same).occurred_at == dt.datetime(2026, 3, 10, 10, tzinfo=dt.UTC)
    assert codes({**same, "date": "2026-03-10T12:00:01+02:00"}) == [("date", "invalid_timestamp")]


def test_a_clock_may_be_five_minutes_ahead():
    assert clean({"converted": True, "feedback_timestamp": "2026-03-20T12:05:00Z"}).occurred_at


def test_a_time_in_whole_seconds_may_be_that_of_the_delivery():
    delivered = dt.datetime(2026, 3, 1, 12, 0, 0, 700_000, tzinfo=dt.UTC)
    assert clean({"converted": True, "feedback_timestamp": "2026-03-01T12:00:00Z"}, delivered_at=delivered)


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2026-03-07T10:00:00", "2026-03-07T15:00:00Z"),
        ("2026-03-10 10:00", "2026-03-10T14:00:00Z"),
        ("2026-03-08T02:30:00", "2026-03-08T07:30:00Z"),  # skipped: an hour later by the clock
        ("2025-11-02T01:30:00", "2025-11-02T05:30:00Z"),  # there twice: the first
    ],
)
def test_a_time_without_offset_is_read_in_the_flows_zone_with_a_warning(local, utc):
    answer = clean({"appointment_time": local})
    assert answer.values == {"appointment_time": utc}
    (warning,) = answer.warnings
    assert "America/New_York" in warning and utc in warning


def test_a_time_with_offset_raises_no_warning():
    assert clean({"appointment_time": "2026-03-07T10:00:00-0500"}).warnings == ()


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"outcome": "contacted"}, [("lead_id", "required")]),
        ({"lead_id": None, "outcome": "contacted"}, [("lead_id", "invalid_type")]),
        ({"lead_id": "", "outcome": "contacted"}, [("lead_id", "required")]),
        ({"lead_id": "x" * 65, "outcome": "contacted"}, [("lead_id", "too_long")]),
        ({"external_id": 12345, "outcome": "contacted"}, [("external_id", "invalid_type")]),
        ({"external_id": "x" * 129, "outcome": "contacted"}, [("external_id", "too_long")]),
        ({"lead_id": "evt\x00", "outcome": "contacted"}, [("lead_id", "invalid_type")]),
        ({"lead_id": "evt_1"}, [("", "required")]),
        ({"lead_id": "evt_1", "feedback_timestamp": "2026-03-10T10:00:00Z"}, [("", "required")]),
        ({}, [("lead_id", "required"), ("", "required")]),
    ],
)
def test_an_id_and_something_to_say_are_required(payload, expected):
    answer = schema().validate(payload, now=NOW)
    assert isinstance(answer, tuple)
    assert [(fault.field, fault.code) for fault in answer] == expected


def test_required_fields_must_be_sent_and_cannot_be_cleared():
    of = schema(FieldSpec("outcome", "outcome", required=True), FieldSpec("revenue", "money"))
    assert codes({"revenue": 1}, of) == [("outcome", "required")]
    assert codes({"outcome": None}, of) == [("outcome", "required")]


def test_a_required_timestamp_may_come_under_either_name():
    of = schema(FieldSpec("outcome", "outcome"), FieldSpec("feedback_timestamp", "time", required=True))
    assert clean({"outcome": "contacted", "date": "2026-03-10T10:00:00Z"}, of).occurred_at
    assert codes({"outcome": "contacted"}, of) == [("feedback_timestamp", "required")]
    nothing = {"outcome": "contacted", "feedback_timestamp": None, "date": None}
    assert codes(nothing, of) == [("feedback_timestamp", "required")]


def test_a_standard_field_keeps_its_type_whatever_the_row_says():
    of = schema(FieldSpec("revenue", "text"), FieldSpec("quality_score", "decimal"))
    assert codes({"revenue": "much", "quality_score": 7}, of) == [
        ("revenue", "invalid_type"),
        ("quality_score", "out_of_range"),
    ]


def test_the_reason_of_a_return_is_limited_to_the_flows_list():
    of = schema(
        FieldSpec("outcome", "outcome"), FieldSpec("reason", "text", choices=("Wrong number", "Duplicate"))
    )
    assert clean({"outcome": "returned", "reason": "Duplicate"}, of)
    assert clean({"outcome": "contacted", "reason": "Asked for a call on Monday"}, of)
    (fault,) = faults({"outcome": "returned", "reason": "wrong numbr"}, of)
    assert (fault.code, fault.did_you_mean) == ("invalid_choice", "Wrong number")


def test_money_has_the_decimals_of_the_currency():
    yen, dinar = schema(currency="JPY", decimals=0), schema(currency="KWD", decimals=3)
    assert codes({"revenue": Decimal("10.5")}, yen) == [("revenue", "too_many_decimals")]
    assert clean({"revenue": Decimal("10.0")}, yen).values == {"revenue": "10"}
    assert clean({"revenue": "1.234"}, dinar).values == {"revenue": "1.234"}


@pytest.mark.parametrize("name", ["json", "copy", "dict", "model_dump", "schema", "validate", "class"])
def test_a_field_may_have_any_name(name):
    assert clean({name: "x"}, schema(FieldSpec(name, "text"))).values == {name: "x"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
plausible = st.sampled_from(
    [True, 3, "auto", "converted", "2026-03-10T10:00:00", "2026-03-10", "12.50", ["x"]]
)
ANY_SCHEMA = schema()
names = st.sampled_from([*ANY_SCHEMA.by_name, "date"])


@given(st.dictionaries(names | st.text(max_size=5), json_values | plausible, max_size=3))
def test_whatever_is_sent_is_taken_or_refused_and_never_breaks(payload):
    answer = ANY_SCHEMA.validate({"lead_id": "evt_1", **payload}, now=NOW, delivered_at=DELIVERED)
    if isinstance(answer, Clean):
        json.dumps(answer.values, allow_nan=False)
        again = clean(answer.values, ANY_SCHEMA)  # canonical forms are read as themselves
        assert again.values == answer.values and not again.warnings


@pytest.mark.parametrize(
    ("cells", "payload"),
    [
        (
            {"lead_id": " evt_1 ", "outcome": "converted", "revenue": ""},
            {"lead_id": "evt_1", "outcome": "converted"},
        ),
        ({"revenue": "1200"}, {"revenue": "1200"}),
        ({"converted": "Yes", "policy_sold": "0"}, {"converted": True, "policy_sold": False}),
        ({"converted": "maybe"}, {"converted": "maybe"}),
        ({"quality_score": "4", "age": "4.5"}, {"quality_score": 4, "age": "4.5"}),
        ({"contacted_date": "2024-01-15"}, {"contacted_date": "2024-01-15"}),
        ({"issues": "slow; rude|late;"}, {"issues": ["slow", "rude", "late"]}),
        ({"product_details": '{"a": 1.5}'}, {"product_details": {"a": Decimal("1.5")}}),
        ({"product_details": "[" * 100_000}, {"product_details": "[" * 100_000}),
        ({"colour": "red"}, {"colour": "red"}),
    ],
)
def test_cells_become_typed_values(cells, payload):
    assert schema().from_texts(cells) == payload


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1234,56", "1234.56"),
        ("1.234,56", "1234.56"),
        ("1.234.567", "1234567"),
        ("12", "12"),
        ("-3,5", "-3.5"),
    ],
)
def test_a_decimal_comma_is_read_where_told(cell, value):
    assert schema().from_texts({"revenue": cell}, decimal_comma=True) == {"revenue": value}
    assert schema().from_texts({"notes": cell}, decimal_comma=True) == {"notes": cell}


def test_unreadable_cells_become_faults():
    row = {"lead_id": "evt_1", "converted": "maybe", "age": "old", "revenue": "1,5", "product_details": "{"}
    assert set(codes(schema().from_texts(row))) == {
        ("converted", "invalid_type"),
        ("age", "invalid_type"),
        ("revenue", "invalid_type"),
        ("product_details", "invalid_type"),
    }
