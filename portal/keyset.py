"""Pages by keys: a page begins after a row, told by the values it is sorted by, not after a number of rows.

So the last page costs what the first one costs, and rows that come or go between two pages neither repeat a
row nor hide one. A list that pages like this says how it is walked:

    class LeadList(KeysetView):
        def walk_of(self, table):
            return Sorted(("delivered_at",), descending=True)

`Sorted` walks one order; anything with its three methods will do (`feedback/due.py` merges several).
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

import django_tables2 as tables
from django.core import signing
from django.core.exceptions import ValidationError
from django.db.models import BooleanField, F, Field, Func, Model, Q, QuerySet, Value
from django.db.models.constants import LOOKUP_SEP
from django.http import QueryDict

from portal.tables import CappedPaginator, Table, TableView

AFTER, BEFORE = "after", "before"
PAGING = (AFTER, BEFORE, "page")  # what of an address tells the page
Values = tuple[Any, ...]


class Walk(Protocol):
    """An order of rows. A place is the values (JSON-able) by which the row at it is sorted."""

    @property
    def name(self) -> str:
        """Tells the order: a place in one means nothing in another."""

    def ahead(self, rows: QuerySet[Any], after: Values | None, limit: int) -> list[Any]:
        """The first rows behind the place; None: from the beginning."""

    def back(self, rows: QuerySet[Any], before: Values | None, limit: int) -> list[Any]:
        """The last rows before the place, in the walk's order; None: up to the end."""

    def values(self, row: Any) -> Values:
        """The place of a row."""


class RowsBeyond(Func):
    """``(a, b) > (x, y)``: one comparison of rows, which is one range of an index on (a, b)."""

    output_field = BooleanField()

    def __init__(self, names: Sequence[str], values: Sequence[Value], *, less: bool) -> None:
        super().__init__(*[F(name) for name in names], *values)
        self.less = less

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **more: Any) -> tuple[str, tuple[Any, ...]]:
        parts = [compiler.compile(each) for each in self.get_source_expressions()]
        half = len(parts) // 2
        left, right = (", ".join(sql for sql, _ in side) for side in (parts[:half], parts[half:]))
        params = tuple(param for _, of_part in parts for param in of_part)
        return f"({left}) {'<' if self.less else '>'} ({right})", params


def beyond(model: type[Model], names: Sequence[str], values: Sequence[Any], *, less: bool) -> RowsBeyond:
    """The condition that a row's columns, by their look-ups, come after (``less``: before) the values."""
    told = [Value(value, field_at(model, name)) for name, value in zip(names, values, strict=True)]
    return RowsBeyond(names, told, less=less)


@dataclass(frozen=True)
class Sorted:
    """By some columns and the primary key, all in one direction; ``may_be_null``: rows without come last.

    Only a walk by a single column may meet nulls: then those with a value and those without are walked one
    after the other, each in an order that an index on (column, primary key) has.
    """

    names: tuple[str, ...]  # look-ups
    descending: bool = False
    may_be_null: bool = False

    @property
    def name(self) -> str:
        return ("-" if self.descending else "") + ",".join(self.names)

    def ahead(self, rows: QuerySet[Any], after: Values | None, limit: int) -> list[Any]:
        return self._walk(rows, after, limit, back=False)

    def back(self, rows: QuerySet[Any], before: Values | None, limit: int) -> list[Any]:
        return self._walk(rows, before, limit, back=True)[::-1]

    def values(self, row: Any) -> Values:
        found = [value_at(row, name) for name in self.names]
        without = self.may_be_null and found[0] is None
        return (int(without), *[_json(value) for value in ([] if without else found)], row.pk)

    def _walk(self, rows: QuerySet[Any], place: Values | None, limit: int, *, back: bool) -> list[Any]:
        parts = self._parts()
        ahead = range(len(parts)) if place is None else range(place[0], len(parts))
        behind = range(len(parts) if place is None else place[0] + 1)
        found: list[Any] = []
        for number in reversed(behind) if back else ahead:
            condition, names = parts[number]
            less = self.descending is not back
            part = rows.filter(condition)
            if place is not None and number == place[0]:
                part = part.filter(beyond(rows.model, names, self._read(rows.model, names, place), less=less))
            order = [f"-{name}" if less else name for name in names]
            found += part.order_by(*order)[: limit - len(found)]
            if len(found) == limit:
                break
        return found

    def _parts(self) -> list[tuple[Q, tuple[str, ...]]]:
        if not self.may_be_null:
            return [(Q(), (*self.names, "pk"))]
        (name,) = self.names
        return [(Q(**{f"{name}__isnull": False}), (name, "pk")), (Q(**{f"{name}__isnull": True}), ("pk",))]

    def _read(self, model: type[Model], names: Sequence[str], place: Values) -> list[Any]:
        return [field_at(model, name).to_python(value) for name, value in zip(names, place[1:], strict=True)]


