"""A person logs in, with mouse or keyboard, and is told what is wrong."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def fresh_limits():
    """No test uses up another one's tries."""
    cache.clear()


@pytest.mark.parametrize(("who", "where"), [("agent", "/leads/"), ("owner", "/dashboard/")])
def test_from_a_deep_link_to_work_by_keyboard(open_page, world, who, where):
    person = getattr(world, who)
    page = open_page(None, "/")
    page.wait_for_url("**/accounts/login/**")
    page.get_by_label("Username or e-mail").focus()
    page.keyboard.type(person.email)
    page.keyboard.press("Tab")
    page.keyboard.type("correct horse")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{where}")
    expect(page.locator(".who")).to_contain_text(world.actor(person).party_name)


def test_a_wrong_password_keeps_the_name_and_says_what_to_do(open_page, world):
    page = open_page(None, "/accounts/login/")
    page.get_by_label("Username or e-mail").fill(world.agent.username)
    page.get_by_label("Password", exact=True).fill("wrong")
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Wrong username, e-mail or password.")
    expect(page.get_by_label("Username or e-mail")).to_have_value(world.agent.username)
    expect(page.get_by_label("Password", exact=True)).to_have_value("")


def test_without_scripts(open_page, world):
    page = open_page(None, "/accounts/login/", java_script_enabled=False)
    page.get_by_label("Username or e-mail").fill(world.agent.username)
    page.get_by_label("Password", exact=True).fill("correct horse")
    page.get_by_role("button", name="Log in", exact=True).click()
    page.wait_for_url("**/leads/")
