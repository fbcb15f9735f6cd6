"""The front door, health, errors."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render

from portal.access import ActorRequest, login_redirect
from portal.navigation import items_for


def home(request: ActorRequest) -> HttpResponse:
    """To the first page of the person's job."""
    if not request.user.is_authenticated:
        return login_redirect(request)
    items = items_for(request.actor)
    if items:
        return redirect(items[0].url_name, *items[0].args)
    return redirect("admin:index")


def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    raise NotImplementedError


def choose_membership(request: ActorRequest) -> HttpResponse:
    raise NotImplementedError


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return render(request, "403.html", {"reason": reason}, status=403)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "400.html", status=400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "403.html", status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    return render(request, "500.html", status=500)
