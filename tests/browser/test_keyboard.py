"""The buyer's desk by keyboard alone: rows, outcomes, edit, undo, help; and when keys must do nothing."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from feedback.models import Feedback
from flows.models import Delivery
from portal.models import User
from tests import factories as make

pytestmark = pytest.mark.browser
LIST = "/leads/?show=all&sort=-delivered"


@pytest.fixture
def leads(transactional_db, world) -> list[Delivery]:
    """Twenty-five leads, the newest first; the world's own one is one of them."""
    now = timezone.now()
    world.delivery.delivered_at = now - dt.timedelta(hours=1)
    world.delivery.save()
    return [world.delivery] + [
        make.DeliveryFactory(
            lead__source=world.source,
            lead__first_name=f"Ana{number}",
            buyer=world.buyer,
            public_id=f"evt_{number}",
            delivered_at=now - dt.timedelta(hours=1 + number),
        )
        for number in range(1, 25)
    ]


@pytest.fixture
def desk(open_page, world, leads):
    def opening(path: str = LIST, **options) -> Page:
        page = open_page(world.agent, path, **options)
        page.wait_for_load_state("networkidle")
        return page

    return opening


def settled(page: Page) -> None:
    expect(page.locator(".htmx-request, .htmx-swapping, .htmx-settling")).to_have_count(0)


def row(page: Page, lead: Delivery):
    return page.locator(f"#lead-{lead.public_id}")


def outcome(page: Page, lead: Delivery):
    return page.locator(f"#outcome-{lead.public_id}-control")


def test_twenty_five_leads_in_twenty_five_keystrokes(desk, leads):
    page = desk()
    keys = [str(1 + number % 7) for number in range(25)]
    for key in keys:
        page.keyboard.press(key)
    expect(page.locator("#live")).to_contain_text("Saved")
    expect(page.locator("[id^=version-][value='1']")).to_have_count(25)
    codes = ["converted", "contacted", "no_contact", "bad_info", "duplicate", "not_interested", "returned"]
    said = dict(Delivery.objects.values_list("public_id", "outcome"))
    assert [said[lead.public_id] for lead in leads] == [codes[int(key) - 1] for key in keys]
    assert Feedback.objects.count() == 25
    expect(row(page, leads[-1])).to_be_focused()


def test_rows_are_walked_through_and_told(desk, leads):
    page = desk()
    page.keyboard.press("j")
    expect(row(page, leads[0])).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(row(page, leads[2])).to_be_focused()
    expect(page.locator("#live")).to_contain_text("3 of 25")
    page.keyboard.press("k")
    expect(row(page, leads[1])).to_be_focused()
    expect(page.locator("#live")).to_contain_text("Ana1")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('tr').id") == "lead-evt_1"
    page.keyboard.press("j")  # from within the row to the next
    expect(row(page, leads[2])).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/leads/evt_2/$"))
    page.keyboard.press("g")
    page.keyboard.press("l")
    expect(page).to_have_url(re.compile("/leads/$"))


def test_an_outcome_is_undone_and_the_undo_too(desk, leads):
    page = desk()
    page.keyboard.press("1")
    page.keyboard.press("u")  # at once: it waits for the save
    expect(page.locator("#told")).to_contain_text("Undone.")
    expect(page.locator("#live")).to_contain_text("Undone.")
    expect(outcome(page, leads[0])).to_have_value("")
    settled(page)
    page.keyboard.press("u")
    expect(outcome(page, leads[0])).to_have_value("converted")
    assert Feedback.objects.count() == 3
    page.locator("#told .undo-last").click()
    expect(outcome(page, leads[0])).to_have_value("")


def test_the_focus_comes_back_to_its_row_after_a_swap(desk, leads):
    page = desk()
    for key in ("j", "j", "2"):
        page.keyboard.press(key)
    expect(page.locator("#version-evt_1")).to_have_value("1")
    expect(row(page, leads[2])).to_be_focused()
    page.keyboard.press("u")
    expect(page.locator("#version-evt_1")).to_have_value("2")
    settled(page)
    expect(row(page, leads[2])).to_be_focused()


def test_edit_search_filter_and_views(desk, leads):
    page = desk()
    page.keyboard.press("j")
    page.keyboard.press("e")
    expect(outcome(page, leads[0])).to_be_focused()
    page.keyboard.press("Escape")
    expect(row(page, leads[0])).to_be_focused()
    page.keyboard.press("v")
    expect(page.locator("#lead-tabs [aria-current]")).to_be_focused()
    page.keyboard.press("f")
    assert page.evaluate("document.activeElement.closest('#filters .chips') !== null")
    page.locator("h1").click()
    page.keyboard.press("/")
    expect(page.locator("#filters input[type=search]")).to_be_focused()
    page.keyboard.type("j1x?ug")  # typed, not done
    expect(page.locator("#filters input[type=search]")).to_have_value("j1x?ug")
    assert not Feedback.objects.exists()


def test_keys_do_nothing_with_a_modifier_or_an_open_dialog(desk, leads):
    page = desk()
    for keys in ("Control+1", "Alt+2", "Meta+3"):
        page.keyboard.press(keys)
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard")
    expect(dialog).to_be_visible()
    page.keyboard.press("1")
    page.keyboard.press("j")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.wait_for_load_state("networkidle")
    assert not Feedback.objects.exists()
    page.keyboard.press("1")
    expect(page.locator(f"#version-{leads[0].public_id}")).to_have_value("1")


def test_single_keys_can_be_turned_off_and_on(desk, leads, world):
    page = desk()
    page.keyboard.press("?")
    page.get_by_role("button", name="Turn single keys off").click()
    expect(page).to_have_url(re.compile("/preferences/"))
    assert not User.objects.get(pk=world.agent.pk).single_keys
    page.goto(LIST)
    page.wait_for_load_state("networkidle")
    page.keyboard.press("1")
    page.keyboard.press("?")
    page.keyboard.press("j")
    expect(page.locator("dialog")).to_have_count(0)
    expect(page.locator("tr.is-current")).to_have_count(0)
    assert not Feedback.objects.exists()
    page.get_by_role("link", name="Keyboard").click()
    page.get_by_role("button", name="Turn single keys on").click()
    page.goto(LIST)
    page.keyboard.press("j")
    expect(row(page, leads[0])).to_be_focused()


def test_a_lead_that_takes_no_feedback_says_why(desk, leads):
    Delivery.objects.filter(pk=leads[0].pk).update(delivered_at=timezone.now() - dt.timedelta(days=365))
    page = desk("/leads/?show=all&sort=delivered")
    page.keyboard.press("1")
    expect(page.locator("#live")).to_contain_text("Not set. Feedback was taken for")
    assert not Feedback.objects.exists()
