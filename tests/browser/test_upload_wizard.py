"""A buyer leads a file of their CRM from the drop to the undo: with a mouse, a keyboard alone, no scripts."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from feedback import tasks
from feedback.models import Feedback, Upload
from flows.models import Delivery, Lead
from tests import factories as make
from tests.browser.test_a11y import faults

pytestmark = pytest.mark.browser
CRM = (
    "Lead;Status;Summe;Anmerkung;Mail\r\n"
    "evt_a;Closed Won;1.234,50;Zoë kauft;\r\n"
    "evt_b;Irgendwie;;Müller überlegt;\r\n"
    "evt_nix;Lost;;;\r\n"
    ";Closed Won;20,00;;kim@example.com\r\n"
).encode("cp1252")
FILE = {"name": "crm.csv", "mimeType": "text/csv", "buffer": CRM}
PHONE = {"width": 390, "height": 844}
DROP = """([bytes, type]) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], "crm.csv", { type: "text/csv" }));
  const event = new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true });
  document.querySelector("h1").dispatchEvent(event);
}"""


@pytest.fixture
def leads(transactional_db, world, settings, tmp_path) -> dict[str, Delivery]:
    settings.MEDIA_ROOT = tmp_path
    found = {
        evt: make.DeliveryFactory(lead__source=world.source, buyer=world.buyer, public_id=evt)
        for evt in ("evt_a", "evt_b", "evt_kim")
    }
    Lead.objects.filter(pk=found["evt_kim"].lead_id).update(email_normalised="kim@example.com")
    return found


@pytest.fixture
def desk(open_page, world, leads):
    """``desk(path)``: an agent's page. What it asks waits while this thread works as the worker does."""

    def opened(path: str = "/uploads/new/", **options) -> Page:
        page = open_page(world.agent, **options)
        page.route("**/uploads/**", lambda route: route.continue_())
        page.goto(path)
        return page

    return opened


def look(page: Page) -> None:
    """The page is accessible and does not scroll sideways."""
    assert not (wrong := faults(page)), wrong
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url


def announced(page: Page):
    return page.locator("#live")


def swapped(page: Page) -> None:
    expect(page.locator(".htmx-request, .htmx-swapping, .htmx-settling")).to_have_count(0)


def begin(page: Page) -> None:
    page.get_by_label("File", exact=True).set_input_files(FILE)
    page.get_by_role("button", name="Upload and look at it").click()
    expect(page).to_have_url(re.compile("/columns/$"))


@pytest.mark.parametrize(("scheme", "size"), [("light", {"width": 1440, "height": 900}), ("dark", PHONE)])
def test_from_the_drop_to_the_undo(desk, scheme, size):
    page = desk(color_scheme=scheme, viewport=size)
    look(page)
    page.evaluate(DROP, [list(CRM), "dragover"])
    expect(page.locator(".drop")).to_have_class(re.compile("is-over"))
    page.evaluate(DROP, [list(CRM), "drop"])
    expect(page.locator(".drop output")).to_have_text(f"crm.csv · {len(CRM)} bytes")
    look(page)
    page.get_by_role("button", name="Upload and look at it").click()

    expect(page.get_by_text("Windows-1252, cells parted by semicolons, decimal commas")).to_be_visible()
    expect(page.get_by_text("Is this spelt right?")).to_contain_text("Zoë kauft · Müller überlegt")
    look(page)
    for column, target in (("Summe", "revenue"), ("Anmerkung", "notes")):
        with page.expect_response("**/columns/"):
            page.get_by_label(f"Read {column} as").select_option(target)
        swapped(page)
    page.get_by_label("what “Irgendwie” stands for").select_option("no_contact")
    page.get_by_role("button", name="Check all rows").click()

    expect(page.get_by_role("progressbar")).to_be_visible()
    look(page)
    tasks.sweep_uploads()
    expect(announced(page)).to_contain_text("Checked: 2 new, 0 changed, 0 unchanged, 1 refused")
    look(page)
    assert not Feedback.objects.exists()
    page.get_by_role("link", name="Look at the matches").click()
    look(page)
    page.get_by_label(re.compile("^Line 5 is")).check()
    page.get_by_role("button", name="Accept ticked").click()
    expect(page.get_by_text("1 match was accepted.")).to_be_visible()
    page.get_by_role("link", name="Back to the check").click()
    page.get_by_role("button", name="Record 3 rows").click()

    expect(page.get_by_role("progressbar")).to_be_visible()
    tasks.sweep_uploads()
    expect(announced(page)).to_contain_text("3 recorded, 0 unchanged, 1 refused")
    look(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download refused rows").click()
    assert "evt_nix;Lost;" in download.value.path().read_text("utf-8-sig")
    page.get_by_role("link", name="Undo this upload").click()
    page.get_by_role("button", name="Undo this upload").click()
    expect(page.get_by_text("no longer counts")).to_be_visible()
    assert Upload.objects.get().status == "undone"


def test_with_the_keyboard_alone(desk):
    page = desk()
    with page.expect_file_chooser() as chooser:
        page.get_by_label("File", exact=True).focus()
        page.keyboard.press("Enter")
    chooser.value.set_files(FILE)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/columns/$"))
    status, fault = page.get_by_label("Read Status as"), page.locator("#meanings .alert")
    status.focus()
    page.keyboard.press("Home")  # to "Leave out"
    expect(fault).to_contain_text("No column holds feedback.")
    expect(announced(page)).to_contain_text("No column holds feedback.")
    expect(status).to_be_focused()
    swapped(page)
    page.keyboard.press("O")  # to "Outcome"
    expect(fault).to_have_count(0)
    swapped(page)
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "check-all":
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("progressbar")).to_be_visible()
    tasks.sweep_uploads()
    record = page.get_by_role("button", name="Record 1 row")
    expect(record).to_be_visible()
    record.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("progressbar")).to_be_visible()
    tasks.sweep_uploads()
    expect(announced(page)).to_contain_text("1 recorded")


