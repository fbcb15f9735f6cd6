"""People in the admin: invited, given a role, let in; never another tenant's, never an operator."""

from __future__ import annotations

import re

import pytest
from django.core import mail
from django.test import Client

from portal.access import Role
from portal.models import Buyer, Membership, Seller, User
from tests import factories as make
from tests.admin_pages import faults, filled, url


def invite(client, follow=False, **values):
    address = url(Membership, "add")
    return client.post(address, filled(client, address, **values), follow=follow)


@pytest.mark.django_db(transaction=True)
def test_a_buyers_person_is_invited_and_chooses_a_password(world, as_user, client):
    response = invite(
        as_user(world.owner), email="Dana@Example.com", buyer=world.buyer.pk, role="buyer_manager"
    )
    assert response.status_code == 302
    person = Membership.objects.get(user__email="dana@example.com")
    assert (person.buyer, person.seller, person.role) == (world.buyer, None, "buyer_manager")
    assert not person.user.has_usable_password()
    (message,) = mail.outbox
    assert message.to == ["dana@example.com"]
    assert world.buyer.name in message.subject
    link = re.search(r"https?://[^/]+(/\S+)", message.body)[1]
    page = client.get(link, follow=True)
    chosen = {"password1": "a horse and a staple", "password2": "a horse and a staple"}
    assert client.post(page.redirect_chain[-1][0], chosen).status_code == 302
    entered = Client().post(
        "/accounts/login/", {"login": "dana@example.com", "password": chosen["password1"]}
    )
    assert entered.headers["Location"] == "/"


def test_a_colleague_is_invited_to_ones_own_company(world, as_user):
    assert invite(as_user(world.owner), email="ann@example.com", role="seller_analyst").status_code == 302
    assert Membership.objects.get(user__email="ann@example.com").seller == world.seller


def test_a_temporary_password_is_shown_once_and_works(world, as_user):
    client = as_user(world.owner)
    response = invite(client, email="ann@example.com", role="seller_analyst", way="once")
    assert response.status_code == 200
    assert "no-store" in response.headers["Cache-Control"]
    password = re.search(r'class="secret">([^<]+)<', response.text)[1]
    user = User.objects.get(email="ann@example.com")
    assert user.check_password(password)
    assert password not in client.get(url(user, "change")).text
    assert not mail.outbox


@pytest.mark.parametrize(
    ("to_buyer", "role"),
    [(False, "buyer_agent"), (True, "seller_owner"), (True, "seller_analyst"), (False, "boss")],
)
def test_a_role_of_the_other_side_is_refused(to_buyer, role, world, as_user):
    values = {"email": "x@example.com", "role": role, "buyer": world.buyer.pk if to_buyer else ""}
    assert "role" in faults(invite(as_user(world.owner), **values))
    assert not User.objects.filter(email="x@example.com").exists()


def test_who_is_there_already_is_not_invited_twice(world, as_user):
    response = invite(as_user(world.owner), email=world.analyst.email.upper(), role="seller_owner")
    assert "already" in faults(response)["email"][0]


def test_an_account_of_another_tenant_is_joined_and_not_touched(world, other_world, as_user):
    before = User.objects.values().get(pk=other_world.agent.pk)
    response = invite(
        as_user(world.owner),
        email=other_world.agent.email,
        buyer=world.buyer.pk,
        role="buyer_agent",
        way="once",
    )
    assert response.status_code == 302  # no password to show
    assert User.objects.values().get(pk=other_world.agent.pk) == before
    assert Membership.objects.filter(user=other_world.agent).count() == 2


@pytest.fixture
def shared(world, other_world):
    """A person of both sellers' buyers, with a name that only the other tenant knows."""
    make.MembershipFactory(user=other_world.agent, buyer=world.buyer, role=Role.BUYER_AGENT)
    other_world.agent.first_name = "Secretname"
    other_world.agent.save()
    return other_world.agent


def test_a_shared_account_shows_its_address_and_no_more(shared, world, as_user):
    client = as_user(world.owner)
    for address in (url(User, "changelist"), url(shared, "change"), url(Membership, "changelist")):
        text = client.get(address).text
        assert shared.email in text
        assert "Secretname" not in text
    assert client.get(url(User, "changelist"), {"q": "Secretname"}).context["cl"].result_count == 0


def test_a_shared_account_cannot_be_changed(shared, world, as_user):
    client = as_user(world.owner)
    forged = {"email": "mine@example.com", "first_name": "x", "is_active": ""}
    assert client.post(url(shared, "change"), forged).status_code == 403
    for action in ("password", "link"):
        assert client.post(url(shared, action)).status_code == 403
    shared.refresh_from_db()
    assert shared.is_active
    assert shared.check_password("correct horse")


