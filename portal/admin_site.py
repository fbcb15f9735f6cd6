"""The Django admin, opened to sellers."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from portal.access import Actor, login_redirect


class SellerAdminSite(admin.AdminSite):
    """For people of a seller and for operators; everybody logs in by the one log-in page."""

    site_header = "Leadloop set-up"
    site_title = "Leadloop"
    index_title = "Set-up"
    site_url = "/"

    def has_permission(self, request: HttpRequest) -> bool:
        actor: Actor = request.actor  # type: ignore[attr-defined]  # set by ActorMiddleware
        return bool(request.user.is_active) and actor.side in ("seller", "operator")

    def login(self, request: HttpRequest, extra_context: dict[str, object] | None = None) -> HttpResponse:
        return login_redirect(request)
