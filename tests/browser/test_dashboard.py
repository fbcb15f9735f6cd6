"""A seller looks at the dashboard while feedback comes in."""

from __future__ import annotations

import json
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from django.utils.timezone import now, timedelta
from playwright.sync_api import expect

from feedback import quality, stale
from flows import keys
from flows.actions.base import Target
from flows.decisions import decide
from flows.models import Alert, Delivery, Rule
from tests import factories as make

pytestmark = pytest.mark.browser
EVERY = 5_000  # milliseconds between two questions of the page
WATCH = """
  window.violations = [];
  const broken = (event) => window.violations.push(event.violatedDirective);
  document.addEventListener("securitypolicyviolation", broken);
  Object.defineProperty(document, "visibilityState", { get: () => window.looking ?? "visible" });
"""
PAGES = ("/dashboard/", "/reports/sources/", "/decisions/", "/alerts/")


@pytest.fixture
def market(transactional_db, world):
    """A month of deliveries, some sold; a rule has paused the source; an alert waits."""
    Rule.objects.create(
        flow=world.flow,
        name="Low conversion",
        metric="conversion_rate",
        comparison="below",
        threshold="0.05",
        maturity_days=14,
        min_count=100_000,
        action="pause_source",
    )
    for days in range(0, 60, 2):
        at = now() - timedelta(days=days)
        sold = {"outcome": "converted", "conversion_status": "sold", "revenue": "250.00", "quality_score": 4}
        known = {"delivered_at": at, "feedback_count": 1, "last_feedback_at": at}
        make.DeliveryFactory(lead__source=world.source, buyer=world.buyer, **known, **sold)
        make.DeliveryFactory(lead__source=world.source, buyer=world.buyer, delivered_at=at)
    stale.mark(list(Delivery.objects.all()))
    quality.recompute()
    numbers = {"outcome": "returned", "lead_id": "evt_1"}
    rule = Rule.objects.get()
    decide(rule, [Target(world.source, "1", "Too few sold", numbers)], now=now())
    Alert.objects.create(seller=world.seller, flow=world.flow, level="warn", title="A buyer is late")
    return world


@pytest.fixture
def open_as(chromium, live_server, market):
    """``open_as(user, path, …)`` → a page on which violations and errors are collected."""
    contexts = []

    def opening(user, path: str, **options):
        client = Client()
        client.force_login(user)
        context = chromium.new_context(base_url=live_server.url, **options)
        contexts.append(context)
        cookie = client.cookies["sessionid"].value
        context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
        context.add_init_script(WATCH)
        page = context.new_page()
        watch(page)
        page.clock.install()
        page.goto(path)
        return page

    yield opening
    for context in contexts:
        for page in context.pages:
            settle(page)
        context.close()


def watch(page) -> None:
    """Keep ``page.errors``, and ``page.pending``: the requests that wait for their answer."""
    page.errors, page.pending = [], set()

    def ended(request) -> None:
        page.pending.discard(request)

    page.on("request", lambda request: bool(page.pending.add(request)))
    page.on("requestfinished", ended)
    page.on("requestfailed", ended)
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("console", lambda line: line.type == "error" and page.errors.append(line.text))


def settle(page) -> None:
    """Let the page ask nothing more, and the server finish: then the tables can be emptied."""
    page.evaluate("window.looking = 'hidden'")
    while page.pending:
        page.wait_for_timeout(20)  # milliseconds


def assert_clean(page) -> None:
    assert page.errors == []
    assert page.evaluate("window.violations") == []


def next_look(page):
    """Let the page ask again; what it was answered."""
    with page.expect_response(re.compile("/dashboard/")) as answered:
        page.clock.run_for(EVERY)
    return answered.value


def test_the_dashboard_moves_when_feedback_comes_in(open_as, market):
    page = open_as(market.owner, "/dashboard/")
    revenue, coverage = page.locator("#figure-revenue"), page.locator("#figure-coverage")
    expect(revenue).to_contain_text("$3,750")  # 15 sold at $250
    expect(coverage).to_contain_text("15 of 31")
    page.locator("#table-revenue summary").click()
    page.locator("#table-revenue summary").focus()
    canvas = page.evaluate_handle("document.querySelector('#chart-revenue canvas')")
    drawn = canvas.evaluate("canvas => canvas.toDataURL()")

    delivery = market.delivery
    _, key = keys.issue(name="CRM", buyer=market.buyer)
    answer = Client().post(
        f"/flows/{market.flow.public_id}/feedback",
        json.dumps({"lead_id": delivery.public_id, "outcome": "converted", "revenue": 1500}),
        content_type="application/json",
        headers={"X-API-Key": key},
    )
    assert answer.status_code == 201
    assert quality.recompute()

    assert next_look(page).status == 200
    expect(revenue).to_contain_text("$5,250")
    expect(coverage).to_contain_text("16 of 31")
    expect(page.locator("#table-revenue")).to_have_attribute("open", "")
    expect(page.locator("#table-revenue summary")).to_be_focused()
    page.wait_for_function(
        "drawn => document.querySelector('#chart-revenue canvas').toDataURL() !== drawn", arg=drawn
    )
    assert_clean(page)


