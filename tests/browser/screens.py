"""Take pictures of a running demo: ``python -m tests.browser.screens`` beside ``make run``.

Reads ``var/demo.json`` for the address and the accounts. Writes the README's pictures, ``docs/images``, and
a set of every page, ``docs/screens/<page>.<desk or phone>.<light or dark>.png``: 1440 × 900 and 390 × 844,
what is seen before one scrolls. All pages are there in light colours; in dark ones only those of `DARK`,
which have all there is to colour, so that the set stays below 6 MB. ``readme`` or ``screens`` as an argument
takes only these, and further words only pages whose names begin so: ``… screens leads upload``.

The set changes the demo: a file is recorded, leads are changed in bulk. So take it of a fresh one.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from tests.browser.screen_places import find_places, select_rows, tick_returns
from tests.browser.small_png import small_png

Colours = Literal["light", "dark"]
ROOT = Path(__file__).parents[2]
IMAGES, SCREENS = ROOT / "docs" / "images", ROOT / "docs" / "screens"
DESK, PHONE = ViewportSize(width=1280, height=800), ViewportSize(width=390, height=760)
SIZES = {"desk": ViewportSize(width=1440, height=900), "phone": ViewportSize(width=390, height=844)}
COLOURS: tuple[Colours, ...] = ("light", "dark")
QUIET = (
    "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update "
    "--disable-sync --no-first-run --disable-lcd-text"
)
# name, who, path, size, colours
PICTURES: tuple[tuple[str, str, str, ViewportSize, Colours], ...] = (
    ("dashboard", "seller", "/dashboard/", DESK, "light"),
    ("dashboard-dark", "seller", "/dashboard/", DESK, "dark"),
    ("source-report", "seller", "/reports/sources/", DESK, "light"),
    ("decisions", "seller", "/decisions/", DESK, "light"),
    ("leads", "buyer", "/leads/", DESK, "light"),
    ("leads-phone", "buyer", "/leads/", PHONE, "light"),
)
Do = Callable[[Page], object]
Accounts = dict[str, dict[str, str]]  # "seller", "buyer" → username, password, key


def open_columns(page: Page) -> None:
    page.locator("#columns-menu > summary").click()


def open_keys(page: Page) -> None:
    page.keyboard.press("?")
    page.locator("dialog[open] kbd").first.wait_for()


def open_menu(page: Page) -> None:
    page.locator("#account-menu").evaluate("menu => menu.showPopover()")


def send_example(page: Page) -> None:
    page.get_by_role("button", name="Fill in an example").click()
    page.get_by_role("button", name="Send as a test").click()
    page.wait_for_load_state("networkidle")


def fail_to_log_in(page: Page) -> None:
    log_in(page, "alpine", "not this one")
    page.get_by_role("alert").wait_for()


# name, who, path, what to do there first. {…} in a path is an address that `find_places` found or made.
PAGES: tuple[tuple[str, str, str, Do | None], ...] = (
    ("login", "", "/accounts/login/", None),
    ("login-wrong", "", "/accounts/login/", fail_to_log_in),
    ("leads-due", "buyer", "/leads/", None),
    ("leads-all", "buyer", "/leads/?show=all", None),
    ("leads-columns", "buyer", "/leads/?show=all", open_columns),
    ("leads-selected", "buyer", "/leads/", select_rows),
    ("leads-none", "buyer", "/leads/?q=nobody", None),
    ("leads-views", "buyer", "/views/", None),
    ("lead", "buyer", "{lead}", None),
    ("lead-settled", "buyer", "/leads/evt_abc123/", None),
    ("bulk-question", "buyer", "{bulk_question}", None),
    ("bulk-result", "buyer", "{bulk_result}", None),
    ("history", "buyer", "/history/", None),
    ("history-change", "buyer", "{change}", None),
    ("uploads", "buyer", "/uploads/", None),
    ("upload-file", "buyer", "/uploads/new/", None),
    ("upload-columns", "buyer", "{upload_columns}", None),
    ("upload-check", "buyer", "{upload_check}", None),
    ("upload-result", "buyer", "{upload_result}", None),
    ("upload-undo", "buyer", "{upload_result}undo/", None),
    ("returns", "buyer", "/returns/", None),
    ("return-ask", "buyer", "{return_ask}", None),
    ("return", "buyer", "{return}", None),
    ("credits", "buyer", "/returns/credits/", None),
    ("numbers", "buyer", "/numbers/", None),
    ("developers", "buyer", "/developers/", None),
    ("keys", "buyer", "/developers/keys/", None),
    ("key-new", "buyer", "/developers/keys/new/", None),
    ("requests", "buyer", "/developers/log/", None),
    ("request", "buyer", "{request}", None),
    ("guide", "buyer", "/developers/flw_auto/guide/", None),
    ("test-integration", "buyer", "/developers/test/", send_example),
    ("team", "buyer", "/team/", None),
    ("preferences", "buyer", "/preferences/", None),
    ("security", "buyer", "/accounts/security/", None),
    ("sessions", "buyer", "/accounts/sessions/", None),
    ("keyboard", "buyer", "/leads/", open_keys),
    ("account-menu", "buyer", "/leads/", open_menu),
    ("dashboard", "seller", "/dashboard/", None),
    ("source-report", "seller", "/reports/sources/", None),
    ("decisions", "seller", "/decisions/", None),
    ("decision", "seller", "{decision}", None),
    ("decision-undo", "seller", "{decision}undo/", None),
    ("alerts", "seller", "/alerts/", None),
    ("returns-queue", "seller", "/returns/", tick_returns),
    ("returns-decide", "seller", "{decide}", None),
    ("return-seller", "seller", "{return_seller}", None),
    ("credits-seller", "seller", "/returns/credits/", None),
    ("set-up", "seller", "/admin/", None),
    ("sources", "seller", "/admin/flows/source/", None),
    ("source", "seller", "{source}", None),
    ("flow", "seller", "{flow}", None),
    ("rule", "seller", "{rule}", None),
    ("rule-tried", "seller", "{rule_tried}", None),
)
DARK = {
    *("login", "leads-due", "leads-selected", "lead", "bulk-question", "history", "history-change"),
    *("upload-columns", "upload-check", "return", "credits", "numbers", "guide", "test-integration", "team"),
    *("preferences", "security", "keyboard", "dashboard", "source-report", "decisions", "alerts"),
    *("returns-queue", "returns-decide", "source", "rule", "rule-tried"),
}


def main() -> None:
    what, *beginnings = sys.argv[1:] or ["all"]
    card = json.loads(Path(os.environ.get("LEADLOOP_VAR", ROOT / "var"), "demo.json").read_text())
    accounts = {"seller": card["sellers"][0], "buyer": card["buyers"][0]}
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=QUIET.split())
        if what in ("all", "readme"):
            take_readme(browser, card["base_url"], accounts)
        if what in ("all", "screens"):
            take_screens(browser, card["base_url"], accounts, tuple(beginnings) or ("",))
        browser.close()


def take_readme(browser: Browser, url: str, accounts: Accounts) -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    for name, who, path, size, colours in PICTURES:
        page = open_page(browser, url, accounts[who], size, colours)
        page.goto(url + path, wait_until="networkidle")
        keep(page, IMAGES / f"{name}.png")
        page.context.close()


def take_screens(browser: Browser, url: str, accounts: Accounts, beginnings: tuple[str, ...]) -> None:
    """The pages whose names begin with one of ``beginnings``."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    buyer, seller = (
        open_page(browser, url, accounts[who], SIZES["desk"], "light") for who in ("buyer", "seller")
    )
    places = find_places(url, buyer, seller, accounts["buyer"]["key"])
    buyer.context.close()
    seller.context.close()
    for kind, size in SIZES.items():
        for colours in COLOURS:
            pages = {
                who: open_page(browser, url, account, size, colours) for who, account in accounts.items()
            }
            pages[""] = new_page(browser, size, colours)
            for name, who, path, do in PAGES:
                if name.startswith(beginnings) and (colours == "light" or name in DARK):
                    pages[who].goto(url + path.format(**places), wait_until="networkidle")
                    if do:
                        do(pages[who])
                    keep(pages[who], SCREENS / f"{name}.{kind}.{colours}.png")
            for page in pages.values():
                page.context.close()


def keep(page: Page, file: Path) -> None:
    counter = page.context.new_page()
    file.write_bytes(small_png(page.screenshot(animations="disabled"), counter))
    counter.close()
    sys.stdout.write(f"{file.name} {file.stat().st_size // 1024} KB\n")


def new_page(browser: Browser, size: ViewportSize, colours: Colours) -> Page:
    phone = size["width"] < 500
    context = browser.new_context(
        viewport=size, color_scheme=colours, reduced_motion="reduce", has_touch=phone, is_mobile=phone
    )
    return context.new_page()


def open_page(
    browser: Browser, url: str, account: dict[str, str], size: ViewportSize, colours: Colours
) -> Page:
    """A page in which the account is logged in."""
    page = new_page(browser, size, colours)
    page.goto(f"{url}/accounts/login/")
    log_in(page, account["username"], account["password"])
    page.wait_for_url(lambda address: "/accounts/login" not in address)
    return page


def log_in(page: Page, name: str, password: str) -> None:
    page.fill("[name=login]", name)
    page.fill("[name=password]", password)
    page.click("main [type=submit]")


if __name__ == "__main__":
    main()
