"""What a refused or failed request is answered with: a page for people, a problem document for programs."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string

API_PATHS = ("/flows/", "/exists/", "/lists/", "/feedback")
PROBLEMS = {
    400: ("bad_request", "Bad request", "The request could not be understood."),
    403: ("forbidden", "Forbidden", "This is not allowed."),
    404: ("not_found", "Not found", "There is nothing here, or it is not yours to see."),
    405: ("method_not_allowed", "Method not allowed", "Use one of the methods named in Allow."),
    429: ("rate_limited", "Too many requests", "Wait a moment, then try again."),
    500: ("internal_error", "Internal error", "The fault is ours, and it has been noted. Try again."),
    503: ("unavailable", "Unavailable", "The database cannot be reached. Try again in a moment."),
}


def wants_json(request: HttpRequest) -> bool:
    """Whether a program asks: it names JSON and not HTML, or calls the API without asking for HTML."""
    accept = request.headers.get("Accept", "*/*").lower()
    if "text/html" in accept:
        return False
    return "json" in accept or request.path.startswith(API_PATHS)


def problem(request: HttpRequest, status: int) -> JsonResponse:
    """The RFC 9457 document of an error that no door of the API has answered itself."""
    code, title, detail = PROBLEMS[status]
    request_id = getattr(request, "request_id", "")
    body = {"type": f"/problems/{code}", "title": title, "status": status, "code": code}
    body |= {"detail": detail, "request_id": request_id, "errors": []}
    return JsonResponse(body, status=status, content_type="application/problem+json")


def page(request: HttpRequest, status: int, **context: object) -> HttpResponse:
    """The error in the look of the house, with the person's rail around it."""
    if wants_json(request):
        return problem(request, status)
    return render(request, f"{status}.html", context, status=status)


def explained(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """A 405 that Django answers with nothing, in words."""
    if response.status_code != 405 or response.streaming or response.content:
        return response
    worded = plain_page(request, 405)
    worded["Allow"] = response["Allow"]
    return worded


def plain_page(request: HttpRequest, status: int) -> HttpResponse:
    """The error without person, session or database: those may be what failed."""
    if wants_json(request):
        return problem(request, status)
    context = {"request_id": getattr(request, "request_id", "")}
    return HttpResponse(render_to_string(f"{status}.html", context), status=status)
