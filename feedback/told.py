"""What a page is told after something was done, beside what it shows: a sentence, and how to undo it."""

from __future__ import annotations

from django.http import HttpResponse
from django.urls import reverse
from django_htmx.http import trigger_client_event

from feedback.models import ChangeSet, Feedback
from feedback.submission import Receipt


def told(text: str, *, undo: ChangeSet | None = None, more: str = "", changed: bool = False) -> HttpResponse:
    """A 204 with the event ``told``: a sentence, the address that undoes it, one that tells more.

    ``changed``: leads have changed, so lists of them are to be drawn again.
    """
    address = _address(undo.public_id) if undo else ""
    detail = {"text": text, "undo": address, "more": more, "changed": changed}
    return trigger_client_event(HttpResponse(status=204), "told", detail)


def with_undo(response: HttpResponse, receipt: Receipt | None) -> HttpResponse:
    """The answer to an edit in place, with the address that undoes it in ``X-Undo``."""
    if recorded := _change_set(receipt):
        response["X-Undo"] = _address(recorded)
    return response


def undo_tag(recorded: Receipt | ChangeSet | None) -> str:
    """The tag of a message that offers to undo this (`components/messages.html`); "" if nothing was done."""
    public_id = recorded.public_id if isinstance(recorded, ChangeSet) else _change_set(recorded)
    return f"undo {public_id}" if public_id else ""


def _change_set(receipt: Receipt | None) -> str:
    """The id of the change set in which something was recorded."""
    if receipt is None or receipt.status != "recorded" or not receipt.feedback_id:
        return ""
    event = Feedback.objects.select_related("change_set").get(public_id=receipt.feedback_id)
    return str(event.change_set.public_id)


def _address(change_id: str) -> str:
    return reverse("change-set-undo", args=[change_id])
