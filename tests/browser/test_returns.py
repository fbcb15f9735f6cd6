"""A lead goes back: asked for with the keyboard alone, decided upon with others, and read in the ledger."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from feedback.models import Credit, ReturnRequest
from feedback.returns.decide import decide
from tests.feedback.returning import PDF, delivered, requested, takes_returns

pytestmark = pytest.mark.browser


def press_until(page: Page, key: str, target, most: int = 60) -> None:
    """Press a key until the focus is there."""
    for _ in range(most):
        if target.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{key} never leads to {target}")


def test_a_lead_is_returned_with_the_keyboard_alone(open_page, world, tmp_path):
    takes_returns(world, return_cap_kind="count", return_cap=5)
    proof = tmp_path / "call log.pdf"
    proof.write_bytes(PDF)
    page = open_page(world.agent, f"/leads/{world.delivery.public_id}/")
    page.forgiven.append("422 (Unprocessable")
    press_until(page, "Tab", page.get_by_role("link", name="Return this lead"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Return this lead")).to_be_visible()
    expect(page.get_by_text("0 used, 5 left")).to_be_visible()

    press_until(page, "Tab", page.get_by_role("button", name="Ask to return it"))
    page.keyboard.press("Enter")
    reason = page.get_by_label("Reason")
    expect(reason).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text("Choose a reason.", exact=True)).to_be_visible()
    press_until(page, "Tab", reason)
    page.keyboard.type("Dup")
    page.keyboard.press("Tab")
    page.keyboard.type("In our system since March.")
    page.keyboard.press("Tab")
    with page.expect_file_chooser() as chosen:
        expect(page.locator("[type=file]")).to_be_focused()  # an answer of the browser: it listens by now
        page.keyboard.press("Enter")
    chosen.value.set_files(proof)
    press_until(page, "Tab", page.get_by_role("button", name="Ask to return it"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("Asked for. The seller has been told.")).to_be_visible()
    expect(page.get_by_text("In our system since March.")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="call log.pdf").click()
    assert download.value.suggested_filename == "call log.pdf"
    row = ReturnRequest.objects.get()
    assert (row.reason, row.note, row.status) == ("Duplicate", "In our system since March.", "requested")


def test_the_seller_approves_in_bulk_and_the_ledger_shows_it(open_page, world):
    takes_returns(world)
    for lead in delivered(world, 4):
        requested(world, lead)
    page = open_page(world.owner, "/returns/")
    approve = page.get_by_role("button", name="Approve…")
    expect(approve).to_be_disabled()
    page.get_by_label("All on this page").check()
    expect(page.locator("#ticked")).to_have_text("4 returns ticked")
    page.locator(".return-tick").first.uncheck()
    expect(page.locator("#ticked")).to_have_text("3 returns ticked")
    approve.click()
    expect(page.get_by_text("3 leads for 60.00 USD")).to_be_visible()
    page.get_by_label("Note to the buyer").fill("Sorry for these.")
    page.get_by_role("button", name="Approve 3 returns").click()
    expect(page.get_by_text("3 returns approved: 60.00 USD credited.")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Credits").click()
    expect(page.get_by_text("Credited in all:")).to_contain_text("60.00 USD")
    assert Credit.objects.count() == 3


def test_filters_swap_the_list_and_the_bar_below_it(open_page, world):
    takes_returns(world)
    one, two = (requested(world, each) for each in delivered(world, 2))
    decide({one.pk: 1}, "approve", world.actor(world.owner))
    page = open_page(world.owner, "/returns/")
    page.wait_for_load_state("networkidle")
    expect(page.locator("#decide-form")).to_be_visible()
    page.get_by_label("Status").select_option("credited")
    expect(page).to_have_url(re.compile(r"status=credited"))
    expect(page.locator(f"#{one.public_id}")).to_be_visible()
    expect(page.locator("#decide-form")).to_have_count(0)
    page.get_by_label("Status").select_option("all")
    expect(page.locator("tbody tr")).to_have_count(2)
    page.locator(f"#tick-{two.public_id}").check()
    expect(page.get_by_role("button", name="Reject…")).to_be_enabled()
    page.go_back()
    expect(page.locator(f"#{two.public_id}")).to_have_count(0)


def test_a_file_that_is_not_what_its_name_says_is_told_beside_the_field(open_page, world):
    takes_returns(world)
    page = open_page(world.agent, f"/leads/{world.delivery.public_id}/return/")
    page.forgiven.append("422 (Unprocessable")
    page.get_by_label("Reason").select_option("Duplicate")
    page.get_by_label("Note").fill("Kept.")
    files = {"name": "proof.pdf", "mimeType": "application/pdf", "buffer": b"<html>no</html>"}
    page.get_by_label("Evidence").set_input_files(files)
    page.get_by_role("button", name="Ask to return it").click()
    expect(page.get_by_text("proof.pdf: This is a web page")).to_be_visible()
    expect(page.get_by_label("Note")).to_have_value("Kept.")
    expect(page.get_by_label("Reason")).to_have_value("Duplicate")
