"""A buyer's managers make, name, limit, rotate and revoke their own keys; a key is shown once."""

from __future__ import annotations

import datetime as dt
import re

import pytest
import time_machine
from django.test import Client
from django.utils.timezone import now

from flows import keys
from flows.models import ApiKey
from portal.models import User
from tests import factories as make

KEY = re.compile(r"ll_(?:live|test)_[0-9A-Za-z]{8}_[0-9A-Za-z]{38}")


@pytest.fixture
def manager(world, as_user):
    return as_user(world.manager)


def made(client, **given: str):
    return client.post("/developers/keys/new/", {"name": "CRM", "livemode": "True", **given})


def post(flow, text: str):
    body = {"lead_id": "evt_test", "outcome": "converted"}
    address = f"/flows/{flow.public_id}/feedback"
    return Client().post(address, body, "application/json", headers={"X-API-Key": text})


def test_a_new_key_works_and_is_shown_once(world, manager):
    page = made(manager)
    text = KEY.search(page.text)[0]
    assert "no-store" in page.headers["Cache-Control"]
    assert text in re.search(r"curl.*", page.text, re.DOTALL)[0]
    assert post(world.flow, text).status_code == 200
    key = ApiKey.objects.get()
    assert (key.name, key.buyer, key.seller, key.livemode, key.all_flows) == (
        "CRM",
        world.buyer,
        None,
        True,
        True,
    )
    shown = manager.get("/developers/keys/").text
    assert key.prefix in shown
    assert text not in shown


def test_a_test_key(world, manager):
    text = KEY.search(made(manager, livemode="False").text)[0]
    assert text.startswith("ll_test_")
    assert post(world.flow, text).json()["livemode"] is False


def test_a_key_limited_to_a_flow_opens_that_one_only(world, manager):
    other = make.FlowFactory(seller=world.seller)
    make.AgreementFactory(flow=other, buyer=world.buyer)
    text = KEY.search(made(manager, flows=str(world.flow.pk)).text)[0]
    assert post(world.flow, text).status_code == 200
    assert post(other, text).status_code == 403


def test_nobody_limits_a_key_to_a_flow_without_agreement(world, other_world, manager):
    for flow in (make.FlowFactory(seller=world.seller), other_world.flow):
        assert made(manager, flows=str(flow.pk)).status_code == 422
    assert not ApiKey.objects.exists()


def test_a_key_may_end_by_itself(world, manager):
    User.objects.filter(pk=world.manager.pk).update(timezone="America/Denver")
    ends = (now() + dt.timedelta(days=2)).astimezone(dt.timezone(dt.timedelta(hours=-7)))
    text = KEY.search(made(manager, expires_at=f"{ends:%Y-%m-%dT%H:%M}").text)[0]
    key = ApiKey.objects.get()
    assert abs(key.expires_at - (now() + dt.timedelta(days=2))) < dt.timedelta(
        hours=1, minutes=1
    )  # summer time
    with time_machine.travel(now() + dt.timedelta(days=3)):
        assert post(world.flow, text).json()["code"] == "expired_api_key"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": ""}, "This field is required."),
        ({"name": "x" * 81}, "at most 80"),
        ({"livemode": "maybe"}, "Select a valid choice"),
        ({"expires_at": "2020-01-01T00:00"}, "This is in the past."),
        ({"expires_at": "soon"}, "Enter a valid date/time."),
    ],
)
def test_a_wrong_form_makes_no_key_and_says_why(world, manager, wrong, said):
    page = made(manager, **wrong)
    assert page.status_code == 422
    assert said in page.text
    assert not ApiKey.objects.exists()


def test_name_limit_and_end_are_changed(world, manager):
    key, _ = keys.issue(name="Old", buyer=world.buyer)
    address = f"/developers/keys/{key.pk}/"
    assert 'value="Old"' in manager.get(address).text
    manager.post(address, {"name": "New", "flows": str(world.flow.pk)})
    key.refresh_from_db()
    assert (key.name, key.all_flows, list(key.flows.all())) == ("New", False, [world.flow])


def test_a_limit_is_not_lifted_by_ticking_nothing(world, manager):
    key, _ = keys.issue(name="Old", buyer=world.buyer, flows=[world.flow])
    page = manager.post(f"/developers/keys/{key.pk}/", {"name": "Old"})
    assert page.status_code == 422
    assert "choose at least one flow" in page.text
    key.refresh_from_db()
    assert not key.all_flows


