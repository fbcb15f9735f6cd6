"""Invitations by e-mail: a link that opens one place at a company, once, for a week.

The link is the proof that one reads the invited mailbox. So an account that is made by it gets that
address, and only the account of that address may take the place. Whoever invites learns nothing about
whether the address has an account.
"""

from __future__ import annotations

import datetime as dt
import logging
import secrets
import smtplib
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac

from portal.access import Actor
from portal.models import Invitation, Membership, Party, User
from portal.people import free_username

LASTS = dt.timedelta(days=7)
log = logging.getLogger("leadloop.invitations")


class ClosedError(Exception):
    """The link opens nothing, in words for whoever holds it."""


class UndeliveredError(Exception):
    """The mail server did not take the e-mail. The invitation stands and can be sent again."""


def company_of(invitation: Invitation) -> Party:
    return invitation.seller or invitation.buyer  # type: ignore[return-value]  # a check constraint


def still_open() -> Q:
    """Not taken and not withdrawn; one that is too old is still shown, to be sent again."""
    return Q(accepted_at=None, withdrawn_at=None)


def make(actor: Actor, *, email: str, role: str) -> tuple[Invitation, str]:
    """Offer a place at the actor's company; → the invitation and the link's token, which is nowhere else.

    ValidationError where the address is in the team already, or has an invitation that is still open.
    """
    email = email.strip().lower()
    here: dict[str, Any] = {f"{actor.side}_id": actor.party_id}
    if Membership.objects.filter(user__email__iexact=email, **here).exists():
        raise ValidationError({"email": "This person is in the team already."})
    token = secrets.token_urlsafe(32)
    invitation = Invitation(
        email=email,
        role=role,
        digest=_digest(token),
        invited_by_id=actor.user_id,
        expires_at=timezone.now() + LASTS,
        **here,
    )
    try:
        with transaction.atomic():
            invitation.save()
    except IntegrityError:
        raise ValidationError({"email": "This address is invited already. Send it again below."}) from None
    return invitation, token


def renew(invitation: Invitation) -> str:
    """A new token, good for another week; the link before it opens nothing any more.

    ValidationError where the invitation was taken or withdrawn meanwhile.
    """
    token = secrets.token_urlsafe(32)
    fresh = {"digest": _digest(token), "expires_at": timezone.now() + LASTS, "sent_at": None}
    if not Invitation.objects.filter(still_open(), pk=invitation.pk).update(**fresh):
        raise ValidationError("This invitation was taken or withdrawn meanwhile.")
    invitation.refresh_from_db()
    return token


def send(invitation: Invitation, token: str) -> None:
    """Send the link, outside of any transaction. UndeliveredError where the mail server does not take it."""
    company = company_of(invitation).name
    link = f"{settings.BASE_URL}{reverse('join', args=[token])}"
    body = (
        f"{company} invites you to work with them in Leadloop ({invitation.get_role_display().lower()}).\n\n"
        f"Join by this link, until {invitation.expires_at:%Y-%m-%d %H:%M} UTC:\n{link}\n\n"
        "It works once. You expected no invitation? Then you need not do anything.\n"
    )
    try:
        send_mail(f"{company} invites you to Leadloop", body, None, [invitation.email])
    except (OSError, smtplib.SMTPException) as error:  # refused, unreachable, too slow
        log.warning("invitation %s could not be sent: %s", invitation.pk, error)
        raise UndeliveredError from error
    invitation.sent_at = timezone.now()
    invitation.save(update_fields=["sent_at"])


def withdraw(invitation: Invitation) -> bool:
    """Close the link at once; False where it was taken or withdrawn before."""
    rows = Invitation.objects.filter(still_open(), pk=invitation.pk)
    return bool(rows.update(withdrawn_at=timezone.now()))


def find(token: str) -> Invitation:
    """The open invitation of a link. ClosedError, in the same words whatever it was that closed it."""
    rows: QuerySet[Invitation] = Invitation.objects.filter(still_open(), digest=_digest(token))
    invitation = rows.select_related("seller", "buyer", "invited_by").first()
    if invitation is None or invitation.expires_at <= timezone.now():
        raise ClosedError("It was used already, was withdrawn, or is more than a week old.")
    return invitation


def fits(invitation: Invitation, user: User) -> bool:
    """Whether the account has the address that was invited."""
    return user.email.strip().lower() == invitation.email


@transaction.atomic
def accept(invitation: Invitation, user: User) -> Membership:
    """Give the person the place, once. ClosedError where the invitation is over, or is another address's."""
    if not fits(invitation, user):
        raise ClosedError("It was sent to another address than that of your account.")
    taken = Invitation.objects.filter(still_open(), pk=invitation.pk, expires_at__gt=timezone.now())
    if not taken.update(accepted_at=timezone.now()):
        raise ClosedError("It was used already, was withdrawn, or is more than a week old.")
    party = {"seller": invitation.seller, "buyer": invitation.buyer}
    membership, _ = Membership.objects.get_or_create(user=user, **party, defaults={"role": invitation.role})
    return membership


@transaction.atomic
def accept_new(invitation: Invitation, *, first_name: str, last_name: str, password: str) -> User:
    """Make the account of the invited address and give it the place. ClosedError as `accept`.

    ValidationError where the address has an account: only its password opens it.
    """
    if User.objects.filter(email__iexact=invitation.email).exists():
        raise ValidationError(
            "This address cannot be given a new account. Log in to join, or reset your password first."
        )
    user = User(
        username=free_username(invitation.email),
        email=invitation.email,
        first_name=first_name,
        last_name=last_name,
    )
    user.set_password(password)
    user.save()
    accept(invitation, user)
    return user


def _digest(token: str) -> str:
    return salted_hmac("leadloop.invitation", token, algorithm="sha256").hexdigest()