def test_the_place_of_a_shared_account_with_oneself_can_be_changed_and_ended(
    shared, world, other_world, as_user
):
    client = as_user(world.owner)
    place = Membership.objects.get(user=shared, buyer=world.buyer)
    assert (
        client.post(
            url(place, "change"), filled(client, url(place, "change"), role="buyer_manager")
        ).status_code
        == 302
    )
    place.refresh_from_db()
    assert place.role == "buyer_manager"
    assert client.post(url(place, "delete"), {"post": "yes"}).status_code == 302
    assert list(Membership.objects.filter(user=shared)) == [
        Membership.objects.get(buyer=other_world.buyer, user=shared)
    ]
    assert client.get(url(shared, "change")).status_code == 404


def test_an_operator_is_never_changed_by_a_seller(world, as_user):
    boss = User.objects.create_superuser("boss", "boss@example.com", "correct horse")
    client = as_user(world.owner)
    assert client.get(url(boss, "change")).status_code == 404
    invite(client, email="boss@example.com", role="seller_analyst")
    assert client.post(url(boss, "change"), {"email": "mine@example.com"}).status_code == 403
    assert client.post(url(boss, "password")).status_code == 403
    boss.refresh_from_db()
    assert boss.email == "boss@example.com"


def test_nobody_is_made_an_operator(world, as_user):
    client = as_user(world.owner)
    address = url(world.agent, "change")
    sent = filled(client, address, is_superuser="on", is_staff="on", first_name="Bo", groups="1")
    assert client.post(address, sent).status_code == 302
    world.agent.refresh_from_db()
    assert (world.agent.first_name, world.agent.is_superuser, world.agent.is_staff) == ("Bo", False, False)
    invite(client, email="new@example.com", role="seller_owner", is_superuser="on")
    assert User.objects.get(email="new@example.com").is_superuser is False


def test_an_owner_resets_the_password_of_an_own_person(world, as_user):
    client = as_user(world.owner)
    assert client.get(url(world.agent, "password")).status_code == 200
    assert User.objects.get(pk=world.agent.pk).check_password("correct horse")
    response = client.post(url(world.agent, "password"))
    password = re.search(r'class="secret">([^<]+)<', response.text)[1]
    assert User.objects.get(pk=world.agent.pk).check_password(password)


@pytest.mark.django_db(transaction=True)
def test_an_owner_sends_a_link_to_an_own_person(world, as_user):
    as_user(world.owner).post(url(world.agent, "link"))
    assert mail.outbox[0].to == [world.agent.email]
    assert "Choose your password" in mail.outbox[0].body


def test_the_last_owner_stays_one(world, as_user):
    client = as_user(world.owner)
    place = Membership.objects.get(user=world.owner)
    address = url(place, "change")
    assert "role" in faults(client.post(address, filled(client, address, role="seller_analyst")))
    answer = client.post(url(place, "delete"), {"post": "yes"}, follow=True)
    assert "one active owner" in answer.text
    me = url(world.owner, "change")
    assert "is_active" in faults(client.post(me, filled(client, me, is_active=None)))
    make.MembershipFactory(seller=world.seller)
    assert client.post(address, filled(client, address, role="seller_analyst")).status_code == 302


def test_a_taken_address_is_refused_without_saying_whose(world, other_world, as_user):
    client = as_user(world.owner)
    address = url(world.agent, "change")
    response = client.post(address, filled(client, address, email=other_world.agent.email))
    assert faults(response) == {"email": ["Choose another address: this one cannot be used."]}


def test_a_switched_off_account_is_out(world, as_user):
    client = as_user(world.owner)
    address = url(world.agent, "change")
    assert client.post(address, filled(client, address, is_active=None)).status_code == 302
    assert as_user(world.agent).get("/admin/").status_code == 302


def test_a_buyer_with_agreements_is_kept(world, as_user):
    answer = as_user(world.owner).post(url(world.buyer, "delete"), {"post": "yes"}, follow=True)
    assert "buys new leads" in answer.text
    assert Buyer.objects.filter(pk=world.buyer.pk).exists()
    fresh = make.BuyerFactory(seller=world.seller)
    assert as_user(world.owner).post(url(fresh, "delete"), {"post": "yes"}).status_code == 302
    assert not Buyer.objects.filter(pk=fresh.pk).exists()


def test_operators_set_up_sellers_and_their_owners(as_user, db):
    boss = User.objects.create_superuser("boss", "boss@example.com", "correct horse")
    client = as_user(boss)
    address = url(Seller, "add")
    assert client.post(address, filled(client, address, name="New", slug="new")).status_code == 302
    seller = Seller.objects.get(slug="new")
    invite(client, email="owner@example.com", seller=seller.pk, role="seller_owner")
    assert Membership.objects.get(user__email="owner@example.com").seller == seller


def test_the_password_page_and_logging_out_go_by_the_one_way(world, as_user):
    client = as_user(world.owner)
    assert client.get("/admin/password_change/").headers["Location"] == "/accounts/password/change/"
    assert client.get("/admin/logout/").status_code == 405
    assert client.post("/admin/logout/").headers["Location"] == "/accounts/login/"
    assert client.get("/admin/").status_code == 302
