"""The team's page: invitations by e-mail, roles, removal, and what each role may do."""

from __future__ import annotations

import datetime as dt
import re
import smtplib

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.utils.timezone import now

from portal import invitations
from portal.access import Role
from portal.models import Invitation, Membership, User
from tests import factories as make

NEW = {"first_name": "Nora", "last_name": "New", "password": "a longer phrase 7"}


@pytest.fixture(autouse=True)
def fresh_limits():
    cache.clear()


@pytest.fixture
def manager(world, as_user):
    return as_user(world.manager)


def invite(client, email: str = "Nora@Example.com", role: str = Role.BUYER_AGENT):
    return client.post("/team/invite/", {"email": email, "role": role}, follow=True)


def link() -> str:
    """The address in the newest e-mail."""
    found = re.search(r"https?://[^/]+(/join/\S+)", mail.outbox[-1].body)
    assert found
    return found[1]


def place(world, user: User) -> Membership:
    return Membership.objects.get(user=user, buyer=world.buyer)


# --- Who sees what ----------------------------------------------------------------------------
def test_everybody_sees_who_works_for_the_company(world, as_user):
    for who in (world.manager, world.agent):
        text = as_user(who).get("/team/").text
        assert world.manager.email in text
        assert world.agent.email in text
        assert world.owner.email not in text
    assert world.analyst.email in as_user(world.owner).get("/team/").text


def test_agents_have_no_controls(world, as_user):
    Invitation.objects.create(
        buyer=world.buyer, role=Role.BUYER_AGENT, email="x@example.com", digest="x", expires_at=now()
    )
    text = as_user(world.agent).get("/team/").text
    assert "x@example.com" in text
    assert not re.search(r'(action|href)="/team/(invite|people|invitations)', text)


def test_the_second_factor_of_each_is_shown(world, manager):
    from allauth.mfa.totp.internal.auth import TOTP

    TOTP.activate(world.agent, "JBSWY3DPEHPK3PXP")
    text = manager.get("/team/").text
    row = re.search(rf"{world.agent.email}.*?</tr>", text, re.DOTALL)
    other = re.search(rf"{world.manager.email}.*?</tr>", text, re.DOTALL)
    assert "pill--good" in row[0]
    assert "pill--warn" in other[0]


def test_what_a_person_does_elsewhere_is_not_shown(world, other_world, manager):
    User.objects.filter(pk=world.agent.pk).update(last_login=now())
    assert "not shown" not in manager.get("/team/").text
    make.MembershipFactory(user=world.agent, buyer=other_world.buyer, role=Role.BUYER_AGENT)
    text = manager.get("/team/").text
    assert "works elsewhere too" in text
    assert "not shown" in text


def test_the_page_costs_the_same_however_many_people(world, manager, django_assert_max_num_queries):
    for _ in range(12):
        make.MembershipFactory(buyer=world.buyer, role=Role.BUYER_AGENT)
    with django_assert_max_num_queries(9):
        manager.get("/team/")


# --- Invitations ------------------------------------------------------------------------------
def test_a_new_person_joins_by_the_link_and_is_in(world, manager):
    assert "An invitation is on its way to nora@example.com." in invite(manager).text
    (message,) = mail.outbox
    assert message.to == ["nora@example.com"]
    assert world.buyer.name in message.subject
    stranger = Client()
    assert world.buyer.name in stranger.get(link()).text
    page = stranger.post(link(), NEW, follow=True)
    assert page.redirect_chain[-1][0] == "/leads/"
    person = User.objects.get(email="nora@example.com")
    assert (person.first_name, person.check_password(NEW["password"])) == ("Nora", True)
    assert place(world, person).role == Role.BUYER_AGENT
    assert "Nora New" in manager.get("/team/").text
    assert 'id="pending-title"' not in manager.get("/team/").text


def test_the_token_is_kept_nowhere(world, manager):
    invite(manager)
    token = link().split("/")[2]
    row = Invitation.objects.values().get()
    assert token not in str(row)


def test_a_link_works_once(world, manager):
    invite(manager)
    address = link()
    Client().post(address, NEW)
    second = Client().post(address, {**NEW, "first_name": "Eve"})
    assert second.status_code == 410
    assert User.objects.filter(email="nora@example.com").count() == 1


