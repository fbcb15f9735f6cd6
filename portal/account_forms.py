"""allauth's forms in our words: a label says what to enter, so no placeholder repeats it."""

from __future__ import annotations

import struct
from typing import Any

from allauth.account import forms as allauth
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base import forms as mfa
from allauth.mfa.totp import forms as totp
from allauth.mfa.webauthn import forms as webauthn
from cryptography.exceptions import InvalidSignature
from django import forms
from django.forms import Form


class Plain(Form):
    """Labels by field name; no placeholders."""

    labels: dict[str, str] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.widget.attrs.pop("placeholder", None)
            field.label = self.labels.get(name, field.label)


class LogInForm(Plain, allauth.LoginForm):
    labels = {"login": "Username or e-mail"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].widget.attrs.update(autocomplete="username", autofocus=True)


class PasswordChangeForm(Plain, allauth.ChangePasswordForm):
    labels = {
        "oldpassword": "Present password",
        "password1": "New password",
        "password2": "New password, again",
    }


class PasswordResetForm(Plain, allauth.ResetPasswordForm):
    labels = {"email": "E-mail"}


class PasswordKeyForm(Plain, allauth.ResetPasswordKeyForm):
    labels = {"password1": "New password", "password2": "New password, again"}


class ReauthenticateForm(Plain, allauth.ReauthenticateForm):
    labels = {"password": "Password"}


class WithCode(Plain):
    """A code of an authenticator app, or a recovery code."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].widget.attrs.update(autofocus=True, inputmode="numeric", maxlength=32)


class CodeForm(WithCode, mfa.AuthenticateForm):
    labels = {"code": "Code"}


class ReauthenticateCodeForm(WithCode, mfa.ReauthenticateForm):
    labels = {"code": "Code"}


class ActivateTOTPForm(WithCode, totp.ActivateTOTPForm):
    labels = {"code": "Code that the app shows"}


# What fido2 raises at a credential that is malformed or forged; allauth lets some of it through to a 500.
NO_CREDENTIAL = (AttributeError, LookupError, TypeError, ValueError, struct.error, InvalidSignature)


class WithCredential(Plain):
    """A browser's answer to a ceremony: whatever is wrong with it, it is refused in the same words."""

    def clean_credential(self) -> Any:
        try:
            return super().clean_credential()  # type: ignore[misc]  # of the form that it is mixed into
        except NO_CREDENTIAL:
            raise get_adapter().validation_error("incorrect_code") from None


class PasskeyLogInForm(WithCredential, webauthn.LoginWebAuthnForm):
    """Log in with a passkey alone."""


class PasskeyCodeForm(WithCredential, webauthn.AuthenticateWebAuthnForm):
    """A passkey as the second step."""


class ReauthenticatePasskeyForm(WithCredential, webauthn.ReauthenticateWebAuthnForm):
    """A passkey before a change."""


class AddPasskeyForm(Plain, webauthn.AddWebAuthnForm):
    """A passkey always opens the account by itself, so the device must check who holds it."""

    labels = {"name": "Name"}
    passwordless = forms.BooleanField(widget=forms.HiddenInput, initial=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].help_text = "By which you know it again: the device or the key ring it is on."
        self.fields["name"].widget.attrs["maxlength"] = 60

    def clean(self) -> Any:
        try:
            return super().clean()
        except NO_CREDENTIAL:
            raise get_adapter().validation_error("incorrect_code") from None

    def clean_name(self) -> str:
        """Cut, never refused: the device holds the key already."""
        return str(super().clean_name())[:60]


class RenamePasskeyForm(Plain, webauthn.EditWebAuthnForm):
    labels = {"name": "Name"}
    name = forms.CharField(max_length=60)
