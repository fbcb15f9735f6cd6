"""A person of several companies works for one at a time, and says which."""

from __future__ import annotations

import pytest

from portal.access import Role
from tests import factories as make


@pytest.fixture
def second(world, other_world):
    """The agent also works for the other seller."""
    return make.MembershipFactory(user=world.agent, seller=other_world.seller, role=Role.SELLER_ANALYST)


def test_the_first_company_is_where_one_begins(world, second, as_user):
    page = as_user(world.agent).get("/leads/")
    assert page.status_code == 200
    assert f'value="{second.pk}"' in page.text  # the way to the other one


def test_choosing_another_company_changes_what_one_sees(world, other_world, second, as_user):
    client = as_user(world.agent)
    response = client.post("/membership/", {"membership": second.pk})
    assert (response.status_code, response.headers["Location"]) == (302, "/")
    assert client.get("/", follow=True).redirect_chain[-1][0] == "/dashboard/"
    page = client.get("/dashboard/")
    assert other_world.seller.name in page.text
    assert client.get("/leads/").status_code == 404


@pytest.mark.parametrize("wanted", ["", "nonsense", "0", "９", "-1"])
def test_nonsense_is_no_company(world, second, as_user, wanted):
    assert as_user(world.agent).post("/membership/", {"membership": wanted}).status_code == 404


def test_another_persons_company_is_not_there(world, other_world, as_user):
    theirs = other_world.owner.memberships.get()
    client = as_user(world.agent)
    assert client.post("/membership/", {"membership": theirs.pk}).status_code == 404
    assert client.get("/dashboard/").status_code == 404


def test_a_company_that_one_has_left_is_left_at_once(world, second, as_user):
    client = as_user(world.agent)
    client.post("/membership/", {"membership": second.pk})
    second.delete()
    assert client.get("/dashboard/").status_code == 404
    assert client.get("/leads/").status_code == 200


def test_whoever_has_one_company_is_not_asked(world, as_user):
    assert 'name="membership"' not in as_user(world.agent).get("/leads/").text