def test_nothing_new_leaves_the_page_alone_and_moves_its_clock(open_as, market):
    page = open_as(market.owner, "/dashboard/")
    page.evaluate("window.before = document.getElementById('board')")
    page.evaluate("document.getElementById('as-of').textContent = 'long ago'")
    answers = [next_look(page) for _ in range(2)]
    assert 304 in [answer.status for answer in answers]  # a minute may end between the first two
    expect(page.locator("#as-of")).to_have_text(re.compile(r"\d\d:\d\d:\d\d"))
    if answers[0].status == 304:
        assert page.evaluate("window.before === document.getElementById('board')")
    assert_clean(page)


def test_a_page_that_nobody_looks_at_asks_nothing(open_as, market):
    page = open_as(market.owner, "/dashboard/")
    asked = []
    page.on("request", lambda request: "/dashboard/" in request.url and asked.append(request.url))
    page.evaluate("window.looking = 'hidden'")
    page.clock.run_for(4 * EVERY)
    assert asked == []
    page.evaluate("window.looking = 'visible'")
    with page.expect_response(re.compile("/dashboard/")):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_a_server_that_is_away_is_said_and_got_over(open_as, market):
    page = open_as(market.owner, "/dashboard/")
    page.route("**/dashboard/**", lambda route: route.abort())
    with page.expect_event("requestfailed"):
        page.clock.run_for(EVERY)
    expect(page.locator("#as-of")).to_have_class("is-stale")
    page.unroute("**/dashboard/**")
    next_look(page)
    expect(page.locator("#as-of")).not_to_have_class("is-stale")


def test_a_filter_swaps_the_numbers_and_changes_the_address(open_as, market):
    other = make.BuyerFactory(seller=market.seller, name="Quiet Mutual")
    page = open_as(market.owner, "/dashboard/")
    page.locator("#filter-buyer").focus()
    page.locator("#filter-buyer").select_option(label="Quiet Mutual")
    expect(page.locator("#board")).to_contain_text("No leads were delivered in these weeks")
    expect(page).to_have_url(re.compile(rf"/dashboard/\?buyer={other.public_id}$"))
    expect(page.locator("#filter-buyer")).to_be_focused()
    page.locator("#filter-buyer").select_option("")
    expect(page.locator("#chart-conversion canvas")).to_be_visible()
    page.locator("#filter-period").select_option("own")
    expect(page.locator("#filter-from")).to_be_visible()
    assert_clean(page)


def test_filters_work_without_scripts(open_as, market):
    page = open_as(market.owner, "/dashboard/", java_script_enabled=False)
    page.locator("#filter-period").select_option("7")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#dashboard-days")).to_contain_text("compared with the 7 days before")
    page.locator("#table-conversion summary").click()
    expect(page.locator("#table-conversion table")).to_be_visible()


def test_the_report_switches_its_clock(open_as, market):
    page = open_as(market.owner, "/reports/sources/")
    expect(page.locator("#report-days")).to_contain_text("By delivery date")
    page.get_by_text("Feedback date", exact=True).click()
    expect(page.locator("#report-days")).to_contain_text("By feedback date")
    expect(page).to_have_url(re.compile("clock=feedback"))
    assert "clock=feedback" in page.locator("#report-csv").get_attribute("href")
    assert_clean(page)


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible_and_keep_the_policy(open_as, market, scheme, width):
    undo = f"/decisions/{market.source.decisions.get().pk}/undo/"
    page = open_as(market.owner, "/dashboard/", color_scheme=scheme, viewport={"width": width, "height": 900})
    for path in (*PAGES, undo):
        page.goto(path)
        for each in page.locator("details").all():
            each.evaluate("details => (details.open = true)")
        found = Axe().run(page)
        assert found.violations_count == 0, f"{path}: {found.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert_clean(page)
