"""Second factors as allauth keeps them here: encrypted, with our name and our words."""

from __future__ import annotations

import base64
from typing import Any

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Exists, OuterRef
from django.utils.crypto import salted_hmac

from portal.models import User

STRONG = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)  # recovery codes alone are no second factor


class MFAAdapter(DefaultMFAAdapter):
    """A leaked database leaks no secret: they are encrypted under keys derived from SECRET_KEY.

    Secrets of an earlier SECRET_KEY are read as long as it stands in SECRET_KEY_FALLBACKS.
    """

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": "This did not work. Is the code or the passkey of this account? Try again.",
        "cannot_generate_recovery_codes": "Set up an authenticator app or a passkey first.",
    }

    def encrypt(self, text: str) -> str:
        return _fernet().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        try:
            return _fernet().decrypt(encrypted_text.encode()).decode()
        except InvalidToken:
            raise ImproperlyConfigured(
                "A second factor was stored under another SECRET_KEY: name that one in SECRET_KEY_FALLBACKS."
            ) from None

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        return {**super().get_public_key_credential_rp_entity(), "name": "Leadloop"}

    def generate_authenticator_name(self, user: Any, type: Any) -> str:  # noqa: A002  # allauth's name
        count = Authenticator.objects.filter(user=user, type=type).count()
        return "Passkey" if count == 0 else f"Passkey {count + 1}"


def _fernet() -> MultiFernet:
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return MultiFernet([Fernet(_derived(secret)) for secret in keys])


def _derived(secret: str | bytes) -> bytes:
    digest = salted_hmac("leadloop.second-factor", "key", secret=secret, algorithm="sha256").digest()
    return base64.urlsafe_b64encode(digest)


def has_second_factor(user: User) -> bool:
    """Whether a password alone does not let this person in."""
    return bool(Authenticator.objects.filter(user=user, type__in=STRONG).exists())


def second_factor_of(user_pk: str) -> Exists:
    """The same as an annotation; ``user_pk``: the look-up to the person's primary key."""
    return Exists(Authenticator.objects.filter(user=OuterRef(user_pk), type__in=STRONG))
