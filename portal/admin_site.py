"""The Django admin, opened to sellers."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.contrib import admin
from django.contrib.auth import logout
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, URLResolver
from django.utils.functional import SimpleLazyObject

from portal.access import NOBODY, Actor, login_redirect, visible_to

RECENT = 10
# The models by the order of the work; what is named nowhere comes last.
GROUPS = (
    ("Selling", ("Flow", "Source", "Buyer", "Agreement", "ApiKey")),
    ("People", ("Membership", "User", "Seller")),
    ("Automation", ("Rule", "SuppressionList", "SuppressionEntry", "Endpoint")),
    (
        "Look up",
        ("Delivery", "Lead", "Feedback", "ChangeSet", "Upload", "Decision", "Alert", "OutboxMessage"),
    ),
)


class SellerAdminSite(admin.AdminSite):
    """For people of a seller and for operators; everybody logs in by the one log-in page."""

    site_header = "Leadloop set-up"
    site_title = "Leadloop"
    index_title = "Set-up"
    site_url = "/"
    empty_value_display = "–"

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Only models that say whose their rows are; what other apps bring along stays out."""
        models = [model_or_iterable] if isinstance(model_or_iterable, type) else model_or_iterable
        scoped = [model for model in models if hasattr(model, "access_paths")]
        super().register(scoped, admin_class, **options)

    def has_permission(self, request: HttpRequest) -> bool:
        actor: Actor = getattr(request, "actor", NOBODY)
        return bool(request.user.is_active) and actor.side in ("seller", "operator")

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Strangers log in; people of a buyer find nothing here, as if there were no such page."""
        guarded = super().admin_view(view, cacheable)

        def only_for_sellers(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if not request.user.is_authenticated:
                return login_redirect(request)
            if not self.has_permission(request):
                raise Http404("There is nothing here, or it is not yours to see.")
            return guarded(request, *args, **kwargs)

        return only_for_sellers

    def get_urls(self) -> list[Any]:
        """Without the redirect by content type, which would tell whether another tenant's row exists."""
        return [url for url in super().get_urls() if _name(url) != "view_on_site"]

    def login(self, request: HttpRequest, extra_context: dict[str, object] | None = None) -> HttpResponse:
        return login_redirect(request)

    def logout(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """By POST only, then to the one log-in page."""
        if request.method != "POST":
            return HttpResponse(status=405, headers={"Allow": "POST"})
        logout(request)
        return redirect("account_login")

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> Any:
        return redirect("account_change_password")

    def password_change_done(self, request: HttpRequest, extra_context: Any = None) -> Any:
        return redirect("account_change_password")

    def each_context(self, request: Any) -> dict[str, Any]:
        return {**super().each_context(request), "recent": SimpleLazyObject(lambda: recent_actions(request))}

    def index(self, request: HttpRequest, extra_context: Any = None) -> Any:
        context = {"start": self._nothing_yet(request), **(extra_context or {})}
        return super().index(request, context)

    def _nothing_yet(self, request: HttpRequest) -> bool:
        """Whether an owner has no flow yet, and so needs to be told where to begin."""
        pages = [page for model, page in self._registry.items() if model.__name__ == "Flow"]
        return any(
            page.has_add_permission(request) and not page.get_queryset(request).exists() for page in pages
        )

    def get_log_entries(self, request: HttpRequest) -> QuerySet[Any]:
        """The stock template tag gets nothing; our index shows `recent_actions`."""
        from django.contrib.admin.models import LogEntry

        return LogEntry.objects.none()

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """By the order of the work instead of by Django app."""
        apps = super().get_app_list(request, app_label)
        if app_label is not None:
            return apps
        models = {model["object_name"]: model for app in apps for model in app["models"]}
        groups = [(head, [models.pop(name) for name in names if name in models]) for head, names in GROUPS]
        groups.append(("More", list(models.values())))
        return [
            {"name": head, "app_label": "", "app_url": "", "has_module_perms": True, "models": rows}
            for head, rows in groups
            if rows
        ]


def _name(url: URLPattern | URLResolver) -> str:
    return getattr(url, "name", "") or ""


def recent_actions(request: HttpRequest) -> list[Any]:
    """The person's own latest entries, of rows that the actor can still see.

    A person of two companies sees under each only what they did there. Deleted rows show no name.
    """
    from django.contrib.admin.models import DELETION, LogEntry

    actor: Actor = getattr(request, "actor", NOBODY)
    entries = list(
        LogEntry.objects.filter(user=actor.user_id)
        .exclude(action_flag=DELETION)
        .select_related("content_type")[:50]
    )
    wanted: dict[Any, set[str]] = defaultdict(set)
    for entry in entries:
        wanted[entry.content_type].add(str(entry.object_id))
    seen = {kind: _visible_keys(actor, kind, keys) for kind, keys in wanted.items()}
    return [entry for entry in entries if entry.object_id in seen[entry.content_type]][:RECENT]


def _visible_keys(actor: Actor, kind: Any, keys: set[str]) -> set[str]:
    model = kind.model_class() if kind is not None else None
    if model is None or not hasattr(model, "access_paths"):
        return set()
    return {
        str(key)
        for key in visible_to(actor, model._default_manager.filter(pk__in=keys)).values_list("pk", flat=True)
    }
