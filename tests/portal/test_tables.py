"""The list page: everything in the address, nothing that breaks it, the same part for htmx."""

from __future__ import annotations

import datetime as dt
import re

import django_filters
import django_tables2 as tables
import pytest
from django.urls import path
from hypothesis import given
from hypothesis import strategies as st

from portal import tables as portal_tables
from portal import urls as house
from portal.access import SELLERS
from portal.models import Buyer
from portal.tables import (
    DATE,
    CappedPaginator,
    NumberColumn,
    SearchFilter,
    Table,
    TableView,
    page_numbers,
    settle_order,
)
from tests import factories as make


class BuyerTable(Table):
    name = tables.Column()
    slug = NumberColumn()
    seller = tables.Column(orderable=False)
    caption = "Buyers"
    row_header = "name"
    empty_title = "No buyers yet"
    empty_hint = "Add one in the set-up."


class BuyerFilter(django_filters.FilterSet):
    q = SearchFilter(field_name="name", lookup_expr="icontains", label="Search name")
    since = django_filters.DateFilter(
        field_name="created_at__date", lookup_expr="gte", label="Since", widget=DATE
    )

    class Meta:
        model = Buyer
        fields: list[str] = []


class BuyerList(TableView):
    model = Buyer
    table_class, filterset_class = BuyerTable, BuyerFilter
    roles = SELLERS
    title = "Buyers"
    nouns = "buyers"
    paginate_by = 10

    def get_rows(self):
        return Buyer.objects.select_related("seller").order_by("name")


class PlainList(BuyerList):
    filterset_class = None


handler400, handler403, handler404, handler500 = (
    house.handler400,
    house.handler403,
    house.handler404,
    house.handler500,
)
urlpatterns = [
    *house.urlpatterns,
    path("toy/", BuyerList.as_view(), name="toy"),
    path("plain/", PlainList.as_view(), name="plain"),
]
pytestmark = pytest.mark.urls(__name__)


@pytest.fixture
def ask(world, as_user):
    """``ask("?page=2")`` → the list's answer to the owner."""
    client = as_user(world.owner)
    return lambda query="", **headers: client.get(f"/toy/{query}", headers=headers)


@pytest.fixture
def many(world):
    """25 buyers in all, ``Buyer 01`` first."""
    world.buyer.name = "Buyer 01"
    world.buyer.save()
    for number in range(2, 26):
        make.BuyerFactory(seller=world.seller, name=f"Buyer {number:02}", slug=f"b{number:02}")


def names(response) -> list[str]:
    return re.findall(r'role="rowheader">([^<]+)</th>', response.text)


def test_only_the_actors_own_rows_are_listed(world, other_world, ask):
    assert names(ask()) == [world.buyer.name]


def test_a_page_is_ten_rows_and_says_how_many_there_are(many, ask):
    response = ask()
    assert names(response) == [f"Buyer {number:02}" for number in range(1, 11)]
    assert "1–10 of 25 buyers" in response.text


@pytest.mark.parametrize(
    ("page", "first"),
    [
        ("2", "Buyer 11"),
        ("3", "Buyer 21"),
        ("4", "Buyer 21"),
        ("999999999999999999999999", "Buyer 21"),
        ("0", "Buyer 21"),
        ("-3", "Buyer 21"),
        ("x", "Buyer 01"),
        ("", "Buyer 01"),
        ("1.5", "Buyer 01"),
        ("9" * 5000, "Buyer 01"),
        ("%00", "Buyer 01"),
    ],
)
def test_any_page_number_shows_a_page(many, ask, page, first):
    response = ask(f"?page={page}")
    assert response.status_code == 200
    assert names(response)[0] == first


def test_the_page_size_is_not_the_visitors_to_choose(many, ask):
    assert len(names(ask("?per_page=1000"))) == 10


def test_heads_sort_by_links_that_keep_the_filters_and_leave_the_page(many, ask):
    response = ask("?sort=-name&page=2&q=Buyer")
    assert names(response)[0] == "Buyer 15"
    assert 'aria-sort="descending"' in response.text
    assert 'href="/toy/?q=Buyer&amp;sort=name"' in response.text


@pytest.mark.parametrize("sort", ["seller", "nonsense", "password", "-", "%00", "name__x", "-seller"])
def test_what_cannot_be_sorted_by_sorts_nothing(many, ask, sort):
    response = ask(f"?sort={sort}")
    assert response.status_code == 200
    assert len(names(response)) == 10


def test_a_column_that_cannot_be_sorted_by_says_nothing_about_order(many, ask):
    head = re.search(r"<th[^>]*>\s*Seller\s*</th>", ask().text)
    assert head
    assert "aria-sort" not in head[0]


def test_a_filter_narrows_and_stays_in_the_form(many, ask):
    response = ask("?q=25")
    assert names(response) == ["Buyer 25"]
    assert 'value="25"' in response.text
    assert "Clear filters" in response.text


def test_an_invalid_value_is_told_beside_its_filter_and_filters_nothing(many, ask):
    response = ask("?since=yesterday&q=2")
    assert response.status_code == 200
    assert "Enter a valid date." in response.text
    assert 'value="yesterday"' in response.text
    assert 'aria-invalid="true"' in response.text
    assert len(names(response)) == 8  # those with a 2: the other filter holds


