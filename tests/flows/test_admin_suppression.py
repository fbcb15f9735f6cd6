"""Suppression lists in the admin: values are normalised, added in numbers, removed again."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from flows.models import SuppressionEntry, SuppressionList
from flows.suppression import add_all, suppressed
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


def test_sources_are_added_in_numbers_too(returns, world, other_world, as_user):
    own = f"{world.flow.public_id}/{world.source.slug}"
    theirs = f"{other_world.flow.public_id}/{other_world.source.slug}"
    response = change(as_user(world.owner), returns, values=f"{own}\na@example.com")
    assert "2 added" in response.text
    assert standing(returns) == {("source", own), ("email", "a@example.com")}
    for wrong in (theirs, f"{own}x", "flw_x/"):
        response = change(as_user(world.owner), returns, values=f"b@example.com\n{wrong}")
        assert wrong in faults(response)["values"][0]
    assert returns.entries.count() == 2


def test_a_new_list_takes_sources_and_reads_numbers_in_its_country(world, as_user):
    client, address = as_user(world.owner), url(SuppressionList, "add")
    own = f"{world.flow.public_id}/{world.source.slug}"
    values = f"{own}\n020 7946 0018"
    sent = filled(client, address, name="UK", slug="uk", country="GB", values=values)
    assert client.post(address, sent).status_code == 302
    row = SuppressionList.objects.get(slug="uk")
    assert standing(row) == {("source", own), ("phone", "+442079460018")}


def test_a_value_that_has_expired_is_added_anew(returns, world, as_user):
    add_all(returns, [("email", "a@example.com")], origin="file", expires_at=timezone.now())
    client, given = as_user(world.owner), {"list": returns.pk, "kind": "email", "value": "A@example.com"}
    assert add(client, **given).status_code == 302
    entry = returns.entries.get()
    assert (entry.expires_at, entry.origin) == (None, "person")
    assert faults(add(client, **given))


# --- Ending an entry ------------------------------------------------------------------------------------


@pytest.fixture
def three(returns):
    later = timezone.now() + dt.timedelta(days=9)
    add_all(returns, [("email", "a@example.com"), ("email", "b@example.com")], origin="file")
    add_all(returns, [("email", "c@example.com")], origin="file", expires_at=later)
    return returns


def still(world) -> set[str]:
    values = [("email", f"{name}@example.com") for name in "abc"]
    return {value[0] for _, value in suppressed(world.seller, values)}


def test_an_entry_is_ended_after_asking(three, world, as_user):
    client, entry = as_user(world.owner), three.entries.get(value="a@example.com")
    assert "Expire now" in client.get(url(entry, "change")).text
    assert "bought again" in client.get(url(entry, "expire")).text
    assert still(world) == {"a", "b", "c"}
    answer = client.post(url(entry, "expire"), follow=True)
    assert "Expired: a@example.com" in answer.text
    assert still(world) == {"b", "c"}
    assert three.entries.count() == 3
    assert client.get(url(entry, "expire")).status_code == 404  # it is over


def test_entries_are_ended_together_after_asking(three, world, other_world, as_user):
    theirs = SuppressionList.objects.create(seller=other_world.seller, name="R", slug="r")
    add_all(theirs, [("email", "a@example.com")], origin="file")
    client, address = as_user(world.owner), url(SuppressionEntry, "changelist")
    ticked = list(SuppressionEntry.objects.exclude(value="b@example.com").values_list("pk", flat=True))
    sent = {"action": "expire_many", "_selected_action": ticked}
    page = client.post(address, sent).text
    assert "2 entries will hold no longer" in page
    assert "c@example.com" in page
    assert still(world) == {"a", "b", "c"}
    answer = client.post(address, {**sent, "apply": "1"}, follow=True)
    assert "Expired: 2." in answer.text
    assert still(world) == {"b"}
    assert suppressed(other_world.seller, [("email", "a@example.com")])
    assert "nothing to do" in client.post(address, sent).text


def test_all_that_the_page_found_are_ended(three, world, as_user):
    client, address = as_user(world.owner), url(SuppressionEntry, "changelist") + "?q=c@"
    one = three.entries.get(value="a@example.com").pk
    sent = {"action": "expire_many", "_selected_action": [one], "select_across": "1"}
    page = client.post(address, sent).text
    assert 'name="select_across" value="1"' in page
    client.post(address, {**sent, "apply": "1"})
    assert still(world) == {"a", "b"}


def test_who_may_not_end_an_entry(three, world, other_world, as_user):
    entry = three.entries.get(value="a@example.com")
    assert as_user(world.analyst).post(url(entry, "expire")).status_code == 403
    assert as_user(other_world.owner).post(url(entry, "expire")).status_code == 404
    sent = {"action": "expire_many", "_selected_action": [entry.pk], "apply": "1"}
    as_user(world.analyst).post(url(SuppressionEntry, "changelist"), sent)
    assert still(world) == {"a", "b", "c"}
