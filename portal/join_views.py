"""Taking an invitation: by whoever holds its link."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_cache_control
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from portal import invitations
from portal.access import ActorRequest
from portal.actors import SESSION_KEY, account_of
from portal.models import Invitation, User


class NewPersonForm(forms.Form):
    """Who one is, and the password by which one comes in from now on."""

    first_name = forms.CharField(max_length=150, widget=forms.TextInput(attrs={"autocomplete": "given-name"}))
    last_name = forms.CharField(max_length=150, widget=forms.TextInput(attrs={"autocomplete": "family-name"}))
    password = forms.CharField(
        max_length=1000,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 8 characters; no common password, and not your name or address.",
    )

    def __init__(self, email: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.email = email

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if password := given.get("password"):
            names = {name: given.get(name, "") for name in ("first_name", "last_name")}
            try:
                validate_password(password, User(email=self.email, username=self.email, **names))
            except ValidationError as error:
                self.add_error("password", error)
        return given


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: ActorRequest, token: str) -> HttpResponse:
    """Join with the account one is logged in with, or with a new one."""
    try:
        invitation = invitations.find(token)
        if request.user.is_authenticated:
            response = _join_as(request, invitation)
        else:
            response = _join_anew(request, invitation)
    except invitations.ClosedError as error:
        response = render(request, "portal/join_closed.html", {"why": str(error)}, status=410)
    patch_cache_control(response, private=True, no_store=True)
    return response


def _join_as(request: ActorRequest, invitation: Invitation) -> HttpResponse:
    """One who is logged in confirms; with the account of another address they are told so."""
    user = account_of(request)
    if request.method == "POST" and invitations.fits(invitation, user):
        return _welcome(request, invitation, user)
    context = {**_context(invitation), "fits": invitations.fits(invitation, user), "account": user.email}
    return render(request, "portal/join.html", context, status=409 if request.method == "POST" else 200)


def _join_anew(request: ActorRequest, invitation: Invitation) -> HttpResponse:
    form = NewPersonForm(invitation.email, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            user = invitations.accept_new(invitation, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
            return _entered(request, invitation, user)
    context = {**_context(invitation), "form": form, "here": request.path}
    return render(request, "portal/join_new.html", context, status=422 if form.errors else 200)


def _welcome(request: ActorRequest, invitation: Invitation, user: User) -> HttpResponse:
    invitations.accept(invitation, user)
    return _entered(request, invitation, user)


def _entered(request: ActorRequest, invitation: Invitation, user: User) -> HttpResponse:
    """To the first page of the new company."""
    company = invitations.company_of(invitation)
    place = user.memberships.filter(seller=invitation.seller, buyer=invitation.buyer).first()
    request.session[SESSION_KEY] = place.pk if place else None
    messages.success(request, f"Welcome. You work for {company} now.")
    return redirect("home")


def _context(invitation: Invitation) -> dict[str, Any]:
    return {"invitation": invitation, "company": invitations.company_of(invitation)}
