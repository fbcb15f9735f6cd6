"""What the pictures of single things need: one of each found in the demo, or made there as a person would."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

from playwright.sync_api import Page

CRM = (
    "Lead;Stage;Revenue;Notes\r\n"
    "evt_123;Closed Won;{revenue};Great lead\r\n"
    "evt_124;Wrong number;;Müller is somebody else\r\n"
    "evt_125;Left a voicemail;;Never answered\r\n"
)


def find_places(url: str, buyer: Page, seller: Page, key: str) -> dict[str, str]:
    """What the paths of `screens.PAGES` name: ``{"lead": "/leads/evt_…/", …}``. ``key``: the buyer's."""
    send(buyer, url, key)
    found = [*of_buyer(buyer, url), *of_seller(seller, url)]
    return {name: address.removeprefix(url).split("#")[0] for name, address in found}


def send(page: Page, url: str, key: str) -> None:
    """Feedback by API, right and wrong, for the log."""
    for outcome in ("converted", "sold"):
        data = {"lead_id": "evt_abc123", "outcome": outcome, "revenue": 1500}
        page.request.post(f"{url}/flows/flw_auto/feedback", data=data, headers={"X-API-Key": key})


def of_buyer(page: Page, url: str) -> Iterator[tuple[str, str]]:
    begin_upload(page, url)
    page.get_by_role("button", name="Check all rows").click()
    page.wait_for_url("**/check/")
    page.get_by_role("button", name=re.compile("^Record")).wait_for()
    yield "upload_check", page.url
    begin_upload(page, url)
    page.get_by_role("button", name="Check all rows").click()
    page.get_by_role("button", name=re.compile("^Record")).click()
    page.get_by_role("link", name="Undo this upload").wait_for()
    yield "upload_result", page.url
    yield "upload_columns", begin_upload(page, url)
    yield "bulk_question", ask_bulk(page, url, lambda page: page.locator("#select-page").check())
    ask_bulk(page, url, select_rows)
    page.get_by_label("Outcome").select_option("no_contact")
    page.get_by_role("button", name=re.compile(r"^Change \d")).click()
    page.get_by_role("heading", name="Result").wait_for()
    yield "bulk_result", page.url
    yield "change", follow(page, f"{url}/history/", "tbody a")
    yield "lead", follow(page, f"{url}/leads/?show=progress", "tbody th a")
    yield "return_ask", page.url + "return/"
    yield "return", follow(page, f"{url}/returns/?status=all", "tbody th a")
    yield "request", follow(page, f"{url}/developers/log/", "tbody th a, tbody td a")


def begin_upload(page: Page, url: str) -> str:
    """To the columns of a file that has something new, also when the pictures are taken again."""
    file = CRM.format(revenue=f"{time.time() % 10_000:.2f}".replace(".", ",")).encode("cp1252")
    page.goto(f"{url}/uploads/new/")
    page.set_input_files("[name=file]", {"name": "crm.csv", "mimeType": "text/csv", "buffer": file})
    page.get_by_role("button", name="Upload and look at it").click()
    page.wait_for_url("**/columns/")
    return page.url


def ask_bulk(page: Page, url: str, select: Callable[[Page], object]) -> str:
    page.goto(f"{url}/leads/")
    select(page)
    page.get_by_role("button", name="Other fields…").click()
    page.wait_for_url("**/bulk/*/")
    return page.url


def of_seller(page: Page, url: str) -> Iterator[tuple[str, str]]:
    yield "decision", follow(page, f"{url}/decisions/", "tbody th a")
    yield "return_seller", follow(page, f"{url}/returns/", "tbody th a")
    page.goto(f"{url}/returns/")
    tick_returns(page)
    page.get_by_role("button", name="Approve…").click()
    yield "decide", page.url
    for name in ("source", "flow", "rule"):
        yield name, follow(page, f"{url}/admin/flows/{name}/", "tbody th a")
    yield "rule_tried", re.sub(r".*/rule/(\d+)/.*", r"/rules/\1/history/?days=90", page.url)


def follow(page: Page, address: str, link: str) -> str:
    """Where the first such link of the page leads."""
    page.goto(address)
    page.locator(link).first.click()
    page.wait_for_load_state()
    return page.url


def select_rows(page: Page) -> None:
    for number in (1, 2, 3):
        page.locator(".row-select").nth(number).check()


def tick_returns(page: Page) -> None:
    for number in (0, 1):
        page.locator(".return-tick").nth(number).check()
