"""A person's own sessions, and the drawing of a TOTP secret; the second factors' pages are allauth's."""

from __future__ import annotations

from allauth.mfa.adapter import get_adapter
from allauth.mfa.totp.internal.auth import SECRET_SESSION_KEY
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from portal.access import ActorRequest, logged_in
from portal.actors import account_of
from portal.sessions import end, in_words, sessions_of


@require_safe
@never_cache
@logged_in
def totp_qr(request: ActorRequest) -> HttpResponse:
    """The secret that is being set up, as a QR code. A file of its own: the policy allows no data address."""
    secret = request.session.get(SECRET_SESSION_KEY)
    if not secret:
        raise Http404("There is nothing here, or it is not yours to see.")
    adapter = get_adapter()
    svg = adapter.build_totp_svg(adapter.build_totp_url(request.user, secret))
    return HttpResponse(svg, content_type="image/svg+xml")


@require_safe
@logged_in
def sessions(request: ActorRequest) -> HttpResponse:
    """Where one is logged in."""
    rows = [in_words(session) for session in sessions_of(account_of(request))]
    here = request.session.session_key
    context = {"rows": rows, "here": here, "others": any(row["session"].session_key != here for row in rows)}
    return render(request, "usersessions/usersession_list.html", context)


@require_POST
@logged_in
def session_end(request: ActorRequest, pk: int) -> HttpResponse:
    """Log out one of one's other sessions."""
    chosen = sessions_of(account_of(request)).filter(pk=pk)
    if not chosen:
        raise Http404("There is nothing here, or it is not yours to see.")
    if chosen[0].session_key == request.session.session_key:
        messages.info(request, "You are in this one: log out from the menu.")
    else:
        end(chosen)
        messages.success(request, "That session is logged out.")
    return redirect("usersessions_list")


@require_POST
@logged_in
def sessions_end_others(request: ActorRequest) -> HttpResponse:
    """Log out everywhere but here."""
    count = end(sessions_of(account_of(request)).exclude(session_key=request.session.session_key))
    told = "1 other session is" if count == 1 else f"{count} other sessions are"
    messages.success(request, f"{told} logged out. You stay logged in here.")
    return redirect("usersessions_list")
