"""The layout: no sideways scroll, our own font, the rail, and what htmx and app.js do on a list."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests import factories as make
from tests.browser.pages import BUYERS_PAGES, SELLERS_PAGES, STRANGERS, address, fill

pytestmark = pytest.mark.browser
WIDTHS = (360, 768, 1024, 1440, 2200)
PHONE = {"width": 360, "height": 740}
TOO_WIDE = """() => [...document.querySelectorAll("body *")]
  .filter((el) => el.getBoundingClientRect().right > innerWidth + 1)
  .filter((el) => !el.closest(".rail nav, .results, pre, .tabs"))
  .slice(0, 5).map((el) => el.outerHTML.slice(0, 120))"""


def assert_fits(page, path: str) -> None:
    page.goto(path)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        scrolls = page.evaluate("document.documentElement.scrollWidth > innerWidth")
        assert not scrolls, (path, width, page.evaluate(TOO_WIDE))


@pytest.mark.parametrize(("who", "names"), [("manager", BUYERS_PAGES), ("owner", SELLERS_PAGES)])
def test_no_page_scrolls_sideways(open_page, world, who, names):
    rows = fill(world)
    page = open_page(getattr(world, who))
    for name in names:
        assert_fits(page, address(name, rows))


def test_no_page_of_strangers_scrolls_sideways(open_page):
    page = open_page()
    page.forgiven.append("404 (Not Found)")
    for path in (*(address(name, {}) for name in STRANGERS), "/nowhere/"):
        assert_fits(page, path)


def test_the_font_is_ours_and_the_colours_follow_the_system(open_page, world):
    grounds = set()
    for scheme in ("light", "dark"):
        page = open_page(world.agent, "/leads/", color_scheme=scheme)
        assert page.evaluate("document.fonts.ready.then(() => document.fonts.check('14px Inter'))")
        grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert grounds == {"rgb(247, 248, 250)", "rgb(15, 18, 22)"}


def test_the_first_tab_leads_past_the_rail(open_page, world):
    page = open_page(world.agent, "/leads/")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_on_a_phone_the_rail_scrolls_to_where_one_is(open_page, world):
    page = open_page(world.owner, "/admin/flows/flow/", viewport=PHONE)
    expect(page.locator(".rail [aria-current=page]")).to_be_in_viewport(ratio=0.9)
    expect(page.locator(".who")).to_be_in_viewport()


def test_on_a_phone_rows_become_cards_that_name_their_values(open_page, world):
    fill(world)
    page = open_page(world.owner, "/decisions/", viewport=PHONE)
    cell = page.locator("tbody td[data-label]").nth(1)
    assert page.evaluate("getComputedStyle(document.querySelector('tbody tr')).display") == "grid"
    assert cell.evaluate("td => getComputedStyle(td, '::before').content").strip('"') == cell.get_attribute(
        "data-label"
    )


def test_the_menu_opens_closes_by_escape_and_logs_out(open_page, world):
    page = open_page(world.agent, "/leads/")
    who = page.locator(".who")
    menu = page.locator("#account-menu")
    who.click()
    expect(menu).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    who.click()
    menu.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/accounts/login/**")


def test_the_menu_changes_the_company(open_page, world, other_world):
    make.MembershipFactory(user=world.agent, seller=other_world.seller)
    page = open_page(world.agent, "/leads/")
    page.locator(".who").click()
    page.get_by_role("button", name=re.compile(other_world.seller.name)).click()
    page.wait_for_url("**/dashboard/")
    expect(page.locator(".who")).to_contain_text(other_world.seller.name)


@pytest.fixture
def leads(open_page, world):
    """The agent's list of two pages."""
    fill(world)
    return open_page(world.agent, "/leads/?show=all")


def mark_document(page) -> None:
    """So that a reload can be told from a swap."""
    page.evaluate("window.stayed = true")


def stayed(page) -> bool:
    return page.evaluate("window.stayed === true")


def test_a_page_turns_without_a_reload_keeps_the_focus_and_says_so(leads):
    mark_document(leads)
    leads.get_by_role("link", name="Next page").click()
    expect(leads).to_have_url(re.compile(r"[?&]after="))
    expect(leads.get_by_text("51–")).to_be_visible()
    expect(leads.get_by_role("link", name="Previous page")).to_be_visible()
    expect(leads.locator("#live")).to_contain_text("leads")
    assert stayed(leads)


