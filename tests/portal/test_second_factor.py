"""TOTP, recovery codes and passkeys: set up, asked for, taken away. Passkeys in a browser: tests/browser."""

from __future__ import annotations

import re
import time

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.test import Client, override_settings

PASSWORD = "correct horse"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


FORGED = (
    '{"id": "AA", "rawId": "AA", "type": "public-key", "clientExtensionResults": {}, "response": '
    '{"clientDataJSON": "e30", "authenticatorData": "AA", "signature": "AA", "userHandle": "MQ"}}'
)


@pytest.fixture(autouse=True)
def fresh_limits():
    cache.clear()


def code(secret: str, ahead: int = 0) -> str:
    """What an app shows now, or so many half minutes later."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + ahead))


def confirmed(user) -> Client:
    """A client in which the person has just proved who they are."""
    client = Client()
    client.force_login(user)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    return client


def log_in(client: Client, user):
    return client.post("/accounts/login/", {"login": user.email, "password": PASSWORD}, follow=True)


def inside(client: Client) -> bool:
    return client.get("/preferences/").status_code == 200


@pytest.fixture
def guarded(world):
    """The agent, with an authenticator app and recovery codes."""
    TOTP.activate(world.agent, SECRET)
    RecoveryCodes.activate(world.agent)
    return world.agent


def test_setting_up_asks_who_one_is_first(world, as_user):
    for path in ("totp/activate", "webauthn/add", "recovery-codes/generate"):
        response = as_user(world.agent).get(f"/accounts/security/{path}/")
        assert response.headers["Location"].startswith("/accounts/reauthenticate/?next=")


def test_setting_up_by_qr_code_or_by_hand(world):
    client = confirmed(world.agent)
    page = client.get("/accounts/security/totp/activate/").text
    secret = re.search(r"<code[^>]*>([A-Z2-7]+)</code>", page)[1]
    assert "data:" not in page
    assert 'src="/accounts/security/totp/qr.svg"' in page
    svg = client.get("/accounts/security/totp/qr.svg")
    assert svg.headers["Content-Type"] == "image/svg+xml"
    assert "no-store" in svg.headers["Cache-Control"]
    assert b"<path" in svg.content
    wrong = client.post("/accounts/security/totp/activate/", {"code": "000000"})
    assert "This did not work." in wrong.text
    done = client.post("/accounts/security/totp/activate/", {"code": code(secret)}, follow=True)
    assert done.redirect_chain[-1][0] == "/accounts/security/recovery-codes/"
    assert len(re.findall(r"<code>\d{8}</code>", done.text)) == 10
    assert client.get("/accounts/security/totp/qr.svg").status_code == 404


def test_the_policy_allows_no_data_address(world):
    policy = (
        confirmed(world.agent).get("/accounts/security/totp/activate/").headers["Content-Security-Policy"]
    )
    assert "data:" not in policy


def test_the_code_is_asked_for_after_the_password(guarded):
    client = Client()
    page = log_in(client, guarded)
    assert page.redirect_chain[-1][0] == "/accounts/security/authenticate/"
    assert not inside(client)
    assert "This did not work." in client.post("/accounts/security/authenticate/", {"code": "000000"}).text
    assert not inside(client)
    done = client.post("/accounts/security/authenticate/", {"code": code(SECRET)}, follow=True)
    assert done.redirect_chain[-1][0] == "/leads/"


def test_a_code_works_once(guarded):
    used = code(SECRET)
    for expected in (True, False):
        client = Client()
        log_in(client, guarded)
        client.post("/accounts/security/authenticate/", {"code": used})
        assert inside(client) is expected


def test_a_clock_half_a_minute_off_is_forgiven_and_no_more(guarded):
    for ahead, expected in ((-1, True), (5, False)):
        client = Client()
        log_in(client, guarded)
        client.post("/accounts/security/authenticate/", {"code": code(SECRET, ahead)})
        assert inside(client) is expected


def test_one_goes_on_where_one_wanted_to(guarded, world):
    client = Client()
    wanted = f"/leads/{world.delivery.public_id}/"
    client.post("/accounts/login/", {"login": guarded.email, "password": PASSWORD, "next": wanted})
    done = client.post("/accounts/security/authenticate/", {"code": code(SECRET)})
    assert done.headers["Location"] == wanted


def test_after_five_wrong_codes_even_the_right_one_waits(guarded):
    client = Client()
    log_in(client, guarded)
    for _ in range(5):
        client.post("/accounts/security/authenticate/", {"code": "000000"})
    client.post("/accounts/security/authenticate/", {"code": code(SECRET)})
    assert not inside(client)


def test_a_recovery_code_lets_in_once(guarded):
    one = RecoveryCodes.activate(guarded).get_unused_codes()[0]
    for expected in (True, False):
        client = Client()
        log_in(client, guarded)
        client.post("/accounts/security/authenticate/", {"code": one})
        assert inside(client) is expected


def test_new_recovery_codes_end_the_old_ones(guarded):
    client = confirmed(guarded)
    old = RecoveryCodes.activate(guarded).get_unused_codes()
    page = client.post("/accounts/security/recovery-codes/generate/", follow=True)
    new = re.findall(r"<code>(\d{8})</code>", page.text)
    assert len(new) == 10
    assert not set(new) & set(old)
    saved = client.get("/accounts/security/recovery-codes/download/")
    assert re.findall(r"^\d{8}$", saved.text, re.MULTILINE) == new


def test_switching_off_asks_who_one_is_and_then_lets_the_password_alone_in(guarded, as_user):
    address = "/accounts/security/totp/deactivate/"
    assert as_user(guarded).post(address).headers["Location"].startswith("/accounts/reauthenticate/")
    assert Authenticator.objects.filter(user=guarded).exists()
    confirmed(guarded).post(address)
    assert not Authenticator.objects.filter(user=guarded).exists()  # the codes go with it
    client = Client()
    log_in(client, guarded)
    assert inside(client)


def test_another_way_to_prove_who_one_is_is_offered(guarded, as_user):
    text = as_user(guarded).get("/accounts/reauthenticate/?next=/team/").text
    assert "Use a code" in text
    assert "/accounts/security/reauthenticate/?next=" in text


def test_secrets_are_stored_encrypted(guarded):
    stored = {row.type: str(row.data) for row in Authenticator.objects.filter(user=guarded)}
    assert SECRET not in stored["totp"]
    assert RecoveryCodes.activate(guarded).get_unused_codes()[0] not in stored["recovery_codes"]


def test_a_changed_secret_key_reads_what_was_stored_under_the_old_one(guarded, settings):
    old = settings.SECRET_KEY
    row = Authenticator.objects.get(user=guarded, type="totp")
    with override_settings(
        SECRET_KEY="another one, just as long as it should be", SECRET_KEY_FALLBACKS=[old]
    ):
        assert row.wrap().validate_code(code(SECRET))
    with (
        override_settings(SECRET_KEY="another one, just as long as it should be", SECRET_KEY_FALLBACKS=[]),
        pytest.raises(ImproperlyConfigured),
    ):
        row.wrap().validate_code(code(SECRET, 1))


@pytest.mark.parametrize("credential", ["", "nonsense", "{}", '{"id": "x"}', "[1]", "null", FORGED])
def test_a_passkey_that_is_none_lets_nobody_in(world, credential):
    client = Client()
    client.get("/accounts/security/webauthn/login/", headers={"Accept": "application/json"})
    response = client.post("/accounts/security/webauthn/login/", {"credential": credential}, follow=True)
    assert response.redirect_chain[-1][0] == "/accounts/login/"
    assert not inside(client)


def test_anothers_passkey_is_not_there(world, guarded):
    theirs = Authenticator.objects.create(user=world.manager, type="webauthn", data={"name": "Theirs"})
    client = confirmed(guarded)
    for page in ("edit", "remove"):
        address = f"/accounts/security/webauthn/keys/{theirs.pk}/{page}/"
        assert client.get(address).status_code == client.post(address).status_code == 404


@pytest.mark.parametrize("credential", ["nonsense", "{}", '{"id": "x"}', FORGED])
def test_a_passkey_that_is_none_is_not_added(world, credential):
    client = confirmed(world.agent)
    client.get("/accounts/security/webauthn/add/")
    data = {"name": "Mine", "passwordless": "True", "credential": credential}
    assert client.post("/accounts/security/webauthn/add/", data).status_code == 200
    assert not Authenticator.objects.exists()
