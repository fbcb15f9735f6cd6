"""Take the README's pictures of a running demo: ``python -m tests.browser.screens`` beside ``make run``.

Reads ``var/demo.json`` for the address and the accounts; writes ``docs/images/*.png``.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 760}
QUIET = (
    "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update "
    "--disable-sync --no-first-run"
)
# name, who, path, size, colours
PICTURES = (
    ("dashboard", "seller", "/dashboard/", DESK, "light"),
    ("dashboard-dark", "seller", "/dashboard/", DESK, "dark"),
    ("source-report", "seller", "/reports/sources/", DESK, "light"),
    ("decisions", "seller", "/decisions/", DESK, "light"),
    ("leads", "buyer", "/leads/?page=5", DESK, "light"),
    ("leads-phone", "buyer", "/leads/?page=5", PHONE, "light"),
)


def main() -> None:
    card = json.loads(Path(os.environ.get("LEADLOOP_VAR", ROOT / "var"), "demo.json").read_text())
    accounts = {"seller": card["sellers"][0], "buyer": card["buyers"][0]}
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    IMAGES.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=QUIET.split())
        for name, who, path, size, colours in PICTURES:
            page = open_page(browser, card["base_url"], accounts[who], size, colours)
            page.goto(card["base_url"] + path, wait_until="networkidle")
            page.screenshot(path=IMAGES / f"{name}.png")
            page.context.close()
            sys.stdout.write(f"{name}.png {(IMAGES / f'{name}.png').stat().st_size // 1024} KB\n")
        browser.close()


def open_page(browser: Browser, url: str, account: dict, size: dict, colours: str) -> Page:
    """A page in which the account is logged in."""
    page = browser.new_context(viewport=size, color_scheme=colours, reduced_motion="reduce").new_page()
    page.goto(f"{url}/accounts/login/")
    page.fill("[name=login]", account["username"])
    page.fill("[name=password]", account["password"])
    page.click("main [type=submit]")
    page.wait_for_url(lambda address: "/accounts/login" not in address)
    return page


if __name__ == "__main__":
    main()
