"""The rail: each app registers the pages of its job; a person sees those of their role."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from portal.access import NOBODY, Actor, Role
from portal.actors import other_memberships

SECTIONS = ("", "Set-up")


@dataclass(frozen=True, slots=True)
class NavItem:
    """A line of the rail. ``badge`` returns a short text of what waits there (``"312 due"``) or ``""``.

    ``section`` is "" for the daily pages, else the small head under which the item stands.
    ``order`` sorts within a section. The item is current on its own page and on all beneath it.
    """

    label: str
    url_name: str
    roles: tuple[Role, ...]
    order: int
    section: str = ""
    badge: Callable[[Actor], str] | None = None
    args: tuple[str, ...] = ()
    also: tuple[str, ...] = ()  # names of further pages at which, and beneath which, it is current

    @property
    def url(self) -> str:
        return reverse(self.url_name, args=self.args)

    def reaches(self, path: str) -> int:
        """How far into the path one of its addresses goes, in characters; 0 where none begins it."""
        addresses = (self.url, *(reverse(name) for name in self.also))
        return max((len(each) for each in addresses if path.startswith(each)), default=0)


_items: list[NavItem] = []


def register(*items: NavItem) -> None:
    """Called from an app's ``ready()``."""
    for item in items:
        if item not in _items:
            _items.append(item)


def items_for(actor: Actor) -> list[NavItem]:
    """The actor's lines, daily pages first. An operator has the set-up pages and no daily ones."""
    mine = [item for item in _items if actor.role in item.roles or _for_operator(actor, item)]
    return sorted(mine, key=lambda item: (SECTIONS.index(item.section), item.order))


def _for_operator(actor: Actor, item: NavItem) -> bool:
    return actor.side == "operator" and item.url_name.startswith("admin:")


def context(request: HttpRequest) -> dict[str, Any]:
    """``nav`` (see `rail`) and ``other_memberships`` for the layout.

    Lazy: a table's cells are templates with a request too, and must not ask for the badges again.
    """
    actor: Actor = getattr(request, "actor", NOBODY)
    return {
        "nav": SimpleLazyObject(lambda: rail(actor, request.path)),
        "other_memberships": SimpleLazyObject(lambda: other_memberships(request)),
    }


def rail(actor: Actor, path: str) -> list[tuple[str, list[dict[str, Any]]]]:
    """Sections in order, each ``(head, [{label, url, badge, current}])``."""
    items = items_for(actor)
    nearest = max(items, key=lambda item: item.reaches(path), default=None)
    current = nearest.url if nearest and nearest.reaches(path) else ""
    sections: dict[str, list[dict[str, Any]]] = {}
    for item in items:
        line = {"label": item.label, "url": item.url, "current": item.url == current}
        line["badge"] = item.badge(actor) if item.badge else ""
        sections.setdefault(item.section, []).append(line)
    return list(sections.items())
