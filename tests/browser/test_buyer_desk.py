"""A buyer at their desk: find leads, say what became of them in the row, read the history."""

from __future__ import annotations

import datetime as dt
import re
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from feedback.models import Feedback, SavedView
from flows.models import Delivery
from tests import factories as make

pytestmark = pytest.mark.browser
PASSWORD = "correct horse"


@pytest.fixture
def leads(transactional_db, world) -> dict[str, Delivery]:
    """Two leads more, of another source."""
    search = make.SourceFactory(flow=world.flow, name="Search NW", slug="search-nw")
    return {
        evt: make.DeliveryFactory(
            lead__source=search, lead__first_name=name, buyer=world.buyer, public_id=evt
        )
        for evt, name in (("evt_123", "Ana"), ("evt_124", "Tom"))
    }


def control(page: Page, field: str, delivery: Delivery):
    return page.locator(f"#{field}-{delivery.public_id}-control")


def announced(page: Page):
    return page.locator("#live")


def test_log_in_filter_set_an_outcome_and_read_the_history(open_page, world, leads):
    page = open_page(path="/")
    page.get_by_label(re.compile("user", re.IGNORECASE)).fill(world.agent.username)
    page.get_by_label("Password", exact=False).first.fill(PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(page).to_have_url(re.compile("/leads/$"))
    page.wait_for_load_state("networkidle")  # then htmx has taken the page in hand
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(3)

    page.get_by_role("link", name="All", exact=True).click()
    expect(page).to_have_url(re.compile(r"\?show=all$"))
    expect(page.locator(".htmx-request, .htmx-swapping, .htmx-settling")).to_have_count(0)
    page.get_by_label("Source", exact=False).first.select_option("search-nw")
    expect(rows).to_have_count(2)
    expect(page).to_have_url(re.compile(r"\?show=all&source=search-nw$"))
    expect(page.locator(".htmx-request, .htmx-swapping, .htmx-settling")).to_have_count(0)
    ana = leads["evt_123"]
    control(page, "outcome", ana).select_option("converted")
    expect(page.locator("#outcome-evt_123 .pill--good")).to_be_visible()
    expect(page.locator("#outcome-evt_123.saved")).to_be_visible()
    expect(announced(page)).to_contain_text("Converted")
    expect(page).to_have_url(re.compile(r"\?show=all&source=search-nw$"))

    page.locator("#lead-evt_123").get_by_role("link").click()
    history = page.locator("#history")
    expect(history).to_contain_text("Converted")
    expect(history).to_contain_text(f"{world.agent.username} in the portal")
    page.go_back()
    expect(rows).to_have_count(2)
    expect(control(page, "outcome", ana)).to_have_value("converted")


def test_with_the_keyboard_alone_the_focus_stays_where_it_was(open_page, world, leads):
    page = open_page(world.agent, "/leads/")
    revenue = control(page, "revenue", leads["evt_123"])
    revenue.focus()
    page.keyboard.type("1500")
    page.keyboard.press("Enter")
    expect(revenue).to_have_value("1,500.00")
    expect(revenue).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(control(page, "quality_score", leads["evt_123"])).to_be_focused()
    assert Feedback.objects.get().values == {"revenue": "1500.00"}


def test_edits_that_follow_each_other_at_once_are_all_kept(open_page, world, leads):
    ana = leads["evt_123"]
    page = open_page(world.agent, "/leads/")
    control(page, "outcome", ana).select_option("converted")
    control(page, "quality_score", ana).select_option("5")
    control(page, "revenue", ana).fill("20")
    control(page, "revenue", ana).press("Enter")
    expect(page.locator("#version-evt_123")).to_have_value("3")
    ana.refresh_from_db()
    assert (ana.outcome, ana.quality_score, ana.revenue) == ("converted", 5, 20)


def test_the_last_of_several_choices_made_while_an_answer_is_on_its_way_counts(open_page, world, leads):
    ana = leads["evt_123"]
    page = open_page(world.agent, "/leads/")
    held = []
    page.route("**/edit/", lambda route: held.append(route) if not held else route.continue_())
    outcome = control(page, "outcome", ana)
    with page.expect_request("**/edit/"):
        outcome.select_option("contacted")
    outcome.select_option("no_contact")
    page.wait_for_timeout(300)  # its delay has passed: the save is waiting for the first one
    held[0].continue_()
    expect(page.locator("#version-evt_123")).to_have_value("2")
    expect(page.locator("#outcome-evt_123 .pill--warn")).to_be_visible()
    expect(outcome).to_have_value("no_contact")
    ana.refresh_from_db()
    assert ana.outcome == "no_contact"


def test_a_fault_stands_beside_the_field_and_goes_once_it_is_mended(open_page, world, leads):
    page = open_page(world.agent, "/leads/")
    page.forgiven += ["422", "htmx:responseError", "Response Status Error Code 422"]
    revenue = control(page, "revenue", leads["evt_123"])
    revenue.fill("lots")
    revenue.press("Enter")
    note = page.locator("#revenue-evt_123-note")
    expect(note).to_have_text("Write an amount, such as 1500.00.")
    expect(revenue).to_have_value("lots")
    expect(announced(page)).to_contain_text("Not saved")
    revenue.fill("12.50")
    revenue.press("Enter")
    expect(note).to_have_count(0)
    expect(revenue).to_have_value("12.50")


def test_two_tabs_do_not_silently_overwrite_each_other(open_page, world, leads):
    ana = leads["evt_123"]
    first, second = (open_page(world.agent, "/leads/") for _ in range(2))
    second.forgiven += ["409", "Response Status Error Code 409"]
    control(first, "outcome", ana).select_option("contacted")
    expect(first.locator("#version-evt_123")).to_have_value("1")
    control(second, "outcome", ana).select_option("converted")
    note = second.locator("#outcome-evt_123-note")
    expect(note).to_contain_text("Changed to Contacted")
    expect(control(second, "outcome", ana)).to_have_value("contacted")
    note.get_by_role("button", name="Set Converted").click()
    expect(note).to_have_count(0)
    expect(control(second, "outcome", ana)).to_have_value("converted")
    ana.refresh_from_db()
    assert ana.outcome == "converted"


def test_without_javascript_each_row_has_its_button(open_page, world, leads):
    page = open_page(world.agent, "/leads/?source=search-nw", java_script_enabled=False)
    control(page, "outcome", leads["evt_124"]).select_option("bad_info")
    control(page, "quality_score", leads["evt_124"]).select_option("1")
    page.locator("#lead-evt_124").get_by_role("button").click()
    expect(page).to_have_url(re.compile(r"/leads/\?source=search-nw#lead-evt_124$"))
    expect(page.get_by_text("Saved:")).to_be_visible()
    expect(control(page, "outcome", leads["evt_124"])).to_have_value("bad_info")
    assert Feedback.objects.get().values == {"outcome": "bad_info", "quality_score": 1}


def test_the_deadline_is_red_under_a_day(open_page, world, leads):
    tom = leads["evt_124"]
    tom.delivered_at = timezone.now() - dt.timedelta(days=89, hours=12)
    tom.save()
    page = open_page(world.agent, "/leads/")
    expect(page.locator("#due-evt_124 .bad")).to_have_text("11 h left")


def test_columns_are_switched_on_and_their_cells_save_themselves(open_page, world, leads):
    page = open_page(world.agent, "/leads/?show=all")
    page.locator("#columns-menu summary").click()
    panel = page.locator("#columns-menu form")
    panel.get_by_label("Notes").check()
    panel.get_by_label("Contacted date").check()
    panel.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile("column=f-notes"))
    notes = control(page, "notes", leads["evt_123"])
    notes.fill("Called twice.\nWill call back.")
    notes.press("Control+Enter")
    expect(page.locator("#version-evt_123")).to_have_value("1")
    expect(notes).to_be_focused()
    expect(announced(page)).to_contain_text("Saved. Notes")
    when = control(page, "contacted_date", leads["evt_123"])
    when.fill(timezone.localtime(timezone=ZoneInfo("America/New_York")).strftime("%Y-%m-%dT%H:%M:%S"))
    when.blur()
    expect(page.locator("#version-evt_123")).to_have_value("2")
    page.reload()
    expect(notes).to_have_value("Called twice.\nWill call back.")


