"""Saved views of the list of leads: who sees them, who may change them, and what is kept of an address."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.http import QueryDict

from feedback.columns import COLUMN
from feedback.models import SavedView
from portal.access import Actor, Role, visible_to
from portal.keyset import PAGING

SAVED = "view"  # names the view in an address
MOST = 50  # views that a person can keep, and a team
LONGEST = 2000  # characters of a question
NAME = re.compile(r"[a-z0-9_-]{1,70}")  # of a column


class ViewError(ValueError):
    """Why a view was not kept, for the person."""


@dataclass(frozen=True)
class Shown:
    """The view that an address names; ``changed``: the address asks something else by now."""

    view: SavedView
    changed: bool
    editable: bool


def visible_views(actor: Actor) -> QuerySet[SavedView]:
    """The team's, and the person's own."""
    return visible_to(actor, SavedView.objects.filter(Q(shared=True) | Q(user=actor.user_id)))


def views_of(actor: Actor) -> list[SavedView]:
    """In the order of the tabs. One query."""
    return list(visible_views(actor))


def may_change(actor: Actor, view: SavedView) -> bool:
    """A person their own, whether shared or not; a manager also what others have shared."""
    return view.user_id == actor.user_id or (view.shared and actor.role == Role.BUYER_MANAGER)


def shown_view(views: Sequence[SavedView], query: QueryDict, actor: Actor) -> Shown | None:
    """The one of the person's views that the address names."""
    view = next((each for each in views if str(each.pk) == query.get(SAVED)), None)
    if view is None:
        return None
    return Shown(view, question(query) != (view.query, view.columns), may_change(actor, view))


def question(query: QueryDict) -> tuple[str, list[str]]:
    """What an address asks, and the columns it names: what a view keeps."""
    asked = query.copy()
    columns = [name for part in asked.getlist(COLUMN) for name in part.split(",") if NAME.fullmatch(name)]
    for name in (COLUMN, SAVED, *PAGING):
        asked.pop(name, None)
    for name in [name for name, values in asked.lists() if not any(values)]:
        asked.pop(name)
    return asked.urlencode(), list(dict.fromkeys(columns))


def save_view(actor: Actor, name: str, query: QueryDict, *, shared: bool) -> SavedView:
    """Keep what the address asks under a name. ViewError with what to do where that is not possible."""
    asked, columns = question(query)
    siblings = visible_views(actor).filter(shared=shared)
    if len(asked) > LONGEST:
        raise ViewError("These filters are too long to be kept.")
    if siblings.count() >= MOST:
        raise ViewError(f"There are {MOST} views already. Delete one that is not needed any more.")
    view = SavedView(buyer_id=actor.party_id or 0, query=asked, columns=columns)
    return rename(actor, view, name, shared=shared)


def rename(actor: Actor, view: SavedView, name: str, *, shared: bool) -> SavedView:
    """Give the view a name, and to the team or to its author. ViewError where the name will not do."""
    view.name, view.shared = " ".join(name.split()), shared
    view.user_id = view.user_id or actor.user_id
    longest = SavedView._meta.get_field("name").max_length or 0
    if not view.name:
        raise ViewError("Give the view a name.")
    if len(view.name) > longest or "\0" in view.name:
        raise ViewError(f"Use a name of at most {longest} characters.")
    try:
        with transaction.atomic():
            view.save()
    except IntegrityError:
        whose = "Your team has" if shared else "You have"
        raise ViewError(f"{whose} a view of this name already. Choose another name.") from None
    return view


def replace_question(view: SavedView, query: QueryDict) -> None:
    """Let the view ask what the address asks."""
    view.query, view.columns = question(query)
    if len(view.query) > LONGEST:
        raise ViewError("These filters are too long to be kept.")
    view.save(update_fields=["query", "columns"])
