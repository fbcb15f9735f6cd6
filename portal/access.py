"""The sole choke point: whoever asks, what they may see, or 404.

Every model of the house declares ``access_paths``: by which look-up one of its rows belongs to a
seller and to a buyer. Nothing outside this file decides whose row a row is. A view, an admin class
and the API alike build an `Actor` and go through `visible_to` or `get_or_404`; another tenant's
object is indistinguishable from one that does not exist.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeVar
from urllib.parse import urlsplit

from django.core.exceptions import PermissionDenied
from django.db.models import Model, Q, QuerySet, TextChoices
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import resolve_url
from django.utils.cache import patch_vary_headers

M = TypeVar("M", bound=Model)
Side = Literal["seller", "buyer", "operator", "nobody"]


class Role(TextChoices):
    """What a person may do for their company."""

    SELLER_OWNER = "seller_owner", "Seller owner"
    SELLER_ANALYST = "seller_analyst", "Seller analyst"
    BUYER_MANAGER = "buyer_manager", "Buyer manager"
    BUYER_AGENT = "buyer_agent", "Buyer agent"


ROLES_OF: dict[str, list[str]] = {
    "seller": [Role.SELLER_OWNER.value, Role.SELLER_ANALYST.value],
    "buyer": [Role.BUYER_MANAGER.value, Role.BUYER_AGENT.value],
}
SELLERS = (Role.SELLER_OWNER, Role.SELLER_ANALYST)
BUYERS = (Role.BUYER_MANAGER, Role.BUYER_AGENT)

Path = str | Callable[[int], Q] | None


class Paths(NamedTuple):
    """By which look-up a model's row belongs to a party; ``None``: that side never sees it.

    A path is a field look-up (``"flow__seller"``) or a function from the party's primary key to a Q.
    ``flow`` is the look-up to the flow's primary key, for API keys that are limited to some flows.
    """

    seller: Path
    buyer: Path
    flow: str | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: a person in one of their memberships, or an API key.

    An operator (a superuser) runs the installation and sees every row; nobody sees none.
    """

    side: Side
    party_id: int | None = None
    role: str = ""
    user_id: int | None = None
    key_id: int | None = None
    flow_ids: frozenset[int] | None = None  # None: every flow of the party
    party_name: str = ""
    timezone: str = "UTC"

    @property
    def is_seller(self) -> bool:
        return self.side == "seller"

    @property
    def is_buyer(self) -> bool:
        return self.side == "buyer"

    @property
    def may_configure(self) -> bool:
        """Change flows, keys, rules, people: owners and operators."""
        return self.side == "operator" or self.role == Role.SELLER_OWNER


NOBODY = Actor("nobody")


class ActorRequest(HttpRequest):
    """The request as views see it: with its actor (ActorMiddleware), htmx details and id."""

    actor: Actor
    htmx: Any
    request_id: str


def visible_to(actor: Actor, queryset: QuerySet[M]) -> QuerySet[M]:
    """The rows of ``queryset`` that the actor may see."""
    paths: Paths = queryset.model.access_paths  # type: ignore[attr-defined]  # each model of the house has it
    if actor.side == "operator":
        return queryset
    path = {"seller": paths.seller, "buyer": paths.buyer}.get(actor.side)
    if path is None or actor.party_id is None:
        return queryset.none()
    if callable(path):
        # A Q over a to-many relation may match a row twice; a sub-query keeps each once.
        queryset = queryset.filter(
            pk__in=queryset.model._default_manager.filter(path(actor.party_id)).values("pk")
        )
    else:
        queryset = queryset.filter(**{path: actor.party_id})
    if actor.flow_ids is not None and paths.flow is not None:
        queryset = queryset.filter(**{f"{paths.flow}__in": actor.flow_ids})
    return queryset


def get_or_404(actor: Actor, queryset: QuerySet[M], **lookup: Any) -> M:
    """The one visible row that fits ``lookup``, or Http404 with the same words in every case."""
    named = not any("\0" in str(value) for value in lookup.values())  # PostgreSQL refuses to look for a NUL
    row = visible_to(actor, queryset).filter(**lookup).first() if named else None
    if row is None:
        raise Http404("There is nothing here, or it is not yours to see.")
    return row


def login_redirect(request: HttpRequest) -> HttpResponse:
    """To the log-in page and back; an HTMX request moves the whole page, never a fragment of it."""
    htmx = request.headers.get("HX-Request") == "true"
    back = request.headers.get("HX-Current-URL", "/") if htmx else request.get_full_path()
    if htmx:  # only the path: never carry a host that the client named
        parts = urlsplit(back)
        back = parts.path + (f"?{parts.query}" if parts.query else "")
    query = QueryDict(mutable=True)
    query["next"] = back
    target = f"{resolve_url('account_login')}?{query.urlencode(safe='/')}"
    if htmx:
        return HttpResponse(status=204, headers={"HX-Redirect": target})
    return HttpResponse(status=302, headers={"Location": target})


V = TypeVar("V", bound=Callable[..., HttpResponseBase])


def allow(*roles: Role) -> Callable[[V], V]:
    """Decorate a page's view with the roles that may use it.

    Anonymous: to the log-in page. The other side: 404, as if there were no such page. The right
    side in a lesser role: 403.
    """
    sides = {side for side, of_side in ROLES_OF.items() if any(role.value in of_side for role in roles)}

    def decorate(view: V) -> V:
        @functools.wraps(view)
        def guarded(request: ActorRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            actor = request.actor
            if not request.user.is_authenticated:
                return login_redirect(request)
            if actor.side not in sides:
                raise Http404("There is nothing here, or it is not yours to see.")
            if actor.role not in roles:
                raise PermissionDenied(
                    "Your role does not allow this. Ask the owner of your company's account."
                )
            response = view(request, *args, **kwargs)
            patch_vary_headers(response, ["HX-Request"])
            return response

        guarded.allowed_roles = roles  # type: ignore[attr-defined]  # read by the route × role test
        return guarded  # type: ignore[return-value]

    return decorate


def logged_in(view: V) -> V:
    """Decorate a page that is about the person themselves, whatever their role, operators too."""

    @functools.wraps(view)
    def guarded(request: ActorRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return login_redirect(request)
        response = view(request, *args, **kwargs)
        patch_vary_headers(response, ["HX-Request"])
        return response

    return guarded  # type: ignore[return-value]