def test_a_view_is_saved_shown_as_a_tab_and_updated(open_page, world, leads):
    page = open_page(world.agent, "/leads/?show=all&source=search-nw")
    page.locator("#views-menu summary").click()
    page.get_by_label("Name", exact=True).fill("Search leads")
    page.get_by_label("Share with", exact=False).check()
    page.get_by_role("button", name="Save", exact=True).click()
    tab = page.get_by_role("link", name="Search leads")
    expect(tab).to_have_attribute("aria-current", "page")
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_label("Outcome: ").select_option("none")
    expect(page).to_have_url(re.compile("outcome=none"))
    page.get_by_role("button", name="Update “Search leads”").click()
    expect(page.get_by_text("Updated the view")).to_be_visible()
    other = open_page(world.manager, "/leads/")
    other.get_by_role("link", name="Search leads").click()
    expect(other).to_have_url(re.compile("outcome=none"))
    expect(other.locator("tbody tr")).to_have_count(2)


def test_escape_closes_a_panel_and_gives_the_focus_back(open_page, world, leads):
    page = open_page(world.agent, "/leads/")
    summary = page.locator("#columns-menu summary")
    summary.click()
    expect(page.locator("#columns-menu form")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#columns-menu form")).to_be_hidden()
    expect(summary).to_be_focused()


@pytest.mark.parametrize("size", [(360, 740), (320, 256), (1440, 900)], ids=["phone", "400 %", "desk"])
def test_with_every_column_nothing_scrolls_sideways(open_page, world, leads, size):
    width, height = size
    SavedView.objects.create(buyer=world.buyer, user=world.manager, name="Facebook " * 6, shared=True)
    page = open_page(world.agent, viewport={"width": width, "height": height})
    names = (
        "id source phone delivered price outcome quality revenue notes issues product_details contacted_date"
    )
    page.goto("/leads/?show=all&" + "&".join(f"column={name}" for name in names.split()))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for menu in ("columns", "views"):
        page.locator(f"#{menu}-menu summary").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        box = page.locator(f"#{menu}-menu .menu-panel").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
