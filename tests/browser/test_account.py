"""One's own account in Chromium: passkeys (with a virtual authenticator), TOTP, formats, keys, team."""

from __future__ import annotations

import re
import time

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.core import mail
from django.core.cache import cache
from playwright.sync_api import Page, expect

from portal.models import Invitation, Membership, User
from tests.browser.test_a11y import faults

pytestmark = pytest.mark.browser
PASSWORD = "correct horse"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@pytest.fixture(autouse=True)
def fresh_limits():
    """No test uses up another one's tries."""
    cache.clear()


def code(secret: str) -> str:
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30))


def confirm(page: Page) -> None:
    """Prove who one is by password, where the page asks."""
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()


def log_in(page: Page, user: User) -> None:
    page.get_by_label("Username or e-mail").fill(user.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()


def authenticator(page: Page, *, verified: bool = True):
    """A device with a fingerprint reader, which confirms at once; → the session and the device's id."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": verified,
        "automaticPresenceSimulation": True,
    }
    made = session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return session, made["authenticatorId"]


def test_a_passkey_is_added_and_logs_in_by_itself(open_page, world):
    page = open_page(world.agent, "/accounts/security/")
    session, device = authenticator(page)
    page.get_by_role("link", name="Add a passkey").click()
    confirm(page)
    page.get_by_label("Name").fill("My laptop")
    page.get_by_role("button", name="Make the passkey").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    (credential,) = session.send("WebAuthn.getCredentials", {"authenticatorId": device})["credentials"]
    assert credential["isResidentCredential"]
    page.goto("/accounts/security/")
    expect(page.get_by_role("strong").filter(has_text="My laptop")).to_be_visible()
    expect(page.get_by_text("not used yet")).to_be_visible()

    page.locator(".who").click()
    page.get_by_role("button", name="Log out").click()
    page.get_by_role("button", name="Log in with a passkey").click()
    page.wait_for_url("**/leads/")
    expect(page.locator(".who")).to_contain_text(world.buyer.name)
    page.goto("/accounts/security/")
    expect(page.get_by_text("last used")).to_be_visible()

    page.get_by_role("link", name="Remove My laptop").click()
    confirm(page) if "reauthenticate" in page.url else None
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("The passkey is removed.")).to_be_visible()
    assert not Authenticator.objects.filter(user=world.agent, type="webauthn").exists()


def test_a_passkey_is_a_second_step_after_the_password(open_page, world):
    page = open_page(world.agent, "/accounts/security/webauthn/add/")
    authenticator(page)
    confirm(page)
    page.get_by_role("button", name="Make the passkey").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    page.locator(".who").click()
    page.get_by_role("button", name="Log out").click()
    log_in(page, world.agent)
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url("**/leads/")


def test_a_passkey_that_nobody_confirms_lets_nobody_in_and_says_so(open_page, world):
    page = open_page(None, "/accounts/login/")
    authenticator(page)  # holds no passkey of ours
    page.get_by_role("button", name="Log in with a passkey").click()
    expect(page.locator(".passkey-fault")).to_contain_text("Nothing was confirmed.")
    expect(page.get_by_role("button", name="Log in with a passkey")).to_be_focused()


def test_an_authenticator_app_from_set_up_to_log_in_by_keyboard(open_page, world):
    page = open_page(world.agent, "/accounts/security/totp/activate/")
    confirm(page)
    expect(page.locator("img.qr")).to_be_visible()
    assert page.locator("img.qr").evaluate("image => image.naturalWidth > 0")
    secret = page.locator(".secret-text").inner_text()
    page.get_by_label("Code that the app shows").focus()
    page.keyboard.type(code(secret))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    one = page.locator(".codes code").first.inner_text()
    page.locator(".who").click()
    page.get_by_role("button", name="Log out").click()
    log_in(page, world.agent)
    expect(page.get_by_label("Code")).to_be_focused()
    page.keyboard.type(one)
    page.keyboard.press("Enter")
    page.wait_for_url("**/leads/")


def test_colours_stand_before_the_first_paint_whatever_the_device_has(open_page, world):
    User.objects.filter(pk=world.agent.pk).update(theme="dark")
    User.objects.filter(pk=world.manager.pk).update(theme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    for who, scheme, colour in (
        (world.agent, "light", "rgb(15, 18, 22)"),
        (world.manager, "dark", "rgb(247, 248, 250)"),
        (None, "dark", "rgb(15, 18, 22)"),
    ):
        page = open_page(who, "/leads/", color_scheme=scheme)
        assert page.evaluate(ground) == colour


def test_preferences_are_chosen_and_hold_at_once(open_page, world):
    page = open_page(world.agent, "/preferences/")
    page.get_by_label("Numbers and amounts").select_option("1.234,56")
    page.get_by_label("Dates").select_option("24.11.2026")
    page.get_by_label("Dark").check()
    page.get_by_label("Single-key shortcuts").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Your preferences are saved.")).to_be_visible()
    html = page.locator("html")
    expect(html).to_have_attribute("data-theme", "dark")
    expect(html).to_have_attribute("data-keys", "off")
    page.goto("/leads/")
    revenue = page.get_by_label(re.compile("Revenue of"))
    revenue.fill("1.500,00")
    revenue.press("Tab")
    expect(page.locator(".saved")).to_be_visible()
    world.delivery.refresh_from_db()
    assert world.delivery.revenue == 1500
    expect(page.get_by_label(re.compile("Revenue of"))).to_have_value("1.500,00")


def test_a_key_is_made_shown_once_and_copied(open_page, world):
    page = open_page(world.manager, "/developers/keys/", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("link", name="Make a key").first.click()
    page.get_by_label("Name").fill("CRM")
    page.get_by_role("button", name="Make the key").click()
    shown = page.locator("#key-text").inner_text()
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == shown
    page.get_by_role("link", name="Done").click()
    expect(page.get_by_role("rowheader", name="CRM")).to_be_visible()
    assert shown not in page.content()


def test_a_colleague_is_invited_joins_and_is_removed(open_page, world):
    manager = open_page(world.manager, "/team/")
    manager.get_by_label("E-mail").fill("nora@example.com")
    manager.get_by_role("button", name="Invite").click()
    expect(manager.get_by_text("An invitation is on its way")).to_be_visible()
    address = re.search(r"https?://[^/]+(/join/\S+)", mail.outbox[-1].body)[1]
    nora = open_page(None, address)
    nora.get_by_label("First name").fill("Nora")
    nora.get_by_label("Last name").fill("New")
    nora.get_by_label("Password").fill("a longer phrase 7")
    nora.get_by_role("button", name="Join").click()
    nora.wait_for_url("**/leads/")
    manager.reload()
    manager.get_by_role("link", name="Remove nora@example.com").click()
    manager.get_by_role("button", name="Remove").click()
    expect(manager.get_by_text("To undo this, invite them again.")).to_be_visible()
    nora.goto("/leads/")
    nora.wait_for_url("**/accounts/login/**")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_pages_that_need_a_state_are_accessible_too(open_page, world, scheme, width):
    TOTP.activate(world.agent, SECRET)
    page = open_page(None, "/accounts/login/", color_scheme=scheme, viewport={"width": width, "height": 900})
    log_in(page, world.agent)
    page.wait_for_url("**/authenticate/")
    found = [faults(page)]
    page.get_by_label("Code").fill(code(SECRET))
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/leads/")
    for path in ("totp/deactivate", "recovery-codes/generate", "webauthn/add"):
        page.goto(f"/accounts/security/{path}/")
        if "reauthenticate" in page.url:
            found.append(faults(page))
            confirm(page)
        found.append(faults(page))
    page.goto("/accounts/security/")
    found.append(faults(page))
    assert not [each for each in found if each]


@pytest.mark.parametrize("width", [1440, 360])
def test_no_page_of_the_account_scrolls_sideways(open_page, world, width):
    long = "a-very-long-address-of-a-colleague-whom-nobody-knows@a-subdomain.example.com"
    User.objects.filter(pk=world.agent.pk).update(email=long, first_name="", last_name="")
    Invitation.objects.create(
        buyer=world.buyer,
        role="buyer_agent",
        email=f"x{long}",
        digest="x",
        expires_at=world.delivery.delivered_at,
    )
    page = open_page(world.manager, viewport={"width": width, "height": 900})
    member = Membership.objects.get(user=world.agent).pk
    account = ("/preferences/", "/accounts/security/", "/accounts/sessions/")
    developers = ("/developers/", "/developers/keys/", "/developers/keys/new/")
    for path in ("/team/", f"/team/people/{member}/remove/", *account, *developers):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