def test_a_weak_password_is_refused_and_the_link_stays_good(world, manager):
    invite(manager)
    refused = Client().post(link(), {**NEW, "password": "nora"})
    assert refused.status_code == 422
    assert "too short" in refused.text
    assert Client().post(link(), NEW).status_code == 302


def test_who_has_an_account_logs_in_and_joins(world, other_world, manager):
    person = other_world.agent
    invite(manager, person.email)
    client = Client()
    page = client.get(link())
    login = re.search(r'href="(/accounts/login/\?next=[^"]+)"', page.text)
    response = client.post(
        login[1], {"login": person.email, "password": "correct horse", "next": link()}, follow=True
    )
    assert response.redirect_chain[-1][0] == link()
    assert "Join" in response.text
    client.post(link())
    assert place(world, person).role == Role.BUYER_AGENT
    assert world.buyer.name in client.get("/leads/").text


def test_an_account_cannot_be_taken_over_by_its_invitation(world, other_world, manager):
    person = other_world.agent
    invite(manager, person.email)
    response = Client().post(link(), NEW)
    assert response.status_code == 422
    person.refresh_from_db()
    assert person.check_password("correct horse")
    assert not Membership.objects.filter(user=person, buyer=world.buyer).exists()


def test_only_the_invited_address_may_join(world, other_world, manager, as_user):
    invite(manager)
    client = as_user(other_world.agent)
    assert "This invitation is somebody else’s" in client.get(link()).text
    assert client.post(link()).status_code == 409
    assert not Membership.objects.filter(user=other_world.agent, buyer=world.buyer).exists()


def test_inviting_tells_nobody_whether_an_address_has_an_account(world, other_world, manager):
    known, unknown = invite(manager, other_world.agent.email), invite(manager, "nobody@example.com")
    said = [re.search(r'class="success"[^>]*>([^<]+)', page.text)[1] for page in (known, unknown)]
    assert said[0].replace(other_world.agent.email, "…") == said[1].replace("nobody@example.com", "…")
    one, other = mail.outbox
    plain = [re.sub(r"/join/\S+", "", message.body) for message in (one, other)]
    assert plain[0] == plain[1]


@pytest.mark.parametrize("how", ["wrong", "old", "withdrawn", "resent"])
def test_a_link_that_is_over_opens_nothing_and_says_the_same(world, manager, how):
    invite(manager)
    address = link()
    (invitation,) = Invitation.objects.all()
    if how == "wrong":
        address = "/join/made-up/"
    elif how == "old":
        Invitation.objects.update(expires_at=now() - dt.timedelta(seconds=1))
    elif how == "withdrawn":
        manager.post(f"/team/invitations/{invitation.pk}/withdraw/")
    else:
        manager.post(f"/team/invitations/{invitation.pk}/resend/")
    for method in ("get", "post"):
        response = getattr(Client(), method)(address, NEW)
        assert response.status_code == 410
        assert "It was used already, was withdrawn, or is more than a week old." in response.text
        assert world.buyer.name not in response.text
    assert not User.objects.filter(email="nora@example.com").exists()


def test_one_that_is_too_old_is_sent_again(world, manager):
    invite(manager)
    Invitation.objects.update(expires_at=now() - dt.timedelta(seconds=1))
    assert "Too old" in manager.get("/team/").text
    manager.post(f"/team/invitations/{Invitation.objects.get().pk}/resend/")
    assert len(mail.outbox) == 2
    assert Client().post(link(), NEW).status_code == 302


def test_a_mail_server_that_fails_is_told_and_loses_nothing(world, manager, monkeypatch):
    def refuse(*args, **kwargs):
        raise smtplib.SMTPServerDisconnected("gone")

    monkeypatch.setattr(invitations, "send_mail", refuse)
    text = invite(manager).text
    assert "its e-mail to nora@example.com could not be sent" in text
    assert "Not sent" in text
    monkeypatch.undo()
    manager.post(f"/team/invitations/{Invitation.objects.get().pk}/resend/")
    assert Client().post(link(), NEW).status_code == 302


@pytest.mark.parametrize("again", ["member", "invited", "malformed"])
def test_nobody_is_invited_twice(world, manager, again):
    invite(manager)
    email = {"member": world.agent.email.upper(), "invited": "NORA@example.com", "malformed": "nora"}[again]
    response = manager.post("/team/invite/", {"email": email, "role": Role.BUYER_AGENT})
    assert response.status_code == 422
    assert Invitation.objects.count() == 1


