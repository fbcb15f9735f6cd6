"""An owner sets up in a browser: pages keep within the policy, read well, and help where scripts run."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.admin import site
from django.test import Client
from playwright.sync_api import expect

from flows import keys
from flows.models import Flow, Rule
from flows.presets import set_up_flow
from portal.models import Buyer, Seller
from tests.admin_pages import one_of_each, url

pytestmark = pytest.mark.browser
WATCH = """
  window.violations = [];
  document.addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));
"""


@pytest.fixture
def open_page(chromium, live_server):
    """``open_page(user, width=1440, scheme="light")`` → a page in which that person is logged in."""
    contexts = []

    def enter(user, width=1440, scheme="light"):
        client = Client()
        client.force_login(user)
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, base_url=live_server.url
        )
        contexts.append(context)
        cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
        context.add_cookies([cookie])
        context.add_init_script(WATCH)
        return context.new_page()

    yield enter
    for context in contexts:
        context.close()


def test_an_owner_sets_a_flow_up_and_gets_a_key(transactional_db, world, open_page):
    page = open_page(world.owner)
    page.goto("/admin/flows/flow/add/")
    page.get_by_label("Name").fill("Solar West")
    page.get_by_label("Solar: full revenue and the appointment").check()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("heading", name="Solar West")).to_be_visible()
    expect(page.get_by_text("To do: An agreement with a buyer")).to_be_visible()
    page.get_by_role("link", name="An agreement with a buyer").click()
    page.get_by_label("Buyer:").select_option(label=world.buyer.name)
    page.get_by_role("button", name="Save", exact=True).click()
    page.goto(url(world.buyer, "change"))
    page.get_by_role("link", name="Make an API key").click()
    expect(page.get_by_label("Who will use it")).to_have_value(str(world.buyer.pk))
    page.get_by_label("Name").fill("CRM")
    page.get_by_role("button", name="Save", exact=True).click()
    key, _ = keys.authenticate(page.locator(".secret").inner_text())
    assert key.buyer == world.buyer
    page.get_by_role("link", name="Done").click()
    expect(page).to_have_url(re.compile(f"/apikey/{key.pk}/change/"))
    expect(page.get_by_text(f"{key.prefix}…").first).to_be_visible()


def test_a_rules_page_shows_what_the_action_uses(transactional_db, world, open_page):
    set_up_flow(world.flow)
    page = open_page(world.owner)
    page.goto(url(Rule.objects.get(action="pause_source"), "change"))
    expect(page.get_by_label("Price adjustment")).to_be_hidden()
    page.get_by_label("Action:", exact=True).select_option("set_price_adjustment")
    expect(page.get_by_label("Price adjustment")).to_be_visible()
    expect(page.get_by_label("Step, %")).to_be_hidden()
    expect(page.get_by_label("Weigh buyers equally")).to_be_visible()
    page.get_by_label("Each source with each buyer").check()
    expect(page.get_by_label("Weigh buyers equally")).to_be_hidden()
    expect(page.get_by_label("Margin")).to_be_hidden()
    page.get_by_label("Reverse the action").check()
    expect(page.get_by_label("Margin")).to_be_visible()
    page.get_by_label("Trigger").select_option("feedback")
    expect(page.get_by_label("Threshold")).to_be_hidden()
    expect(page.get_by_label("Each source with each buyer")).to_be_hidden()
    expect(page.get_by_label("Margin")).to_be_hidden()
    expect(page.get_by_label("Outcome")).to_be_visible()


def test_a_field_is_added_to_a_flow(transactional_db, world, open_page):
    page = open_page(world.owner)
    page.goto(url(world.flow, "change"))
    page.get_by_text("Add another Field").click()
    row = page.locator("#fields-group tr.dynamic-fields").last
    row.locator("[name$=-name]").fill("policy_type")
    row.locator("[name$=-kind]").select_option("choice")
    row.locator("[name$=-choices]").fill("auto\nhome")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    assert world.flow.fields.get(name="policy_type").choices == ["auto", "home"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_pages_hold_the_policy_fit_and_can_be_read_by_all(transactional_db, world, width, scheme, open_page):
    rows = one_of_each(world, "ownmark")
    set_up_flow(world.flow)
    addresses = ["/admin/", url(Flow, "add"), url(Buyer, "changelist")]
    shown = [row for model, row in rows.items() if model is not Seller and site.is_registered(model)]
    addresses += [url(type(row), "changelist") for row in shown]
    addresses += [url(row, "change") for row in shown]
    page = open_page(world.owner, width, scheme)
    faults = []
    for address in addresses:
        page.goto(address)
        faults += [(address, fault) for fault in page.evaluate("violations")]
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            faults.append((address, "wider than the screen"))
        for each in Axe().run(page).response["violations"]:
            if each["impact"] in ("serious", "critical"):
                faults.append((address, each["id"], each["nodes"][0]["target"], len(each["nodes"])))
    assert not faults, "\n".join(map(str, faults))
