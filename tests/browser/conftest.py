"""A browser on the running server. A page that complains fails its test.

``open_page(user)`` opens a context in which that person is logged in (nobody for None) and returns its
page. Whatever goes wrong on it is a complaint: an error on the console, an exception, something that the
policy blocked, a request to another host. What a test provokes on purpose it names beforehand in
``page.forgiven`` (texts of which one is part of the complaint).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, sync_playwright

from portal.models import User

ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync"
    " --no-first-run"
)
ABORTED = (
    "htmx:sendAbort",
    "htmx:afterRequest,",
)  # a request that a newer one replaced, or a page left behind
WATCH = """
  document.addEventListener("securitypolicyviolation", (event) => {
    console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`);
  });
"""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, or the one that CHROMIUM names."""
    path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # playwright runs a loop in this thread
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS.split())
        yield browser
        browser.close()
    os.environ.pop("DJANGO_ALLOW_ASYNC_UNSAFE")


@pytest.fixture
def open_page(chromium: Browser, live_server, transactional_db) -> Iterator[Callable[..., Page]]:
    """See the head of this file; further arguments are those of a browser context."""
    pages: list[Page] = []

    def opening(user: User | None = None, path: str = "", **options) -> Page:
        context = chromium.new_context(base_url=live_server.url, **options)
        if user is not None:
            client = Client()
            client.force_login(user)
            cookie = client.cookies["sessionid"].value
            context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
        page = context.new_page()
        listen(page, urlsplit(live_server.url).netloc)
        pages.append(page)
        if path:
            page.goto(path)
        return page

    yield opening
    complaints = [complaint for page in pages for complaint in unforgiven(page)]
    for page in pages:
        page.context.close()
    assert not complaints


def listen(page: Page, host: str) -> None:
    """Collect the page's complaints."""
    page.complaints, page.forgiven = [], []

    def heard(text: str) -> None:
        page.complaints.append(f"{page.url}: {text}")

    page.add_init_script(WATCH)
    page.on("pageerror", lambda error: heard(str(error)))
    page.on("console", lambda line: heard(line.text) if line.type in ("error", "warning") else None)
    page.on("request", lambda request: heard(request.url) if is_foreign(request.url, host) else None)


def is_foreign(url: str, host: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme not in ("data", "blob", "about") and parts.netloc != host


def unforgiven(page: Page) -> list[str]:
    forgiven = (*ABORTED, *page.forgiven)
    return [each for each in page.complaints if not any(text in each for text in forgiven)]
