"""Pages by keys: every row once, in order, from both ends, whatever is written in between."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.http import QueryDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.models import Delivery
from portal.keyset import Sorted, page_of, to_token
from tests import factories as make

BY_REVENUE = Sorted(("revenue",), may_be_null=True)
WALKS = [
    Sorted(("delivered_at",)),
    Sorted(("delivered_at",), descending=True),
    BY_REVENUE,
    Sorted(("revenue",), descending=True, may_be_null=True),
    Sorted(("quality_score",), descending=True, may_be_null=True),
    Sorted(("lead__last_name", "lead__first_name")),
    Sorted(("source__name",), descending=True),
]
REVENUES = [None, None, "0", "0", "0", "1.5", "1.50", "12.345", "-3", "100", None, "99.999", "7"]


@pytest.fixture
def rows(world):
    """13 deliveries with revenues that repeat, or are none."""
    Delivery.objects.update(buyer=make.BuyerFactory(seller=world.seller))
    second = make.SourceFactory(flow=world.flow, name="Aardvark")
    for number, revenue in enumerate(REVENUES):
        make.DeliveryFactory(
            lead__source=world.source if number % 3 else second,
            lead__last_name="Same" if number % 2 else f"Keller{number}",
            buyer=world.buyer,
            revenue=None if revenue is None else Decimal(revenue),
            quality_score=number % 3 or None,
        )
    return Delivery.objects.filter(buyer=world.buyer).select_related("lead", "source")


def in_order(walk: Sorted, rows) -> list[int]:
    """Sorted in Python: values, then keys; rows without a value last."""

    def value(row):
        found = row
        values = []
        for name in walk.names:
            found = row
            for part in name.split("__"):
                found = getattr(found, part)
            values.append(found)
        return values

    with_value = [row for row in rows if None not in value(row)]
    without = [row for row in rows if None in value(row)]
    key = lambda row: ([each for each in value(row) if each is not None], row.pk)  # noqa: E731
    return [
        row.pk for part in (with_value, without) for row in sorted(part, key=key, reverse=walk.descending)
    ]


@pytest.mark.parametrize("size", [1, 3, 5, 50])
@pytest.mark.parametrize("walk", WALKS, ids=lambda walk: walk.name)
def test_pages_ahead_make_the_whole_and_pages_back_too(rows, walk, size):
    wanted, pages, query = in_order(walk, rows), [], QueryDict()
    while True:
        page = page_of(walk, rows, query, size)
        pages.append([row.pk for row in page.rows])
        assert page.start == sum(map(len, pages[:-1]))
        if not page.next:
            break
        query = QueryDict(f"after={page.next}")
    assert [pk for each in pages for pk in each] == wanted
    while page.previous:
        page = page_of(walk, rows, QueryDict(f"before={page.previous}"), size)
        pages.pop()
        assert [row.pk for row in page.rows] == pages[-1]
    assert len(pages) == 1


def test_a_row_that_comes_or_goes_neither_repeats_nor_hides_another(rows, world):
    walk = Sorted(("delivered_at",), descending=True)
    first = page_of(walk, rows, QueryDict(), 5)
    make.DeliveryFactory(lead__source=world.source, buyer=world.buyer)  # newer than all of them
    wanted = in_order(walk, rows)
    # The row that the page ended with is no longer of this list.
    Delivery.objects.filter(pk=first.rows[4].pk).update(buyer=make.BuyerFactory(seller=world.seller))
    second = page_of(walk, rows, QueryDict(f"after={first.next}"), 5)
    assert [row.pk for row in second.rows] == wanted[6:11]  # one came before them


def test_where_nothing_is_left_behind_a_place_the_rows_before_it_show(rows):
    walk = Sorted(("delivered_at",))
    first = page_of(walk, rows, QueryDict(), 10)
    kept = rows.filter(pk__in=[row.pk for row in first.rows])
    assert page_of(walk, kept, QueryDict(f"after={first.next}"), 5).rows == first.rows[5:10]
    assert page_of(walk, rows.none(), QueryDict(f"after={first.next}"), 5).rows == []


@pytest.mark.parametrize("name", ["after", "before"])
def test_a_place_of_another_order_or_of_nobodys_making_shows_the_first_page(rows, name):
    walk = Sorted(("delivered_at",))
    first = [row.pk for row in page_of(walk, rows, QueryDict(), 5).rows]
    places = [
        to_token(BY_REVENUE, (0, "1", 2), 5),
        to_token(walk, ("no", "such", "place"), 5),
        to_token(walk, (), 0),
        "W10~x",
        "%00",
        "~",
        "é",
    ]
    for place in places:
        query = QueryDict(mutable=True)
        query[name] = place
        assert [row.pk for row in page_of(walk, rows, query, 5).rows] == first


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=60))
def test_any_text_for_a_place_shows_a_page(rows, text):
    query = QueryDict(mutable=True)
    query["after"] = text
    assert len(page_of(BY_REVENUE, rows, query, 5).rows) == 5
