"""The keys of the buyer's desk, and the switch that turns them off."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from flows.models import Outcome
from portal.access import BUYERS, ActorRequest, allow

KEYS = (
    (
        "In the list of leads",
        (
            (("j", "k"), "Next and previous row"),
            (("x",), "Select the row; with Shift all rows up to it"),
            (("J", "K"), "Select on to the next and previous row"),
            (("e",), "Edit: to the first control of the row; Esc leads back"),
            (("Enter",), "Open the lead"),
            (("u",), "Undo what was changed last on this page"),
            (("Esc",), "Clear the selection"),
            (("/",), "Search"),
            (("f",), "Filters"),
            (("v",), "Views"),
        ),
    ),
    (
        "Outcome of the row, or of the selected leads",
        tuple(((str(number),), label) for number, label in enumerate(Outcome.labels, 1)),
    ),
    (
        "Everywhere",
        (
            (("g", "l"), "Go to Leads"),
            (("g", "u"), "Go to Uploads"),
            (("g", "s"), "Go to My numbers (statistics)"),
            (("g", "r"), "Go to Returns"),
            (("g", "h"), "Go to History"),
            (("?",), "These keys"),
        ),
    ),
)


@require_safe
@allow(*BUYERS)
def keyboard(request: ActorRequest) -> HttpResponse:
    """Every key; as a page, or for the dialog that ``?`` opens."""
    part = "#keys" if request.htmx else ""
    return render(request, f"feedback/keyboard.html{part}", {"keys": KEYS})
