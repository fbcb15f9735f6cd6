"""The page of leads that were found by contact for rows without a known id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from feedback import proposals
from feedback.desk import Desk
from feedback.models import ProposedMatch, Upload
from feedback.upload_step_views import STEPS, moved_on, told, upload_or_404
from flows.problems import ProblemError
from portal.access import BUYERS, ActorRequest, allow, visible_to

SHOWN = 50  # on one page
Basis = ProposedMatch.Basis
BASES: Mapping[str, str] = {Basis.BOTH: "e-mail and phone", Basis.EMAIL: "e-mail", Basis.PHONE: "phone"}


@require_http_methods(["GET", "HEAD", "POST"])
@allow(*BUYERS)
def upload_matches(request: ActorRequest, upload_id: str) -> HttpResponseBase:
    """The proposals, the most certain first; POST accepts or withdraws some."""
    upload = upload_or_404(request, upload_id)
    if upload.status != Upload.Status.CHECKED:
        return moved_on(request, upload)
    if request.method == "POST":
        return _answer(request, upload)
    return render(request, "feedback/upload_matches.html", _matches(request, upload))


def _answer(request: ActorRequest, upload: Upload) -> HttpResponseBase:
    try:
        said = _done(upload, request.POST.get("do", ""), _chosen(request))
    except ProblemError as error:
        return told(request, upload, error.problem.detail)
    except ValueError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, said)
    return redirect(request.get_full_path())


def _chosen(request: ActorRequest) -> list[int]:
    return [int(each) for each in request.POST.getlist("selected") if each.isdecimal() and len(each) < 19]


def _done(upload: Upload, asked: str, chosen: list[int]) -> str:
    """Do what was asked; → what was done. ValueError with what to do first."""
    if asked.startswith("all-") and asked[4:] in Basis.values:
        return f"{_count(proposals.accept_all(upload, asked[4:]))} accepted."
    if not chosen:
        raise ValueError("Tick the matches first, then accept or withdraw them.")
    if asked == "withdraw":
        return f"{_count(proposals.withdraw(upload, chosen))} withdrawn."
    return f"{_count(proposals.accept(upload, chosen))} accepted."


def _count(matches: int) -> str:
    return f"{matches:,} {'match was' if matches == 1 else 'matches were'}"


def _matches(request: ActorRequest, upload: Upload) -> dict[str, Any]:
    rows = visible_to(request.actor, proposals.ordered(upload))
    after = _place(request.GET.get("after", ""))
    page = list(proposals.beyond(rows, after)[: SHOWN + 1])
    last = page[SHOWN - 1] if len(page) > SHOWN else None
    desk = Desk(request.actor)
    return {
        "upload": upload,
        "matches": [(match, desk.agreement(match.delivery).shows_contact) for match in page[:SHOWN]],
        "after": f"{last.confidence}-{last.line}-{last.pk}" if last else "",
        "begun": bool(after),
        "waiting": [
            (basis, BASES[basis], count) for basis, count in proposals.waiting(upload).items() if count
        ],
        "accepted": rows.filter(accepted=True).count(),
        "step": 3,
        "steps": STEPS,
    }


def _place(text: str) -> tuple[int, int, int] | None:
    """Confidence, line and key of the last row of the page before; None for nonsense."""
    parts = text.split("-")
    if len(parts) != 3 or not all(part.isdecimal() and part.isascii() and len(part) < 10 for part in parts):
        return None
    confidence, line, pk = map(int, parts)
    return confidence, line, pk
