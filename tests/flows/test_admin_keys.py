"""API keys in the admin: shown once, then never again; rotated with overlap, revoked at once."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.core import serializers
from django.utils.timezone import now

from flows import keys
from flows.models import Agreement, ApiKey
from flows.problems import ProblemError
from tests import factories as make
from tests.admin_pages import faults, filled, url

KEY = re.compile(r"ll_(?:live|test)_[0-9A-Za-z]{8}_[0-9A-Za-z]{38}")


def add(client, **values):
    address = url(ApiKey, "add")
    return client.post(address, filled(client, address, **values))


@pytest.fixture
def made(world, as_user):
    """A client of the owner, the answer to adding a key for the buyer, and the key's text."""
    client = as_user(world.owner)
    response = add(client, name="CRM", buyer=world.buyer.pk, flows=[world.flow.pk])
    assert response.status_code == 200
    return client, response, KEY.search(response.text)[0]


def test_a_key_is_shown_once_and_works(made, world):
    _, response, text = made
    key, actor = keys.authenticate(text)
    assert (key.name, key.buyer, key.livemode, list(key.flows.all())) == (
        "CRM",
        world.buyer,
        True,
        [world.flow],
    )
    assert actor.party_id == world.buyer.pk
    assert "no-store" in response.headers["Cache-Control"]
    assert world.flow.public_id in response.text  # the line to try it with


def test_a_key_is_nowhere_afterwards(made):
    client, _, text = made
    key = ApiKey.objects.get()
    secret = text.rsplit("_", 1)[1]
    for address in (url(key, "change"), url(key, "history"), url(ApiKey, "changelist"), "/admin/"):
        assert secret not in client.get(address).text
    stored = serializers.serialize("json", [*ApiKey.objects.all(), *LogEntry.objects.all()])
    assert secret not in stored
    assert not any(secret in str(session.get_decoded()) for session in Session.objects.all())
    assert secret not in str(client.cookies)
    assert key.prefix in client.get(url(key, "change")).text


def test_no_copy_of_the_key_is_left_in_the_log(world, as_user, caplog):
    response = add(as_user(world.owner), name="CRM", buyer=world.buyer.pk)
    assert KEY.search(response.text)
    assert not KEY.search(caplog.text)


def test_a_seller_key_and_a_test_key(world, as_user):
    client = as_user(world.owner)
    key, actor = keys.authenticate(KEY.search(add(client, name="Leads", buyer="").text)[0])
    assert (key.seller, key.buyer, actor.is_seller) == (world.seller, None, True)
    text = KEY.search(add(client, name="Trial", buyer=world.buyer.pk, livemode="False").text)[0]
    assert text.startswith("ll_test_")
    assert keys.authenticate(text)[0].livemode is False


def test_a_key_is_limited_to_flows_on_which_its_party_buys(world, as_user):
    elsewhere = make.FlowFactory(seller=world.seller)
    response = add(as_user(world.owner), name="x", buyer=world.buyer.pk, flows=[elsewhere.pk])
    assert elsewhere.name in faults(response)["flows"][0]


def test_an_expiry_in_the_past_is_refused(world, as_user):
    response = add(
        as_user(world.owner), name="x", buyer=world.buyer.pk, expires_at_0="2020-01-01", expires_at_1="00:00"
    )
    assert "expires_at" in faults(response)


def test_the_party_cannot_be_changed_nor_the_kind(made, world):
    client, _, _ = made
    key = ApiKey.objects.get()
    address = url(key, "change")
    rival = make.BuyerFactory(seller=world.seller)
    sent = filled(client, address, name="Renamed", buyer=rival.pk, seller=world.seller.pk, livemode="False")
    assert client.post(address, sent).status_code == 302
    key.refresh_from_db()
    assert (key.name, key.buyer, key.seller, key.livemode) == ("Renamed", world.buyer, None, True)


def test_rotation_shows_a_new_key_and_keeps_the_old_one_for_a_while(made):
    client, _, text = made
    key = ApiKey.objects.get()
    page = client.get(url(key, "rotate"))
    assert page.status_code == 200
    assert ApiKey.objects.count() == 1  # asking is not doing
    response = client.post(url(key, "rotate"), {"days": 3})
    assert "no-store" in response.headers["Cache-Control"]
    fresh = KEY.search(response.text)[0]
    assert keys.authenticate(fresh)[0] != keys.authenticate(text)[0]
    with pytest.raises(ProblemError):
        keys.authenticate(text, now=now() + dt.timedelta(days=3, minutes=1))
    assert client.get(url(key, "rotate")).status_code == 404  # replaced already


def test_revoking_closes_at_once_and_needs_a_post(made):
    client, _, text = made
    key = ApiKey.objects.get()
    assert client.get(url(key, "revoke")).status_code == 200
    assert keys.authenticate(text)
    response = client.post(url(key, "revoke"), follow=True)
    assert "is revoked" in response.text
    with pytest.raises(ProblemError):
        keys.authenticate(text)
    assert client.post(url(key, "revoke")).status_code == 404


def test_a_wrong_overlap_is_refused(made):
    client, _, _ = made
    response = client.post(url(ApiKey.objects.get(), "rotate"), {"days": 400})
    assert response.status_code == 200
    assert response.context["form"].errors
    assert ApiKey.objects.count() == 1


def test_a_key_cannot_be_deleted(made):
    client, _, _ = made
    assert client.post(url(ApiKey.objects.get(), "delete"), {"post": "yes"}).status_code == 403


def test_a_key_is_limited_by_choosing_flows_and_never_freed_by_choosing_none(made, world):
    client, _, text = made
    key = ApiKey.objects.get()
    address = url(key, "change")
    assert "limited" in faults(client.post(address, filled(client, address, flows=[])))["flows"][0]
    assert keys.authenticate(text)[1].flow_ids == {world.flow.pk}
    Agreement.objects.filter(buyer=world.buyer).delete()  # there is nothing left to choose
    assert client.post(address, filled(client, address, flows=[])).status_code == 302
    assert "its flows are gone" in client.get(address).text
    assert client.post(address, filled(client, address, name="Renamed")).status_code == 302
    assert keys.authenticate(text)[1].flow_ids == frozenset()


def test_a_key_of_every_flow_is_limited_later(world, as_user):
    client = as_user(world.owner)
    text = KEY.search(add(client, name="CRM", buyer=world.buyer.pk).text)[0]
    assert keys.authenticate(text)[1].flow_ids is None
    address = url(ApiKey.objects.get(), "change")
    assert "Every flow" in client.get(address).text
    assert client.post(address, filled(client, address, flows=[world.flow.pk])).status_code == 302
    assert keys.authenticate(text)[1].flow_ids == {world.flow.pk}