def test_reading_it_otherwise_shows_it_at_once_and_keeps_the_focus(desk):
    page = desk()
    begin(page)
    first = page.get_by_label("The first line")
    first.focus()
    first.select_option("no")
    expect(page.get_by_role("columnheader", name="Column 1")).to_be_visible()
    expect(page.get_by_label("The first line")).to_be_focused()
    expect(announced(page)).to_contain_text("no line of names: 5 columns")
    page.forgiven += ["422", "Response Status Error Code 422"]
    page.get_by_label("Characters").select_option("utf-8-sig")
    expect(page.get_by_role("alert")).to_contain_text("It cannot be read so")
    look(page)


def test_a_file_that_is_too_large_or_not_alone_is_not_even_sent(desk, settings):
    settings.UPLOAD_MAX_BYTES = 100
    page = desk()
    page.get_by_label("File", exact=True).set_input_files(FILE)
    expect(page.locator(".drop output")).to_contain_text("is larger than 100 bytes. Split it")
    page.get_by_role("button", name="Upload and look at it").click()
    expect(page).to_have_url(re.compile("/uploads/new/$"))
    look(page)
    assert not Upload.objects.exists()


def test_without_scripts_every_step_works(desk):
    page = desk(java_script_enabled=False)
    begin(page)
    page.get_by_label("The first line").select_option("no")
    page.get_by_role("button", name="Read it again").click()
    expect(page.get_by_role("columnheader", name="Column 1")).to_be_visible()
    page.get_by_label("The first line").select_option("yes")
    page.get_by_role("button", name="Read it again").click()
    page.get_by_label("Read Anmerkung as").select_option("notes")
    page.get_by_label("Read Status as").select_option("")
    page.get_by_role("button", name="Refresh").click()
    expect(page.get_by_text("What the values of Outcome stand for")).to_have_count(0)
    page.get_by_label("Read Status as").select_option("outcome")
    page.get_by_role("button", name="Refresh").click()
    page.get_by_label("what “Irgendwie” stands for").select_option("contacted")
    page.get_by_role("button", name="Check all rows").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    tasks.sweep_uploads()
    page.get_by_role("link", name="Refresh").click()
    page.get_by_role("button", name="Record 2 rows").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    tasks.sweep_uploads()
    page.get_by_role("link", name="Refresh").click()
    expect(page.get_by_text("Recorded 2")).to_be_visible()


def test_two_tabs_record_once_and_the_late_one_is_told(desk):
    first = desk()
    begin(first)
    columns = first.url
    first.get_by_role("button", name="Check all rows").click()
    expect(first.get_by_role("progressbar")).to_be_visible()
    tasks.sweep_uploads()
    record = first.get_by_role("button", name=re.compile("Record"))
    expect(record).to_be_visible()
    second, third = (desk(path) for path in (first.url, columns))
    record.click()
    expect(first).to_have_url(re.compile(r"/uploads/upl_\w+/$"))
    second.get_by_role("button", name=re.compile("Record")).click()
    expect(second).to_have_url(first.url)
    third.get_by_label("Read Anmerkung as").select_option("notes")
    expect(third).to_have_url(first.url)  # htmx was sent there
    expect(third.get_by_text("has moved on since you opened")).to_be_visible()
    tasks.sweep_uploads()
    assert Upload.objects.get().recorded == Feedback.objects.count() == 1