def test_parameters_that_mean_nothing_are_left_alone(many, ask):
    assert names(ask("?name=x&seller=9&slug__startswith=b&utm_source=mail")) == names(ask())


def test_nothing_found_is_said_and_can_be_undone(many, ask):
    response = ask("?q=nobody")
    assert "Nothing matches these filters." in response.text
    assert "Clear filters" in response.text
    assert "0 buyers" in response.text


def test_an_empty_list_says_what_would_be_here(world, as_user):
    newcomer = make.MembershipFactory(seller=make.SellerFactory()).user
    text = as_user(newcomer).get("/toy/").text
    assert "No buyers yet" in text
    assert "Add one in the set-up." in text
    assert "<table" not in text


def test_htmx_gets_the_part_that_the_page_was_drawn_from(many, ask):
    whole, part = ask("?page=2"), ask("?page=2", **{"HX-Request": "true"})
    assert "<html" not in part.text
    assert part.text.strip() in whole.text
    for response in (whole, part):
        assert "HX-Request" in response.headers["Vary"]


@pytest.mark.parametrize("header", ["HX-Boosted", "HX-History-Restore-Request"])
def test_htmx_gets_the_whole_page_where_it_replaces_the_whole_page(many, ask, header):
    assert "<html" in ask(**{"HX-Request": "true", header: "true"}).text


def test_every_link_of_htmx_is_a_link_without_it(many, ask):
    text = ask().text
    asked, linked = (re.findall(rf'\s{name}="([^"]+)"', text) for name in ("hx-get", "href"))
    assert len(asked) > 4
    assert set(asked) <= {*linked, "/toy/"}
    assert re.search(r'<form[^>]*method="get"\s+action="/toy/"', text)


def test_the_table_can_be_read_by_ear(many, ask):
    text = ask().text
    assert '<caption class="visually-hidden">Buyers</caption>' in text
    assert text.count('scope="col"') == 3
    assert text.count('scope="row"') == 10
    assert 'aria-label="Next page"' in text
    assert 'id="page-1"' in text
    assert 'data-label="Slug"' in text


def test_a_page_costs_the_same_however_many_rows(many, ask, django_assert_max_num_queries):
    with django_assert_max_num_queries(8):  # session, person, memberships, count, rows, badges
        ask()


def test_markup_in_a_row_is_text(world, ask):
    world.buyer.name = "<script>alert(1)</script>"
    world.buyer.save()
    text = ask().text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


def test_a_list_may_have_no_filters(many, world, as_user):
    response = as_user(world.owner).get("/plain/?q=25")
    assert len(names(response)) == 10
    assert 'class="filters"' not in response.text


def test_rows_are_counted_to_the_limit_and_no_further(many, monkeypatch):
    monkeypatch.setattr(portal_tables, "COUNT_LIMIT", 20)
    paginator = CappedPaginator(Buyer.objects.order_by("pk"), 10)
    assert (paginator.count, paginator.count_text, paginator.num_pages) == (20, "20+", 2)
    monkeypatch.setattr(portal_tables, "COUNT_LIMIT", 25)
    exact = CappedPaginator(Buyer.objects.order_by("pk"), 10)
    assert (exact.count, exact.count_text, exact.num_pages) == (25, "25", 3)


def test_the_last_page_of_too_many_says_to_narrow(many, ask, monkeypatch):
    monkeypatch.setattr(portal_tables, "COUNT_LIMIT", 20)
    assert "narrow the filters" not in ask().text
    assert "narrow the filters to see more" in ask("?page=9").text


def test_rows_that_are_equal_keep_one_order_over_all_pages(world, ask):
    for number in range(30):
        make.BuyerFactory(seller=world.seller, name="Same", slug=f"s{number}")
    slugs = []
    for page in (1, 2, 3, 4):
        slugs += re.findall(r'data-label="Slug"[^>]*>([^<]+)<', ask(f"?sort=-name&page={page}").text)
    assert len(slugs) == len(set(slugs)) == 31


def test_empty_values_come_last_in_both_directions(world):
    from flows.models import Delivery

    for score in (3, None, 5):
        make.DeliveryFactory(lead__source=world.source, buyer=world.buyer, quality_score=score)
    for order, expected in (("quality_score", [3, 5]), ("-quality_score", [5, 3])):
        found = list(settle_order(Delivery.objects.order_by(order)).values_list("quality_score", flat=True))
        assert found == [*expected, None, None]


def test_an_order_that_an_index_serves_is_left_as_it_is(world):
    from flows.models import Delivery

    ordered = settle_order(Delivery.objects.order_by("-delivered_at"))
    assert ordered.query.order_by == ("-delivered_at", "-pk")


@given(st.integers(1, 300), st.data())
def test_the_pager_names_first_last_and_neighbours_in_order(pages, data):
    number = data.draw(st.integers(1, pages))
    shown = page_numbers(CappedPaginator(range(pages), 1).page(number))
    numbers = [each for each in shown if each is not None]
    assert numbers == sorted(set(numbers))
    assert {1, pages, number} <= set(numbers)
    for before, gap, after in zip(shown, shown[1:], shown[2:], strict=False):
        if gap is None:
            assert after - before > 1
    assert len(shown) <= 7


def test_dates_in_the_form_are_those_of_the_address(many, ask):
    day = dt.date.today().isoformat()  # noqa: DTZ011  # any day will do
    assert f'value="{day}"' in ask(f"?since={day}").text