def test_saving_what_stands_moves_no_end(world, manager):
    ends = now() + dt.timedelta(days=5, seconds=17)
    key, _ = keys.issue(name="Old", buyer=world.buyer, expires_at=ends)
    page = manager.get(f"/developers/keys/{key.pk}/").text
    shown = re.search(r'name="expires_at" value="([^"]+)"', page)[1]
    manager.post(f"/developers/keys/{key.pk}/", {"name": "New", "expires_at": shown})
    key.refresh_from_db()
    assert (key.name, key.expires_at) == ("New", ends)


def test_rotating_makes_a_new_key_and_the_old_one_lives_on_as_long_as_chosen(world, manager):
    key, old = keys.issue(name="CRM", buyer=world.buyer)
    address = f"/developers/keys/{key.pk}/rotate/"
    assert "Both work for a while" in manager.get(address).text
    new = KEY.search(manager.post(address, {"days": "3"}).text)[0]
    assert post(world.flow, old).status_code == post(world.flow, new).status_code == 200
    with time_machine.travel(now() + dt.timedelta(days=4)):
        assert post(world.flow, old).status_code == 401
        assert post(world.flow, new).status_code == 200
    assert "Replaced" in manager.get("/developers/keys/").text


def test_a_key_is_rotated_once(world, manager):
    key, _ = keys.issue(name="CRM", buyer=world.buyer)
    manager.post(f"/developers/keys/{key.pk}/rotate/", {"days": "3"})
    page = manager.post(f"/developers/keys/{key.pk}/rotate/", {"days": "3"}, follow=True)
    assert "replaced already" in page.text
    assert ApiKey.objects.count() == 2


@pytest.mark.parametrize("days", ["-1", "91", "", "soon"])
def test_an_overlap_out_of_bounds_rotates_nothing(world, manager, days):
    key, _ = keys.issue(name="CRM", buyer=world.buyer)
    assert manager.post(f"/developers/keys/{key.pk}/rotate/", {"days": days}).status_code == 422
    assert ApiKey.objects.count() == 1


def test_revoking_asks_and_then_closes_at_once(world, manager):
    key, text = keys.issue(name="CRM", buyer=world.buyer)
    address = f"/developers/keys/{key.pk}/revoke/"
    assert "It was never used." in manager.get(address).text
    assert post(world.flow, text).status_code == 200
    assert "nobody gets in with it any more" in manager.post(address, follow=True).text
    assert post(world.flow, text).json()["code"] == "revoked_api_key"
    for page in ("", "rotate/", "revoke/"):
        assert manager.get(f"/developers/keys/{key.pk}/{page}").status_code == 302


def test_keys_of_others_are_not_there(world, other_world, manager):
    rival = make.BuyerFactory(seller=world.seller)
    for party in ({"buyer": rival}, {"seller": world.seller}, {"buyer": other_world.buyer}):
        key, _ = keys.issue(name="Not yours", **party)
        for page in ("", "rotate/", "revoke/"):
            assert (
                manager.post(f"/developers/keys/{key.pk}/{page}", {"name": "x", "days": 1}).status_code == 404
            )
        key.refresh_from_db()
        assert key.revoked_at is None
    assert "Not yours" not in manager.get("/developers/keys/").text


def test_agents_have_no_page_of_keys(world, as_user):
    agent = as_user(world.agent)
    assert agent.get("/developers/keys/").status_code == 403
    assert agent.post("/developers/keys/new/", {"name": "x", "livemode": "True"}).status_code == 403
    assert "/developers/keys/" not in agent.get("/developers/").text


def test_the_page_costs_the_same_however_many_keys(world, manager, django_assert_max_num_queries):
    for number in range(12):
        keys.issue(name=f"Key {number}", buyer=world.buyer, flows=[world.flow])
    with django_assert_max_num_queries(8):
        manager.get("/developers/keys/")


def test_the_place_has_one_navigation(world, manager):
    for path in ("/developers/", "/developers/keys/", "/developers/log/", "/developers/test/"):
        text = manager.get(path).text
        tabs = re.search(r'<nav class="tabs" aria-label="Developers">.*?</nav>', text, re.DOTALL)[0]
        assert len(re.findall("<a ", tabs)) == 5
        assert re.search(rf'href="{path}" aria-current="page"', tabs)


def test_the_guide_of_the_only_flow_is_one_click_away(world, manager):
    assert (
        manager.get("/developers/guide/").headers["Location"] == f"/developers/{world.flow.public_id}/guide/"
    )
    other = make.FlowFactory(seller=world.seller)
    make.AgreementFactory(flow=other, buyer=world.buyer)
    assert manager.get("/developers/guide/").headers["Location"] == "/developers/#flows-title"
