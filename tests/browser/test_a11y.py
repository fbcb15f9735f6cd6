"""Every page against the rules of WCAG 2.2 AA, in light and dark, wide and on a phone."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.pages import BUYERS_PAGES, SELLERS_PAGES, STRANGERS, address, fill

pytestmark = pytest.mark.browser
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
VIEWS = [("light", 1440), ("dark", 1440), ("light", 360), ("dark", 360)]


def faults(page) -> str:
    """What axe finds, in words; "" for nothing."""
    found = Axe().run(page, options={"runOnly": RULES, "resultTypes": ["violations"], "preload": False})
    lines = []
    for violation in found.response["violations"]:
        nodes = "\n".join(
            f"    {node['target']} {node['html'][:160]} {node['failureSummary']}"
            for node in violation["nodes"][:4]
        )
        lines.append(f"{violation['id']}: {violation['help']}\n{nodes}")
    return "\n".join(lines)


def check(page, paths: list[str]) -> None:
    found = []
    for path in paths:
        page.goto(path)
        for each in page.locator("details").all():
            each.evaluate("details => (details.open = true)")
        if wrong := faults(page):
            found.append(f"{path}\n{wrong}")
    assert not found, "\n\n".join(found)


@pytest.mark.parametrize(("scheme", "width"), VIEWS)
@pytest.mark.parametrize(("who", "names"), [("manager", BUYERS_PAGES), ("owner", SELLERS_PAGES)])
def test_the_pages_of_each_side(open_page, world, who, names, scheme, width):
    rows = fill(world)
    page = open_page(getattr(world, who), color_scheme=scheme, viewport={"width": width, "height": 900})
    check(page, [address(name, rows) for name in names])


@pytest.mark.parametrize(("scheme", "width"), VIEWS)
def test_the_pages_of_strangers(open_page, scheme, width):
    page = open_page(color_scheme=scheme, viewport={"width": width, "height": 900})
    page.forgiven.append("404 (Not Found)")
    check(
        page, [*(address(name, {}) for name in STRANGERS), "/nowhere/", "/accounts/password/reset/key/1-x/"]
    )


def test_empty_pages(open_page, world):
    from flows.models import Delivery

    Delivery.objects.all().delete()
    for who, paths in (
        ("agent", ["/leads/", "/uploads/"]),
        ("owner", ["/dashboard/", "/decisions/", "/alerts/"]),
    ):
        check(open_page(getattr(world, who)), paths)


def test_lists_that_found_nothing_and_filters_that_are_wrong(open_page, world):
    rows = fill(world)
    assert rows
    page = open_page(world.agent)
    page.forgiven.append("does not conform to the required format")
    check(page, ["/leads/?q=nobody-at-all", "/leads/?delivered_from=yesterday", "/leads/?page=2"])
