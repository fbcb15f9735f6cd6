"""allauth's forms in our words: a label says what to enter, so no placeholder repeats it."""

from __future__ import annotations

from typing import Any

from allauth.account import forms as allauth
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