def test_sorting_keeps_the_focus_on_its_head(leads):
    mark_document(leads)
    head = leads.locator("thead a").first
    name = head.get_attribute("id")
    head.click()
    expect(leads).to_have_url(re.compile("sort="))
    expect(leads.locator(f"#{name}")).to_be_focused()
    assert stayed(leads)


def test_back_shows_the_whole_page_before(leads):
    before = leads.locator("tbody th .cell-main").first.inner_text()
    leads.get_by_role("link", name="Next page").click()
    expect(leads).to_have_url(re.compile("after="))
    leads.go_back()
    expect(leads).not_to_have_url(re.compile("after="))
    expect(leads.locator(".rail")).to_be_visible()
    expect(leads.locator("tbody th .cell-main").first).to_have_text(before)


def test_a_search_filters_without_a_reload_and_leaves_no_empty_parameters(leads, world):
    mark_document(leads)
    search = leads.get_by_role("searchbox")
    search.fill("nobody-at-all")
    search.press("Enter")
    expect(leads).to_have_url(re.compile(r"/leads/\?(?:\w+=\w+&)*q=nobody-at-all(&|$)"))
    assert not re.search(r"=(&|$)", leads.url)
    expect(leads.get_by_text("Nothing matches these filters.")).to_be_visible()
    leads.get_by_role("link", name="Clear filters").click()
    expect(leads.get_by_text("Nothing matches these filters.")).to_be_hidden()
    assert stayed(leads)


def test_what_is_being_typed_survives_an_answer(leads):
    search = leads.get_by_role("searchbox")
    search.fill("no")
    with leads.expect_response(re.compile("q=no")):
        search.press("Enter")
        leads.keyboard.type("body")
    expect(leads).to_have_url(re.compile("q=no"))
    expect(leads.get_by_role("searchbox")).to_have_value("nobody")
    expect(leads.get_by_role("searchbox")).to_be_focused()


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (500, "Something went wrong on the server."),
        (403, "This is not allowed."),
        (429, "Too many requests."),
    ],
)
def test_a_refusal_is_told(leads, status, words):
    leads.forgiven += [f"status of {status}", "Response Status Error Code"]
    leads.route("**/leads/?*", lambda route: route.fulfill(status=status, body="no"))
    leads.get_by_role("link", name="Next page").click()
    expect(leads.locator("#live .toast")).to_contain_text(words)
    leads.get_by_role("button", name="Close").click()
    expect(leads.locator("#live .toast")).to_have_count(0)


def test_a_server_that_is_away_is_told(leads):
    leads.forgiven += ["ERR_FAILED", "htmx:sendError", "net::"]
    leads.route("**/leads/?*", lambda route: route.abort())
    leads.get_by_role("link", name="Next page").click()
    expect(leads.locator("#live .toast")).to_contain_text("The server cannot be reached.")


def test_a_session_that_has_ended_moves_to_the_log_in_and_back(leads, world):
    leads.context.clear_cookies()
    leads.get_by_role("link", name="Next page").click()
    leads.wait_for_url("**/accounts/login/?next=/leads/*")
    leads.get_by_label("Username or e-mail").fill(world.agent.username)
    leads.get_by_label("Password", exact=True).fill("correct horse")
    leads.get_by_role("button", name="Log in", exact=True).click()
    leads.wait_for_url("**/leads/?show=all")


def test_lists_work_without_scripts(open_page, world):
    fill(world)
    page = open_page(world.agent, "/leads/?show=all", java_script_enabled=False)
    page.get_by_role("searchbox").fill("nobody-at-all")
    page.get_by_role("button", name="Filter", exact=True).click()
    expect(page.get_by_text("Nothing matches these filters.")).to_be_visible()
    page.get_by_role("link", name="Clear filters").click()
    page.get_by_role("link", name="Next page").click()
    expect(page).to_have_url(re.compile("after="))


def test_in_print_the_rail_is_left_out(leads):
    leads.emulate_media(media="print")
    expect(leads.locator(".rail")).to_be_hidden()
    expect(leads.locator("main h1")).to_be_visible()


def test_nothing_moves_where_people_ask_for_that(open_page, world):
    page = open_page(world.agent, "/leads/", reduced_motion="reduce")
    page.evaluate("document.querySelector('h1').classList.add('saved')")
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).animationName") == "none"
