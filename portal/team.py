"""A company's people: who there are, another role, removal. There is always a manager."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet

from portal.access import ROLES_OF, Actor, Role, visible_to
from portal.actors import party_of
from portal.invitations import still_open
from portal.models import Invitation, Membership, Party, User
from portal.people import with_foreign
from portal.second_factor import second_factor_of
from portal.sessions import end_all

MANAGERS = (Role.BUYER_MANAGER, Role.SELLER_OWNER)  # of each side, who decides about its people
LAST_MANAGER = "There must be one {role} who can log in. Make somebody else one first."


def company(actor: Actor) -> dict[str, Any]:
    """The look-up by which a row belongs to the actor's own company; a seller's buyers are others."""
    return {"seller_id": actor.party_id} if actor.is_seller else {"buyer_id": actor.party_id}


def members(actor: Actor) -> list[dict[str, Any]]:
    """``{membership, user, second_factor, foreign, last}``, by name.

    ``foreign``: works elsewhere too, so their last log-in is not shown; ``last``: the only manager.
    """
    rows = visible_to(actor, Membership.objects.filter(**company(actor)))
    rows = rows.annotate(second_factor=second_factor_of("user")).select_related("user", "seller", "buyer")
    rows = rows.order_by("user__first_name", "user__last_name", "user__email", "pk")
    team = list(rows)
    users: Any = with_foreign(User.objects.filter(pk__in=[row.user_id for row in team]), actor)
    foreign = {user.pk for user in users if user.foreign}
    managers = [row for row in team if row.role in MANAGERS and row.user.is_active]
    return [
        {
            "membership": row,
            "user": row.user,
            "second_factor": row.second_factor,
            "foreign": row.user_id in foreign,
            "last": managers == [row],
        }
        for row in team
    ]


def pending(actor: Actor) -> QuerySet[Invitation]:
    """The company's open invitations, the newest first."""
    rows = Invitation.objects.filter(still_open(), **company(actor)).select_related("invited_by")
    return visible_to(actor, rows).order_by("-created_at", "-pk")


def roles_of(membership: Membership) -> list[tuple[str, str]]:
    """The roles that a person may have at this company."""
    side = "seller" if membership.seller_id else "buyer"
    return [(role, Role(role).label) for role in ROLES_OF[side]]


@transaction.atomic
def set_role(membership: Membership, role: str) -> None:
    """Another role at the same company. ValidationError for one of the other side's, or the last manager."""
    if role not in dict(roles_of(membership)):
        raise ValidationError("Choose one of the roles that are offered.")
    _keep_a_manager(membership, unless=role in MANAGERS)
    Membership.objects.filter(pk=membership.pk).update(role=role)


@transaction.atomic
def remove(membership: Membership) -> None:
    """End a person's place at once: their next click finds nothing. ValidationError for the last manager.

    Who then works for nobody is logged out everywhere; who works elsewhere too goes on there.
    """
    _keep_a_manager(membership, unless=False)
    user = membership.user
    membership.delete()
    if not user.is_superuser and not user.memberships.exists():
        end_all(user)


def _keep_a_manager(membership: Membership, *, unless: bool) -> None:
    """Lock the company, so that two managers cannot remove each other at once; look who would be left."""
    party = party_of(membership)
    list(type(party)._default_manager.select_for_update().filter(pk=party.pk))
    if unless or membership.role not in MANAGERS:
        return
    others = _colleagues(membership, party).filter(role=membership.role, user__is_active=True)
    if not others.exists():
        raise ValidationError(LAST_MANAGER.format(role=membership.get_role_display().lower()))


def _colleagues(membership: Membership, party: Party) -> QuerySet[Membership]:
    side = "seller" if membership.seller_id else "buyer"
    return Membership.objects.filter(**{side: party.pk}).exclude(pk=membership.pk)
