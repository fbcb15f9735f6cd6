"""How this door answers: an outcome in JSON or XML, a refusal in plain text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from django.http import HttpRequest, HttpResponse

from feedback.leadconduit.asking import refused
from feedback.present import amount
from flows.accept import preferred
from flows.http import dumps
from flows.models import Agreement, Delivery
from flows.problems import Problem

JSON, XML = "application/json", ("application/xml", "text/xml")
NO_STORE = {"Cache-Control": "no-store", "Vary": "Accept", "Referrer-Policy": "no-referrer"}
# What XML 1.0 cannot hold in any form.
UNWRITABLE = dict.fromkeys([*({*range(32)} - {9, 10, 13}), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF])


def kind_of(request: HttpRequest) -> str:
    """The media type to answer in. ProblemError 406 where none of ours is taken."""
    kind = preferred(request, (JSON, *XML))
    if kind is None:
        raise refused(406, f"This address answers in {JSON} or {XML[0]}.")
    return kind


def answer(data: Mapping[str, Any], status: int, kind: str) -> HttpResponse:
    """``data`` as the body."""
    body = dumps(data) if kind == JSON else '<?xml version="1.0" encoding="UTF-8"?>\n' + xml("result", data)
    return HttpResponse(body, status=status, content_type=f"{kind}; charset=utf-8", headers=NO_STORE)


def plain(problem: Problem) -> HttpResponse:
    """A refusal of the request itself."""
    headers = {**NO_STORE, **problem.headers}
    return HttpResponse(
        f"{problem.detail}\n",
        status=problem.status,
        content_type="text/plain; charset=utf-8",
        headers=headers,
    )


def xml(name: str, value: Any) -> str:
    """An element: of a mapping with its entries as children, of None empty."""
    if isinstance(value, Mapping):
        inner = "".join(xml(child, each) for child, each in value.items())
    else:
        inner = "" if value is None else escape(str(value).translate(UNWRITABLE))
    return f"<{name}>{inner}</{name}>"


def outcome_data(
    outcome: str, reason: str | None, delivery: Delivery | None = None, agreement: Agreement | None = None
) -> dict[str, Any]:
    """The contract's shape; of the lead, contact and price as far as the agreement shows them."""
    lead: dict[str, Any] = dict.fromkeys(("id", "first_name", "last_name", "email", "phone_1"))
    price = None
    if delivery is not None:
        lead["id"] = delivery.public_id
        if delivery.pk and agreement and agreement.shows_contact:
            person = delivery.lead
            lead |= {"first_name": person.first_name, "last_name": person.last_name}
            lead |= {"email": person.email, "phone_1": person.phone}
        if delivery.pk and agreement and agreement.shows_price:
            price = amount(delivery.price, delivery.flow)
    return {"outcome": outcome, "reason": reason, "lead": lead, "price": price}
