"""The rail shows each role the pages of its job, and where one is."""

from __future__ import annotations

import re

import pytest

from portal.access import Actor, Role
from portal.models import User
from portal.navigation import items_for, rail


def links(text: str) -> list[str]:
    return re.findall(r'href="([^"]+)"', text.split("<nav", 1)[1].split("</nav>", 1)[0])


@pytest.mark.parametrize(
    ("who", "first"),
    [
        ("owner", "/dashboard/"),
        ("analyst", "/dashboard/"),
        ("manager", "/leads/"),
        ("agent", "/leads/"),
    ],
)
def test_everyone_begins_at_the_first_page_of_their_job(world, as_user, who, first):
    client = as_user(getattr(world, who))
    page = client.get("/", follow=True)
    assert page.redirect_chain[-1][0] == first
    shown = links(page.text)
    assert shown[0] == first
    for address in shown:
        assert client.get(address).status_code == 200, address


def test_a_buyer_is_shown_nothing_of_the_sellers(world, as_user):
    shown = links(as_user(world.agent).get("/leads/").text)
    assert not [address for address in shown if address.startswith(("/admin/", "/dashboard/", "/decisions/"))]


def test_an_operator_has_the_set_up_pages(db, as_user):
    boss = User.objects.create_superuser("boss", "boss@example.com", "correct horse")
    items = items_for(Actor("operator", user_id=boss.pk))
    assert items
    assert all(item.url_name.startswith("admin:") for item in items)
    assert as_user(boss).get("/", follow=True).status_code == 200


def test_one_line_at_most_is_current():
    actor = Actor("seller", 1, Role.SELLER_OWNER)
    for path in ("/dashboard/", "/reports/sources/", "/decisions/7/undo/", "/admin/flows/flow/1/change/"):
        lines = [line for _, section in rail_without_badges(actor, path) for line in section]
        current = [line["url"] for line in lines if line["current"]]
        assert len(current) == 1, path
        assert path.startswith(current[0])


def rail_without_badges(actor: Actor, path: str):
    """The rail as pages draw it; badges would ask the database."""
    from portal import navigation

    items = list(navigation._items)
    bare = [navigation.NavItem(i.label, i.url_name, i.roles, i.order, i.section, args=i.args) for i in items]
    navigation._items[:] = bare
    try:
        return rail(actor, path)
    finally:
        navigation._items[:] = items


def test_daily_pages_stand_before_the_set_up():
    heads = [head for head, _ in rail_without_badges(Actor("seller", 1, Role.SELLER_OWNER), "/")]
    assert heads == ["", "Set-up"]


def test_a_page_marks_where_one_is(world, as_user):
    marked = re.findall(r'href="([^"]+)" aria-current="page"', as_user(world.agent).get("/leads/").text)
    assert marked[0] == "/leads/"


@pytest.mark.parametrize("path", ["/views/", "/views/7/", "/bulk/blk_1/", "/keyboard/", "/leads/evt_1/"])
def test_what_belongs_to_the_leads_is_beneath_them(world, path):
    lines = [line for _, section in rail(world.actor(world.agent), path) for line in section]
    assert [line["label"] for line in lines if line["current"]] == ["Leads"]
