"""The rail: each app registers the pages of its job; a person sees those of their role."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from portal.access import Actor, Role


@dataclass(frozen=True, slots=True)
class NavItem:
    """A line of the rail. ``badge`` returns a short text of what waits there (``"312 due"``) or ``""``.

    ``section`` is "" for the daily pages, else the small head under which the item stands.
    ``order`` sorts within a section. ``prefix`` is the URL path under which the item is current.
    """

    label: str
    url_name: str
    roles: tuple[Role, ...]
    order: int
    section: str = ""
    badge: Callable[[Actor], str] | None = None
    args: tuple[str, ...] = ()


_items: list[NavItem] = []


def register(*items: NavItem) -> None:
    """Called from an app's ``ready()``."""
    for item in items:
        if item not in _items:
            _items.append(item)


def items_for(actor: Actor) -> list[NavItem]:
    """The actor's lines, daily pages first."""
    mine = [item for item in _items if actor.role in item.roles]
    return sorted(mine, key=lambda item: (item.section, item.order))


def context(request: HttpRequest) -> dict[str, Any]:
    """``nav``: sections in order, each ``(head, [{label, url, badge, current}])``, for the layout."""
    actor: Actor = getattr(request, "actor", Actor("nobody"))
    sections: dict[str, list[dict[str, Any]]] = {}
    if (
        not getattr(request, "user", None)
        or not request.user.is_authenticated
        or request.headers.get("HX-Request")
    ):
        return {"nav": []}
    for item in items_for(actor):
        url = reverse(item.url_name, args=item.args)
        sections.setdefault(item.section, []).append(
            {
                "label": item.label,
                "url": url,
                "badge": item.badge(actor) if item.badge else "",
                "current": request.path.startswith(url),
            }
        )
    return {"nav": list(sections.items())}
