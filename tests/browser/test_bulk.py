"""Many leads at once in the browser: with the mouse, by keyboard alone, without scripts; and their undo."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from feedback import tasks
from feedback.models import BulkChange, Feedback
from flows.models import Delivery
from tests import factories as make
from tests.browser.test_keyboard import LIST, desk, leads, row, settled  # noqa: F401  # fixtures

pytestmark = pytest.mark.browser


def outcomes() -> list[str | None]:
    return sorted(Delivery.objects.exclude(outcome=None).values_list("outcome", flat=True))


def test_by_keyboard_alone_select_set_and_undo(desk, leads):  # noqa: F811
    page = desk()
    bar = page.locator("#bulk-form")
    expect(bar).to_be_hidden()
    for key in ("j", "x", "j", "x", "Shift+J"):  # three rows
        page.keyboard.press(key)
    expect(bar).to_be_visible()
    expect(page.locator("#bulk-said")).to_have_text("3 selected")
    expect(page.locator("#live")).to_contain_text("3 selected")
    expect(row(page, leads[2])).to_be_focused()
    page.keyboard.press("3")
    expect(page.locator("#told")).to_contain_text("Outcome No contact: 3 leads changed.")
    expect(page.locator("#live")).to_contain_text("3 leads changed")
    settled(page)
    assert outcomes() == ["no_contact"] * 3
    expect(bar).to_be_hidden()
    expect(row(page, leads[2])).to_be_focused()
    page.keyboard.press("u")
    expect(page.locator("#told")).to_contain_text("Undone: 3 taken back.")
    settled(page)
    assert outcomes() == []
    page.keyboard.press("u")
    expect(page.locator("#told")).to_contain_text("Undone: 3 taken back.")
    expect(page.locator("#outcome-evt_1-control")).to_have_value("no_contact")
    assert outcomes() == ["no_contact"] * 3


def test_shift_selects_a_range_and_escape_clears_it(desk, leads):  # noqa: F811
    page = desk()
    for key in ("j", "x", "j", "j", "j", "Shift+X"):
        page.keyboard.press(key)
    expect(page.locator(".row-select:checked")).to_have_count(4)
    page.keyboard.press("Escape")
    expect(page.locator(".row-select:checked")).to_have_count(0)
    page.locator("#lead-evt_2 .row-select").click()
    page.locator("#lead-evt_6 .row-select").click(modifiers=["Shift"])
    expect(page.locator("#bulk-said")).to_have_text("5 selected")
    page.locator("#select-page").check()
    expect(page.locator("#bulk-said")).to_have_text("25 selected")
    page.locator("#select-page").uncheck()
    expect(page.locator("#bulk-form")).to_be_hidden()


def test_all_that_match_but_for_those_unticked_are_asked_about_then_changed(desk, leads, world, monkeypatch):  # noqa: F811
    monkeypatch.setattr("feedback.bulk_views.AT_ONCE", 5)
    monkeypatch.setattr("feedback.bulk_work.FEW", {"set": 5, "undo": 5})
    for _ in range(40):  # more than a page
        make.DeliveryFactory(lead__source=world.source, buyer=world.buyer)
    page = desk()
    page.locator(".row-select").first.click()
    page.get_by_role("button", name="all 65 matching").click()
    expect(page.locator("#bulk-said")).to_have_text("All 65 matching selected")
    page.locator(".row-select").nth(1).click()
    page.locator(".row-select").nth(2).click()
    expect(page.locator("#bulk-said")).to_have_text("All 65 matching but 2 selected")
    page.get_by_role("button", name="Other fields").click()
    expect(page.locator("h1")).to_have_text("Change 63 leads")
    page.get_by_label("Outcome").select_option("bad_info")
    expect(page.locator("#bulk-question")).to_contain_text("Outcome Bad info on 63 of 63 leads")
    page.get_by_label("Quality score").focus()
    page.get_by_label("Quality score").select_option("2")
    expect(page.get_by_label("Quality score")).to_be_focused()
    expect(page.locator("#bulk-question")).to_contain_text("Quality score 2")
    page.get_by_label("Revenue").fill("lots")
    page.get_by_label("Revenue").press("Tab")
    expect(page.locator("#bulk-then")).to_contain_text("63 will be refused")
    expect(page.get_by_label("Revenue")).to_have_value("lots")
    page.get_by_label("Revenue").fill("")
    page.get_by_label("Revenue").press("Tab")
    expect(page.locator("#bulk-then")).not_to_contain_text("refused")
    assert not Feedback.objects.exists()
    page.get_by_role("button", name="Change 63 leads").click()
    expect(page.locator("#bulk-progress")).to_contain_text("Waiting for its turn")
    tasks.sweep_bulk()
    expect(page.locator("#bulk-progress")).to_contain_text("Result")
    assert outcomes() == ["bad_info"] * 63
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#bulk-progress")).to_contain_text("Waiting for its turn")
    tasks.sweep_bulk()
    expect(page.locator("#bulk-progress")).to_contain_text("Result")
    assert outcomes() == []


def test_the_selection_lasts_over_pages_and_not_over_other_filters(desk, leads, world):  # noqa: F811
    for _ in range(40):
        make.DeliveryFactory(lead__source=world.source, buyer=world.buyer)
    page = desk()
    page.locator(".row-select").first.click()
    page.get_by_role("link", name=re.compile("Next")).click()
    expect(page).to_have_url(re.compile("after="))
    settled(page)
    page.locator(".row-select").first.click()
    expect(page.locator("#bulk-said")).to_have_text("2 selected")
    page.locator("#bulk-form [data-key='1']").click()
    expect(page.locator("#told")).to_contain_text("2 leads changed")
    settled(page)
    page.locator(".row-select").first.click()
    page.get_by_label("Outcome", exact=False).first.select_option("converted")
    settled(page)
    expect(page.locator("#bulk-form")).to_be_hidden()


def test_what_is_refused_leads_to_why(desk, leads):  # noqa: F811
    page = desk()
    page.locator("#lead-evt_1 .row-select").click()
    page.locator("#lead-evt_2 .row-select").click()
    Delivery.objects.filter(public_id="evt_2").update(version=4)  # changed by somebody else since
    page.keyboard.press("1")
    expect(page.locator("#told")).to_contain_text("1 lead changed, 1 refused")
    page.locator("#told a").click()
    expect(page.locator("#bulk-progress")).to_contain_text("Somebody else has updated this lead")
    assert BulkChange.objects.get().refused == 1


def test_without_scripts_the_checkboxes_are_a_form(desk, leads):  # noqa: F811
    page = desk(java_script_enabled=False)
    page.locator("#lead-evt_1 .row-select").check()
    page.locator("#lead-evt_3 .row-select").check()
    page.get_by_role("button", name=re.compile("Contacted")).click()
    expect(page.locator("h1")).to_have_text("Change 2 leads")
    page.get_by_role("button", name="Change 2 leads").click()
    expect(page.locator("#bulk-progress")).to_contain_text("Result")
    assert outcomes() == ["contacted"] * 2
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Undone: 2 taken back.")).to_be_visible()
    assert outcomes() == []
    page.goto(LIST)
    page.get_by_role("button", name="All that match").click()
    expect(page.locator("h1")).to_have_text("Change 25 leads")
