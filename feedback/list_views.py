"""The buyer's list of leads: by default what is due for feedback, that which is due first at the top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from django.db.models import QuerySet
from django.http import QueryDict
from django.middleware.csrf import get_token

from feedback.columns import COLUMN, chosen, on_offer
from feedback.desk import Desk, waiting_text
from feedback.due import DueFirst
from feedback.filters import ALL, DUE, VIEWS, LeadFilter
from feedback.models import SavedView
from feedback.saved_views import SAVED, Shown, shown_view, views_of
from feedback.tables import LeadTable
from flows.models import Delivery, Outcome
from portal.access import BUYERS, visible_to
from portal.keyset import PAGING, KeysetView, Sorted, Walk
from portal.tables import active_filters

NOTHING_DUE = (
    "Nothing is due",
    "Every lead that takes feedback has some. “In progress” has those that are not settled yet.",
)
NOTHING_HERE = "No leads here", "“All” shows every lead that was delivered to you."
# By which columns every list can be sorted, as an index has their order.
INDEXED: Mapping[str, Sorted] = {
    "delivered": Sorted(("delivered_at",)),
    "quality": Sorted(("quality_score",), may_be_null=True),
    "revenue": Sorted(("revenue",), may_be_null=True),
}
# And by which a list that is not too long: their order is that of other tables.
SHORT: Mapping[str, Sorted] = {
    "lead": Sorted(("lead__last_name", "lead__first_name")),
    "source": Sorted(("source__name",)),
}


class LeadList(KeysetView):
    """What was delivered to the buyer, and what became of it."""

    model = Delivery
    table_class, filterset_class = LeadTable, LeadFilter
    template_name = "feedback/lead_list.html"
    roles = BUYERS
    title, nouns = "Leads", "leads"

    @cached_property
    def desk(self) -> Desk:
        return Desk(self.request.actor)

    @cached_property
    def offered(self) -> dict[str, str]:
        return on_offer(self.desk)

    @cached_property
    def columns(self) -> list[str]:
        return chosen(list(self.offered), self.request.GET)

    def get_rows(self) -> QuerySet[Delivery]:
        return Delivery.objects.select_related("lead", "source", "flow")

    def get_filterset_kwargs(self, filterset_class: Any) -> dict[str, Any]:
        return {**super().get_filterset_kwargs(filterset_class), "desk": self.desk}

    def get_table(self, **kwargs: Any) -> LeadTable:
        table: LeadTable = super().get_table(
            desk=self.desk,
            columns=self.columns,
            token=get_token(self.request),
            here=self.request.get_full_path(),
            **kwargs,
        )
        return table

    def walk_of(self, table: LeadTable) -> Walk:
        due = self.filterset.shows == DUE
        table.only_sort("due", due)
        if table.paginator.is_capped:
            for name in SHORT:
                table.only_sort(name, False)
        usual = "due" if due else "-delivered"
        table.order_by = [*(table.order_by or ()), usual]  # which drops what cannot be sorted by
        sort = next(iter(table.order_by), usual)
        descending, name = sort.startswith("-"), sort.removeprefix("-")
        if name == "due":
            return DueFirst(self.desk, descending)
        walk = {**INDEXED, **SHORT}.get(name, INDEXED["delivered"])
        return Sorted(walk.names, descending, walk.may_be_null)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        query, filters = self.request.GET, context["filter"]
        self.say_why_empty(context["table"], filters.shows)
        saved = views_of(self.request.actor)
        current = shown_view(saved, query, self.request.actor)
        named = [name for name in active_filters(filters) if name != "show"]
        counted = filters.shows == DUE and not named  # the list itself is what waits
        waiting = context["table"].paginator.count_text if counted else waiting_text(self.desk)
        return {
            **context,
            "filtered": bool(named),
            "unfiltered_url": address(self.request.path, kept(query, COLUMN), show=filters.shows),
            "everywhere_url": _everywhere(self.request.path, query) if named and filters.shows != ALL else "",
            "shows": VIEWS[filters.shows][0] if filters.shows else "",
            "tabs": self.tabs(filters.shows, saved, current, waiting),
            "tools": "feedback/_lead_tools.html",
            "columns": [(name, label, name in self.columns) for name, label in self.offered.items()],
            "beside_filters": pairs(kept(query, COLUMN, SAVED)),
            "beside_columns": [
                (name, value) for name, value in pairs(query) if name not in (COLUMN, *PAGING)
            ],
            "current_view": current,
            "query": query.urlencode(),
            "desk": self.desk,
            "outcomes": Outcome.choices,
        }

    def say_why_empty(self, table: LeadTable, shows: str) -> None:
        """There may be leads, only none for this question."""
        if not table.paginator.count and visible_to(self.request.actor, Delivery.objects.all()).exists():
            table.empty_title, table.empty_hint = NOTHING_DUE if shows == DUE else NOTHING_HERE

    def tabs(
        self, shows: str, saved: Sequence[SavedView], current: Shown | None, waiting: str
    ) -> list[dict[str, Any]]:
        """The usual questions and the saved ones, as links; ``waiting``: how many leads wait for feedback."""
        path, columns = self.request.path, kept(self.request.GET, COLUMN)
        usual = [
            {
                "id": f"tab-{name}",
                "label": label,
                "url": address(path, columns, show="" if name == DUE else name),
                "current": name == shows and current is None,
                "count": waiting if name == DUE and waiting != "0" else "",
            }
            for name, (label, _) in VIEWS.items()
        ]
        return usual + [
            {
                "id": f"view-{view.pk}",
                "label": view.name,
                "url": f"{path}?{view.address}",
                "current": current is not None and current.view == view,
                "saved": True,
                "shared": view.shared,
            }
            for view in saved
        ]


def kept(query: QueryDict, *names: str) -> QueryDict:
    """Only some of the parameters."""
    some = QueryDict(mutable=True)
    for name in names:
        some.setlist(name, query.getlist(name))
    return some


def pairs(query: QueryDict) -> list[tuple[str, str]]:
    return [(name, value) for name, values in query.lists() for value in values]


def address(path: str, query: QueryDict, **more: str) -> str:
    """The list with these parameters; empty ones are left out."""
    whole = query.copy()
    for name, value in more.items():
        if value:
            whole[name] = value
    return f"{path}?{whole.urlencode()}" if whole else path


def _everywhere(path: str, query: QueryDict) -> str:
    """The same question of all leads."""
    beside = query.copy()
    for name in ("sort", "show", SAVED, *PAGING):
        beside.pop(name, None)
    return address(path, beside, show=ALL)