def field_at(model: type[Model], name: str) -> Field[Any, Any]:
    """The model field that a look-up (``lead__last_name``) leads to."""
    *way, last = name.split(LOOKUP_SEP)
    for part in way:
        model = model._meta.get_field(part).related_model  # type: ignore[assignment]  # a relation by name
    found: Field[Any, Any] = model._meta.pk if last == "pk" else model._meta.get_field(last)  # type: ignore[assignment]
    return found


def value_at(row: Any, name: str) -> Any:
    for part in name.split(LOOKUP_SEP):
        row = getattr(row, part)
    return row


def _json(value: Any) -> Any:
    if isinstance(value, dt.date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


# The place in the address: signed, so that what is read from it is what a page wrote.


def to_token(walk: Walk, values: Values, start: int) -> str:
    """A place, and how many rows stood before the page it leads to when that was drawn."""
    text = json.dumps([start, *values], separators=(",", ":"), ensure_ascii=False)
    packed = base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
    return _signer(walk).sign(packed)


def from_token(walk: Walk, token: str) -> tuple[Values, int] | None:
    """None for whatever no page of this walk has written."""
    try:
        packed = _signer(walk).unsign(token)
        start, *values = json.loads(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
    except (signing.BadSignature, binascii.Error, ValueError):
        return None
    return tuple(values), start


def _signer(walk: Walk) -> signing.Signer:
    return signing.Signer(salt=f"page of {walk.name}", sep="~")


@dataclass(frozen=True)
class KeysetPage:
    """One page. ``start``: how many rows stood before it; ``previous``, ``next``: tokens, "" for none."""

    rows: list[Any]
    start: int = 0
    previous: str = ""
    next: str = ""
    object_list: Any = None  # the rows as a table draws them
    by_keys = True

    @property
    def start_index(self) -> int:
        return self.start + 1

    @property
    def end_index(self) -> int:
        return self.start + len(self.rows)


def page_of(walk: Walk, rows: QuerySet[Any], query: QueryDict, size: int) -> KeysetPage:
    """The page that an address names; the first one where it names none, or one that is there no more."""
    before, after = (from_token(walk, query.get(name, "")) for name in (BEFORE, AFTER))
    try:
        page = _back(walk, rows, before, size) if before else _ahead(walk, rows, after, size)
    except (ValidationError, LookupError, TypeError, ValueError):  # written by an older version of the list
        page = None
    return page or _ahead(walk, rows, None, size) or KeysetPage([])


def _ahead(walk: Walk, rows: QuerySet[Any], place: tuple[Values, int] | None, size: int) -> KeysetPage | None:
    values, start = place or (None, 0)
    found = walk.ahead(rows, values, size + 1)
    if place and not found:  # what stood here has gone: past the end is the last page
        return _back(walk, rows, (None, start), size)
    return _page(walk, found[:size], start, first=place is None, last=len(found) <= size)


def _back(walk: Walk, rows: QuerySet[Any], place: tuple[Values | None, int], size: int) -> KeysetPage | None:
    """None where no more rows than a page stand before the place: then that is the first page."""
    values, start = place
    found = walk.back(rows, values, size + 1)
    if len(found) <= size:
        return None
    return _page(walk, found[1:], max(start - size, 1), first=False, last=values is None)


def _page(walk: Walk, rows: list[Any], start: int, *, first: bool, last: bool) -> KeysetPage:
    return KeysetPage(
        rows,
        start,
        "" if first or not rows else to_token(walk, walk.values(rows[0]), start),
        "" if last or not rows else to_token(walk, walk.values(rows[-1]), start + len(rows)),
    )


class KeysetView(TableView):
    """A list that is paged by keys."""

    def walk_of(self, table: Any) -> Walk:
        """How the rows are walked, by the order that the table was given."""
        raise NotImplementedError

    def turn(self, table: Table) -> None:
        rows = table.data.data
        table.paginator = CappedPaginator(table.rows, self.paginate_by)
        page = page_of(self.walk_of(table), rows, self.request.GET, self.paginate_by)
        drawn = tables.rows.BoundRows(data=page.rows, table=table)
        table.page = KeysetPage(page.rows, page.start, page.previous, page.next, drawn)
