"""From a signed-in person to an `Actor`: which of their memberships is in use."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from portal.access import NOBODY, Actor, Role
from portal.models import Membership, Party, User

SESSION_KEY = "membership"


def party_of(membership: Membership) -> Party:
    """The seller or the buyer: a check constraint sees to one of them."""
    return membership.seller or membership.buyer  # type: ignore[return-value]


def actor_for(membership: Membership) -> Actor:
    """The actor that a membership makes of its user."""
    party = party_of(membership)
    return Actor(
        side="seller" if membership.seller_id else "buyer",
        party_id=party.pk,
        role=membership.role,
        user_id=membership.user_id,
        party_name=party.name,
        timezone=membership.user.timezone or party.timezone,
    )


def account_of(request: HttpRequest) -> User:
    """The account of the one who is logged in, as it stands in the database."""
    return User.objects.get(pk=request.user.pk or 0)


def memberships_of(user: User) -> list[Membership]:
    """The user's memberships, oldest first, with their parties."""
    return list(user.memberships.select_related("user", "seller", "buyer").order_by("pk"))


def actor_of(request: HttpRequest) -> Actor:
    """The actor of a browser request: the membership chosen in the session, else the oldest."""
    user = request.user
    if not user.is_authenticated or not user.is_active:
        return NOBODY
    if user.is_superuser:
        return Actor("operator", user_id=user.pk, party_name="Operator", timezone=user.timezone or "UTC")
    memberships = memberships_of(user)
    chosen = [m for m in memberships if m.pk == request.session.get(SESSION_KEY)] or memberships
    request.memberships = memberships  # type: ignore[attr-defined]  # spares the rail a query
    return actor_for(chosen[0]) if chosen else NOBODY


def other_memberships(request: HttpRequest) -> list[dict[str, Any]]:
    """The companies that the person could work for instead: ``{pk, party_name, role}`` each."""
    actor: Actor = getattr(request, "actor", NOBODY)
    side, party_id = actor.side, actor.party_id
    return [
        {"pk": membership.pk, "party_name": party_of(membership).name, "role": Role(membership.role).label}
        for membership in getattr(request, "memberships", ())
        if (actor_for(membership).side, party_of(membership).pk) != (side, party_id)
    ]
