"""Bodies that no lenient reader should let through: 400 with the place, never 500."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from flows.strict_json import MAX_DEPTH, MalformedJsonError, loads


@pytest.mark.parametrize(
    ("body", "line", "column"),
    [
        (b"", 1, 1),
        (b"{", 1, 2),
        (b'{\n  "a": tru\n}', 2, 8),
        (b"[]", 1, 1),
        (b"\n  7", 2, 3),
        (b'{"a": 1,\n "b": 2,\n "a": 3}', 3, 2),
        (b'{"a": {"b": 1, "\\u0062": 2}}', 1, 16),
        (b'{"a": NaN}', 1, 7),
        (b'{"a": [1, -Infinity]}', 1, 11),
        (b'{"a": Infinity}', 1, 7),
        (b'{"a": "x\\u0000"}', 1, 9),
        (b'{"a\\u0000": 1}', 1, 4),
        (b'{"a": "\\ud800"}', 1, 8),
        (b'{"a": "\\udc00\\ud800"}', 1, 8),
        (b'{"a": "\\ud83d\\u0041"}', 1, 8),
        (b'{"a": "\x00"}', 1, 8),
        (b'{"a": 1e400}', 1, 7),
        (b'{"a": 1e-400}', 1, 7),
        (b'{"a": 1e9999999999999999999}', 1, 7),
        (b'{"a": ' + b"9" * 5000 + b"}", 1, 7),
        (b'{"a": 0.' + b"1" * 5000 + b"}", 1, 7),
        (b'{"a": 01}', 1, 8),
        (b'{"a": 1_000}', 1, 8),
        ('{"a": ١٢٣}'.encode(), 1, 7),
        (b"{'a': 1}", 1, 2),
        (b'{"a": 1} x', 1, 10),
        (b"\xef\xbb\xbf{}", 1, 1),
        ('{"a": "é'.encode() + b'\xff"}', 1, 9),
        ('{"a": 1}'.encode("utf-16"), 1, 1),
        ('{"a": 1}'.encode("utf-16-le"), 1, 2),
        ('{"a": 1}'.encode("utf-32"), 1, 1),
        (b"[" * 100_000, 1, MAX_DEPTH + 1),
        (b"[" * 100_000 + b"]" * 100_000, 1, MAX_DEPTH + 1),
        (b'{"a":' * 100_000, 1, 5 * MAX_DEPTH + 1),
        (b'{"a": ' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}", 1, 6 + MAX_DEPTH),
    ],
)
def test_what_is_refused_and_where(body, line, column):
    with pytest.raises(MalformedJsonError) as caught:
        loads(body)
    assert (caught.value.line, caught.value.column) == (line, column)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"{}", {}),
        (b' {"a" : 1.10, "b": 2, "c": 1e2}\n', {"a": Decimal("1.10"), "b": 2, "c": Decimal("1e2")}),
        (
            b'{"a": "\\ud83d\\ude00", "b": "\\\\u0000", "c": "\\\\\\\\ud800"}',
            {"a": "😀", "b": "\\u0000", "c": "\\\\ud800"},
        ),
        (b'{"a": {"a": [{"a": "a"}, {"a": null}]}}', {"a": {"a": [{"a": "a"}, {"a": None}]}}),
        (b'{"a": "NaN", "b": "[[[", "c": true}', {"a": "NaN", "b": "[[[", "c": True}),
        (b'{"a": "' + b"[" * 100 + b'"}', {"a": "[" * 100}),
        (b'{"a": ' + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1) + b"}", None),
        (b'{"": 0, "\\"": -0}', {"": 0, '"': 0}),
    ],
)
def test_what_is_read(body, value):
    assert loads(body) == (value if value is not None else json.loads(body))


def test_a_number_is_never_a_float():
    assert repr(loads(b'{"a": 0.1}')["a"]) == "Decimal('0.1')"


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(TEXT, JSON, max_size=5), st.booleans())
def test_whatever_is_well_formed_is_read_as_it_was_meant(value, ascii_only):
    assert loads(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(st.binary() | st.text().map(str.encode) | st.text('{}[]":,\\u0dc8 9.eE-ntrf').map(str.encode))
@example(b'{"a":"\\u"}')
@example(b'{"\\ud800": 1, "\\ud800": 2}')
def test_any_bytes_are_an_object_or_malformed(body):
    try:
        value = loads(body)
    except MalformedJsonError as error:
        assert error.line >= 1
        assert error.column >= 1
    else:
        assert isinstance(value, dict)
        json.dumps(value, default=str).encode()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200) | st.text('{}[]":,\\u0dc8 9.eE-ntrf', max_size=60).map(str.encode))
@example(body=b'{"lead": {"email": "\\ud800"}}')
@example(body=b'{"price": 1e400}')
def test_no_body_breaks_the_endpoint(world, seller_api, body):
    response = seller_api.post(f"/flows/{world.flow.public_id}/leads", body, CONTENT_TYPE="application/json")
    assert response.status_code in (400, 422)


def test_the_problem_says_where(world, seller_api):
    response = seller_api.post(f"/flows/{world.flow.public_id}/leads", b'{"a": 1,\n "a": 2}')
    problem = response.json()
    assert (response.status_code, problem["code"]) == (400, "malformed_json")
    assert (problem["line"], problem["column"]) == (2, 2)
    assert "Line 2, column 2" in problem["detail"]