def test_nobody_is_invited_as_the_other_side(world, manager):
    assert (
        manager.post("/team/invite/", {"email": "n@example.com", "role": Role.SELLER_OWNER}).status_code
        == 422
    )
    assert not Invitation.objects.exists()


def test_owners_invite_for_their_own_side(world, as_user):
    invite(as_user(world.owner), role=Role.SELLER_ANALYST)
    page = Client().post(link(), NEW, follow=True)
    assert page.redirect_chain[-1][0] == "/dashboard/"


def test_the_token_stands_in_no_log(world, manager, caplog):
    invite(manager)
    with caplog.at_level("INFO"):
        Client().get(link())
    assert link().split("/")[2] not in caplog.text


def test_the_page_of_a_link_is_kept_by_no_browser_and_told_to_no_site(world, manager):
    invite(manager)
    response = Client().get(link())
    assert response.headers["Referrer-Policy"] == "same-origin"  # with no-referrer the form would be refused
    assert "no-store" in response.headers["Cache-Control"]


# --- Roles and removal ------------------------------------------------------------------------
def test_a_manager_gives_another_role(world, manager):
    address = f"/team/people/{place(world, world.agent).pk}/role/"
    assert "is buyer manager now" in manager.post(address, {"role": Role.BUYER_MANAGER}, follow=True).text
    assert place(world, world.agent).role == Role.BUYER_MANAGER


@pytest.mark.parametrize("role", ["", "boss", Role.SELLER_OWNER])
def test_only_roles_of_the_side_are_given(world, manager, role):
    manager.post(f"/team/people/{place(world, world.agent).pk}/role/", {"role": role})
    assert place(world, world.agent).role == Role.BUYER_AGENT


def test_the_last_manager_stays_one_and_stays(world, manager):
    own = place(world, world.manager).pk
    page = manager.post(f"/team/people/{own}/role/", {"role": Role.BUYER_AGENT}, follow=True)
    assert "There must be one buyer manager who can log in." in page.text
    assert manager.post(f"/team/people/{own}/remove/").status_code == 422
    assert place(world, world.manager).role == Role.BUYER_MANAGER


def test_a_manager_who_cannot_log_in_does_not_count(world, manager):
    other = make.MembershipFactory(buyer=world.buyer, role=Role.BUYER_MANAGER).user
    User.objects.filter(pk=other.pk).update(is_active=False)
    assert manager.post(f"/team/people/{place(world, world.manager).pk}/remove/").status_code == 422


def test_removing_ends_access_at_once(world, manager, as_user):
    agent = as_user(world.agent)
    cache.clear()  # the session is noted at this visit
    assert agent.get("/leads/").status_code == 200
    address = f"/team/people/{place(world, world.agent).pk}/remove/"
    assert "loses access" in manager.get(address).text
    assert agent.get("/leads/").status_code == 200
    assert "To undo this, invite them again." in manager.post(address, follow=True).text
    assert agent.get("/leads/").status_code == 302  # logged out everywhere
    assert not Membership.objects.filter(user=world.agent).exists()


def test_who_works_elsewhere_too_stays_logged_in_there(world, other_world, manager, as_user):
    make.MembershipFactory(user=world.agent, buyer=other_world.buyer, role=Role.BUYER_AGENT)
    agent = as_user(world.agent)
    manager.post(f"/team/people/{place(world, world.agent).pk}/remove/")
    assert agent.get(f"/leads/{world.delivery.public_id}/").status_code == 404
    assert other_world.buyer.name in agent.get("/leads/").text


def test_removal_is_undone_by_inviting_again(world, manager):
    manager.post(f"/team/people/{place(world, world.agent).pk}/remove/")
    invite(manager, world.agent.email)
    client = Client()
    client.force_login(world.agent)
    client.post(link())
    assert client.get("/leads/").status_code == 200


def test_a_manager_may_leave_when_another_stays(world, manager):
    make.MembershipFactory(buyer=world.buyer, role=Role.BUYER_MANAGER)
    response = manager.post(f"/team/people/{place(world, world.manager).pk}/remove/")
    assert response.status_code == 302
    assert not Membership.objects.filter(user=world.manager).exists()
