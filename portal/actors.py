"""From a signed-in person to an `Actor`: which of their memberships is in use."""

from __future__ import annotations

from django.http import HttpRequest

from portal.access import NOBODY, Actor
from portal.models import Membership, Party, User

SESSION_KEY = "membership"


def actor_for(membership: Membership) -> Actor:
    """The actor that a membership makes of its user."""
    party: Party = membership.seller or membership.buyer  # type: ignore[assignment]  # a check constraint
    return Actor(
        side="seller" if membership.seller_id else "buyer",
        party_id=party.pk,
        role=membership.role,
        user_id=membership.user_id,
        party_name=party.name,
        timezone=membership.user.timezone or party.timezone,
    )


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
    return actor_for(chosen[0]) if chosen else NOBODY
