"""Who works for whom: invite a person, know which accounts are a seller's own, keep one owner."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import partial
from typing import Any

from allauth.account.forms import default_token_generator
from allauth.account.models import EmailAddress
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q, QuerySet, Value
from django.urls import reverse

from portal.access import Actor, Role, visible_to
from portal.ids import new_id
from portal.models import Buyer, Membership, Party, Seller, User


@dataclass(frozen=True, slots=True)
class Invitation:
    """What came of an invitation. ``password`` is "" unless a temporary one was made: show it once."""

    membership: Membership
    password: str = ""


@transaction.atomic
def invite(
    *, email: str, role: str, seller: Seller | None = None, buyer: Buyer | None = None, by_mail: bool = True
) -> Invitation:
    """Give a person a place at a seller or at a buyer, with an account if they had none.

    A new account gets a link by e-mail to set its password, or a temporary password. An account that
    stood already keeps its password: it may belong to another company too.
    Raises ValidationError where the role does not fit or the person is there already.
    """
    email = email.strip().lower()
    user = User.objects.filter(email__iexact=email).first()
    made = user is None
    if user is None:
        user = User(username=free_username(email), email=email)
        user.set_unusable_password()
        user.save()
    membership = Membership(user=user, seller=seller, buyer=buyer, role=role)
    _refuse_second(membership)
    membership.full_clean()
    membership.save()
    if made and not by_mail:
        return Invitation(membership, give_password(user))
    party: Party = seller or buyer  # type: ignore[assignment]  # full_clean saw to one of them
    transaction.on_commit(partial(send_link, user, party.name, choose=made))
    return Invitation(membership)


def _refuse_second(membership: Membership) -> None:
    party = {"seller": membership.seller} if membership.seller else {"buyer": membership.buyer}
    if Membership.objects.filter(user=membership.user, **party).exists():
        raise ValidationError({"email": "This person is in the list already. Change their role there."})


def free_username(email: str) -> str:
    """The e-mail address, as people log in with it; an id where somebody else has it as their name."""
    name = email[:150]
    return new_id("usr") if User.objects.filter(username__iexact=name).exists() else name


def give_password(user: User) -> str:
    """Set a temporary password and return it. It is nowhere else: show it once."""
    password = secrets.token_urlsafe(12)
    user.set_password(password)
    user.save(update_fields=["password"])
    return password


def send_link(user: User, company: str, *, choose: bool) -> None:
    """Send the way in: a link to choose a password, or the log-in page for who has one."""
    path, doing = reverse(settings.LOGIN_URL), "Log in with the password that you have"
    if choose:
        key = default_token_generator.make_token(user)
        where = {"uidb36": user_pk_to_url_str(user), "key": key}
        path, doing = reverse("account_reset_password_from_key", kwargs=where), "Choose your password"
    body = f"{company} has given you access to Leadloop.\n\n{doing}:\n{settings.BASE_URL}{path}\n"
    send_mail(f"Your access to {company}", body, None, [user.email])


def with_foreign(users: QuerySet[User], actor: Actor) -> QuerySet[User]:
    """Annotate ``foreign``: an operator, or somebody who works for another tenant too."""
    if actor.side == "operator":
        return users.annotate(foreign=Value(False))
    own = visible_to(actor, Membership.objects.all()).values("pk")
    elsewhere = Membership.objects.filter(user=OuterRef("pk")).exclude(pk__in=own)
    return users.annotate(
        foreign=ExpressionWrapper(Q(is_superuser=True) | Exists(elsewhere), output_field=BooleanField())
    )


def is_foreign(user: User, actor: Actor) -> bool:
    """Whether the actor may change no more of this account than its place with them."""
    rows: Any = with_foreign(User.objects.filter(pk=user.pk), actor)
    return bool(rows.filter(foreign=True).exists())


def is_last_owner(membership: Membership) -> bool:
    """Whether the seller would be left without an active owner."""
    if membership.role != Role.SELLER_OWNER or not membership.seller_id:
        return False
    others = Membership.objects.filter(
        seller=membership.seller_id, role=Role.SELLER_OWNER, user__is_active=True
    )
    return not others.exclude(pk=membership.pk).exists()


def forget_old_addresses(user: User) -> None:
    """A changed e-mail address is the only one that may still reset the password."""
    EmailAddress.objects.filter(user=user).exclude(email__iexact=user.email).delete()
