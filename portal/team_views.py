"""The team's page: people and invitations. Everybody sees it; managers act on it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal import invitations, team
from portal.access import ROLES_OF, ActorRequest, Role, allow, get_or_404
from portal.models import Invitation, Membership
from portal.team import MANAGERS

UNDELIVERED = "The invitation stands, but its e-mail to {email} could not be sent. Send it again in a while."


class InviteForm(forms.Form):
    """Whom to invite, and as what."""

    email = forms.EmailField(label="E-mail", max_length=254)
    role = forms.ChoiceField()

    def __init__(self, side: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        roles: Any = self.fields["role"]
        roles.choices = [(role, Role(role).label) for role in ROLES_OF[side]]
        roles.initial = ROLES_OF[side][-1]  # the lesser one


@require_safe
@allow(*Role)
def team_page(request: ActorRequest) -> HttpResponse:
    """Who works for the company, and who is invited."""
    return _page(request, InviteForm(request.actor.side))


@require_POST
@allow(*MANAGERS)
def team_invite(request: ActorRequest) -> HttpResponse:
    """Invite a person by e-mail."""
    form = InviteForm(request.actor.side, request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    try:
        made, token = invitations.make(request.actor, **form.cleaned_data)
    except ValidationError as error:
        form.add_error(None, error)
        return _page(request, form, status=422)
    _send(request, made, token)
    return redirect("team")


@require_POST
@allow(*MANAGERS)
def team_resend(request: ActorRequest, pk: int) -> HttpResponse:
    """Send an invitation again, with a new link."""
    invitation = _invitation(request, pk)
    try:
        token = invitations.renew(invitation)
    except ValidationError as error:
        messages.info(request, error.messages[0])
    else:
        _send(request, invitation, token)
    return redirect("team")


@require_POST
@allow(*MANAGERS)
def team_withdraw(request: ActorRequest, pk: int) -> HttpResponse:
    """Withdraw an invitation: its link opens nothing any more."""
    invitation = _invitation(request, pk)
    if invitations.withdraw(invitation):
        messages.success(request, f"The invitation of {invitation.email} is withdrawn.")
    else:
        messages.info(request, "This invitation was taken or withdrawn meanwhile.")
    return redirect("team")


@require_POST
@allow(*MANAGERS)
def team_role(request: ActorRequest, pk: int) -> HttpResponse:
    """Give a person another role."""
    membership = _membership(request, pk)
    try:
        team.set_role(membership, request.POST.get("role", ""))
    except ValidationError as error:
        messages.error(request, error.messages[0])
    else:
        membership.refresh_from_db()
        messages.success(request, f"{membership.user.email} is {membership.get_role_display().lower()} now.")
    return redirect("team")


@require_http_methods(["GET", "HEAD", "POST"])
@allow(*MANAGERS)
def team_remove(request: ActorRequest, pk: int) -> HttpResponse:
    """Ask, then end a person's place."""
    membership = _membership(request, pk)
    fault = ""
    if request.method == "POST":
        try:
            team.remove(membership)
        except ValidationError as error:
            fault = error.messages[0]
        else:
            own = membership.user_id == request.user.pk
            told = "You no longer work" if own else f"{membership.user.email} no longer works"
            company = membership.buyer or membership.seller
            messages.success(request, f"{told} for {company}. To undo this, invite them again.")
            return redirect("home" if own else "team")
    context = {"membership": membership, "person": membership.user, "fault": fault}
    return render(request, "portal/team_remove.html", context, status=422 if fault else 200)


def _page(request: ActorRequest, form: InviteForm, status: int = 200) -> HttpResponse:
    context = {
        "members": team.members(request.actor),
        "pending": team.pending(request.actor),
        "may_manage": request.actor.role in MANAGERS,
        "roles": [(role, Role(role).label) for role in ROLES_OF[request.actor.side]],
        "form": form,
    }
    return render(request, "portal/team.html", context, status=status)


def _send(request: ActorRequest, invitation: Invitation, token: str) -> None:
    try:
        invitations.send(invitation, token)
    except invitations.UndeliveredError:
        messages.error(request, UNDELIVERED.format(email=invitation.email))
    else:
        messages.success(request, f"An invitation is on its way to {invitation.email}.")


def _invitation(request: ActorRequest, pk: int) -> Invitation:
    return get_or_404(request.actor, Invitation.objects.select_related("seller", "buyer"), pk=pk)


def _membership(request: ActorRequest, pk: int) -> Membership:
    return get_or_404(request.actor, Membership.objects.select_related("user", "seller", "buyer"), pk=pk)
