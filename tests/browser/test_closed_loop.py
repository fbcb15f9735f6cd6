"""The whole loop in two browsers: what a buyer says in a row moves the seller's dashboard by itself."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from feedback import stale, tasks
from portal.models import User

pytestmark = pytest.mark.browser
PASSWORD = "correct horse"
REFRESHED = 15_000  # milliseconds: the dashboard asks every five seconds


def log_in(page: Page, user: User) -> None:
    page.get_by_label(re.compile("user", re.IGNORECASE)).fill(user.username)
    page.get_by_label("Password", exact=False).first.fill(PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()


def test_a_buyers_word_moves_the_sellers_dashboard(open_page, world):
    stale.mark([world.delivery])
    tasks.recompute()
    lead = world.delivery.public_id

    desk = open_page(path="/")
    log_in(desk, world.agent)
    expect(desk).to_have_url(re.compile("/leads/$"))
    board = open_page(path="/")
    log_in(board, world.owner)
    expect(board).to_have_url(re.compile("/dashboard/$"))
    expect(board.locator("#board")).not_to_contain_text("$1,500")

    desk.wait_for_load_state("networkidle")  # then htmx has taken the page in hand
    desk.locator("#id_source").select_option(world.source.slug)
    expect(desk).to_have_url(re.compile(rf"source={world.source.slug}$"))
    expect(desk.locator("#live")).to_contain_text("1 leads")
    expect(desk.locator(".htmx-request, .htmx-swapping, .htmx-settling")).to_have_count(0)
    desk.locator(f"#outcome-{lead}-control").select_option("converted")
    expect(desk.locator(f"#outcome-{lead}.saved")).to_be_visible()
    desk.locator(f"#revenue-{lead}-control").fill("1500")
    desk.keyboard.press("Enter")
    expect(desk.locator(f"#revenue-{lead}-control")).to_have_value("1,500.00")
    desk.locator(f"#lead-{lead}").get_by_role("link").click()
    expect(desk.locator("#history")).to_contain_text("Converted")

    tasks.recompute()
    expect(board.locator("#board")).to_contain_text("$1,500", timeout=REFRESHED)
