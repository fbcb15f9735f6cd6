"""A forged form with another tenant's id is an error at its input; nothing is stored."""

from __future__ import annotations

import pytest

from flows.models import Agreement, ApiKey, Field, Flow, Rule, Source, SuppressionEntry, SuppressionList
from portal.models import Buyer, Membership
from tests import factories as make
from tests.admin_pages import faults, filled, one_of_each, url


@pytest.fixture
def own(world):
    return one_of_each(world, "ownmark")


@pytest.fixture
def other(other_world):
    return one_of_each(other_world, "othermark")


def forge(client, model, **changes):
    """Post the add page with these values, and say which inputs were refused; other rows stay uncounted."""
    before = model._default_manager.count()
    address = url(model, "add")
    response = client.post(address, filled(client, address, **changes))
    refused = faults(response)
    assert model._default_manager.count() == before
    assert "othermark" not in response.text
    return set(refused)


def test_a_source_on_anothers_flow(world, own, other, as_user):
    values = {"flow": other[Flow].pk, "name": "x", "slug": "x", "base_price": "1", "price_adjustment": "1"}
    assert forge(as_user(world.owner), Source, **values) == {"flow"}


def test_an_agreement_with_anothers_buyer_or_flow(world, own, other, as_user):
    client = as_user(world.owner)
    assert forge(client, Agreement, flow=own[Flow].pk, buyer=other[Buyer].pk) == {"buyer"}
    assert forge(client, Agreement, flow=other[Flow].pk, buyer=own[Buyer].pk) == {"flow"}


def test_a_key_for_anothers_buyer_or_flow(world, own, other, as_user):
    client = as_user(world.owner)
    assert "buyer" in forge(client, ApiKey, name="x", buyer=other[Buyer].pk)
    assert forge(client, ApiKey, name="x", buyer=own[Buyer].pk, flows=[other[Flow].pk]) == {"flows"}
    assert forge(client, ApiKey, name="x", buyer="", flows=[other[Flow].pk]) == {"flows"}


def test_a_keys_limit_widened_to_anothers_flow(world, own, other, as_user):
    client = as_user(world.owner)
    address = url(own[ApiKey], "change")
    response = client.post(address, filled(client, address, flows=[other[Flow].pk]))
    assert set(faults(response)) == {"flows"}
    assert not own[ApiKey].flows.exists()


def test_a_rule_on_anothers_flow_or_list(world, own, other, as_user):
    client = as_user(world.owner)
    values = {"name": "x", "trigger": "feedback", "outcome": "returned", "action": "suppress_contact"}
    refused = forge(client, Rule, flow=other[Flow].pk, param_list="returns", **values)
    assert refused == {"flow"}
    SuppressionList.objects.filter(pk=other[SuppressionList].pk).update(slug="theirs")
    assert "param_list" in forge(client, Rule, flow=own[Flow].pk, param_list="theirs", **values)


def test_an_entry_on_anothers_list(world, own, other, as_user):
    values = {"list": other[SuppressionList].pk, "kind": "email", "value": "a@example.com"}
    assert forge(as_user(world.owner), SuppressionEntry, **values) == {"list"}


def test_an_entry_for_anothers_source(world, own, other, as_user):
    theirs = f"{other[Flow].public_id}/{other[Source].slug}"
    values = {"list": own[SuppressionList].pk, "kind": "source", "value": theirs}
    assert forge(as_user(world.owner), SuppressionEntry, **values) == {"value"}


def test_a_person_for_anothers_buyer(world, own, other, as_user):
    values = {"email": "new@example.com", "buyer": other[Buyer].pk, "role": "buyer_agent"}
    assert "buyer" in forge(as_user(world.owner), Membership, **values)


def test_the_seller_is_set_and_cannot_be_named(world, own, other, other_world, as_user):
    client = as_user(world.owner)
    address = url(Buyer, "add")
    sent = filled(client, address, name="Smuggled", slug="smuggled", seller=other_world.seller.pk)
    assert client.post(address, sent).status_code == 302
    assert Buyer.objects.get(slug="smuggled").seller == world.seller


def test_moving_a_source_to_anothers_flow_is_ignored(world, own, other, as_user):
    client = as_user(world.owner)
    address = url(own[Source], "change")
    sent = filled(client, address, name="Renamed", flow=other[Flow].pk)
    assert client.post(address, sent).status_code == 302
    own[Source].refresh_from_db()
    assert (own[Source].name, own[Source].flow) == ("Renamed", own[Flow])


def test_anothers_field_smuggled_into_a_flows_table(world, own, other, other_world, as_user):
    client = as_user(world.owner)
    address = url(own[Flow], "change")
    theirs = Field.objects.filter(flow=other_world.flow).first()
    sent = filled(client, address, **{"fields-0-id": theirs.pk, "fields-0-help_text": "mine now"})
    assert "fields-0-id" in faults(client.post(address, sent))
    theirs.refresh_from_db()
    assert (theirs.flow, theirs.help_text) == (other_world.flow, "")


def test_anothers_buyer_smuggled_into_a_flows_agreements(world, own, other, as_user):
    client = as_user(world.owner)
    address = url(own[Flow], "change")
    row = {"agreements-TOTAL_FORMS": 2, "agreements-1-id": "", "agreements-1-flow": own[Flow].pk}
    sent = filled(client, address, **row, **{"agreements-1-buyer": other[Buyer].pk})
    assert "agreements-1-buyer" in faults(client.post(address, sent))
    assert not Agreement.objects.filter(flow=own[Flow], buyer=other[Buyer]).exists()


def test_anothers_rows_ticked_in_a_list(world, own, other, as_user):
    client = as_user(world.owner)
    ticked = {"action": "pause_many", "apply": "1", "_selected_action": [other[Source].pk, own[Source].pk]}
    client.post(url(Source, "changelist"), {**ticked, "reason": "x"})
    for source, status in ((own[Source], "paused"), (other[Source], "active")):
        source.refresh_from_db()
        assert source.status == status
    ticked = {"action": "delete_selected", "post": "yes", "_selected_action": [other[SuppressionEntry].pk]}
    client.post(url(SuppressionEntry, "changelist"), ticked)
    assert SuppressionEntry.objects.filter(pk=other[SuppressionEntry].pk).exists()


def test_a_slug_is_unique_within_ones_own_company_only(world, own, other, other_world, as_user):
    make.BuyerFactory(seller=other_world.seller, slug="same")
    client = as_user(world.owner)
    address = url(Buyer, "add")
    sent = filled(client, address, name="Same", slug="same")
    assert client.post(address, sent).status_code == 302
    assert faults(client.post(address, sent))
