"""The front door, health, the choice of a company, errors."""

from __future__ import annotations

import sys

from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from portal import errors, health
from portal.access import ActorRequest, login_redirect
from portal.actors import SESSION_KEY, memberships_of
from portal.navigation import items_for


@require_safe
def home(request: ActorRequest) -> HttpResponse:
    """To the first page of the person's job."""
    if not request.user.is_authenticated:
        return login_redirect(request)
    items = items_for(request.actor)
    if items:
        return redirect(items[0].url)
    if request.actor.side == "operator":
        return redirect("admin:index")
    return errors.page(request, 403, reason="You do not work for any company here. Ask who invited you.")


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """Whether the work can be done: 200, or 503 when any check fails."""
    checks = health.report()
    ready = set(checks.values()) == {"ok"}
    body = {"status": "ok" if ready else "unavailable", "checks": checks}
    return JsonResponse(body, status=200 if ready else 503)


@require_POST
def choose_membership(request: ActorRequest) -> HttpResponse:
    """Work for another of the person's companies from now on."""
    if not request.user.is_authenticated:
        return login_redirect(request)
    wanted = request.POST.get("membership", "")
    chosen = [mine for mine in memberships_of(request.user) if str(mine.pk) == wanted]
    if not chosen:
        raise Http404("There is nothing here, or it is not yours to see.")
    request.session[SESSION_KEY] = chosen[0].pk
    return redirect("home")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return errors.page(request, 403, csrf_failed=True)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return errors.plain_page(request, 400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return errors.page(request, 403, reason=str(exception) or "Your role does not allow this.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return errors.page(request, 404)


def too_many_requests(request: HttpRequest) -> HttpResponse:
    return errors.page(request, 429)


def server_error(request: HttpRequest) -> HttpResponse:
    """500; 503 with Retry-After where the database is away."""
    if not isinstance(sys.exc_info()[1], (OperationalError, InterfaceError)):
        return errors.plain_page(request, 500)
    response = errors.plain_page(request, 503)
    response["Retry-After"] = "5"
    return response
