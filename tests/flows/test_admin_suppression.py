"""Suppression lists in the admin: values are normalised, added in numbers, removed again."""

from __future__ import annotations

import pytest

from flows.models import SuppressionEntry, SuppressionList
from tests.admin_pages import faults, filled, url


@pytest.fixture
def returns(world):
    return SuppressionList.objects.create(seller=world.seller, name="Returns", slug="returns")


def change(client, row, **values):
    address = url(row, "change")
    return client.post(address, filled(client, address, **values), follow=True)


def standing(row):
    return set(row.entries.values_list("kind", "value"))


def test_a_list_is_added(world, as_user):
    client = as_user(world.owner)
    address = url(SuppressionList, "add")
    sent = filled(client, address, name="Blocked", slug="blocked", values="a@example.com")
    assert client.post(address, sent).status_code == 302
    row = SuppressionList.objects.get(slug="blocked")
    assert (row.seller, standing(row)) == (world.seller, {("email", "a@example.com")})


def test_values_are_added_in_numbers_and_normalised(returns, world, as_user):
    values = " Maria@Example.com \n(512) 555-1212\n\n+15125551212\nmaria@example.com"
    response = change(as_user(world.owner), returns, values=values, reason="Asked us")
    assert standing(returns) == {("email", "maria@example.com"), ("phone", "+15125551212")}
    assert "2 added; 2 stood there already." in response.text
    assert set(returns.entries.values_list("reason", flat=True)) == {"Asked us"}


def test_one_wrong_line_stops_all_and_is_named(returns, world, as_user):
    response = change(as_user(world.owner), returns, values="a@example.com\nnobody\nb@")
    assert "nobody, b@" in faults(response)["values"][0]
    assert not returns.entries.exists()


def test_too_many_lines_are_refused(returns, world, as_user):
    many = "\n".join(f"a{number}@example.com" for number in range(5_001))
    assert "5,001" in faults(change(as_user(world.owner), returns, values=many))["values"][0]


def add(client, **values):
    address = url(SuppressionEntry, "add")
    return client.post(address, filled(client, address, **values))


def test_a_single_value_is_normalised_and_stands_once(returns, world, as_user):
    client = as_user(world.owner)
    given = {"list": returns.pk, "kind": "phone", "value": "512 555 1212"}
    assert add(client, **given).status_code == 302
    assert standing(returns) == {("phone", "+15125551212")}
    assert faults(add(client, **{**given, "value": "+1 (512) 555-1212"}))
    assert set(faults(add(client, **{**given, "value": "a@example.com"}))) == {"value"}


def test_a_source_is_named_by_flow_and_slug(returns, world, as_user):
    value = f"{world.flow.public_id}/{world.source.slug}"
    assert add(as_user(world.owner), list=returns.pk, kind="source", value=value).status_code == 302
    assert standing(returns) == {("source", value)}
    assert set(faults(add(as_user(world.owner), list=returns.pk, kind="source", value="nowhere"))) == {
        "value"
    }


def test_values_are_removed_together(returns, world, as_user):
    client = as_user(world.owner)
    change(client, returns, values="a@example.com\nb@example.com")
    ticked = list(returns.entries.values_list("pk", flat=True))
    sent = {"action": "delete_selected", "_selected_action": ticked}
    assert returns.entries.count() == 2
    client.post(url(SuppressionEntry, "changelist"), sent)
    assert returns.entries.count() == 2  # asked first
    client.post(url(SuppressionEntry, "changelist"), {**sent, "post": "yes"})
    assert returns.entries.count() == 0


def test_a_list_with_values_is_kept(returns, world, as_user):
    client = as_user(world.owner)
    change(client, returns, values="a@example.com")
    assert "bought again" in client.post(url(returns, "delete"), {"post": "yes"}, follow=True).text
    returns.entries.all().delete()
    assert client.post(url(returns, "delete"), {"post": "yes"}).status_code == 302
    assert not SuppressionList.objects.exists()


def test_the_name_for_rules_and_clients_stays(returns, world, as_user):
    change(as_user(world.owner), returns, slug="other", name="Came back")
    returns.refresh_from_db()
    assert (returns.slug, returns.name) == ("returns", "Came back")
