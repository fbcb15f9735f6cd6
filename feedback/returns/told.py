"""What the other side is told of a return: endpoints, the seller's feed, and e-mail, in its transaction.

Messages name the lead by its id, the reason and the amount: never who the consumer is, nor what was written.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

from feedback.models import ReturnMessage, ReturnRequest
from feedback.present import amount, moment
from feedback.wording import money
from flows.actions.alerts import raise_alerts
from flows.events import emit
from flows.models import Agreement, Alert, OutboxMessage
from portal.access import Role
from portal.formats import HOUSE, date_time, using
from portal.models import Membership

Status, Side = ReturnRequest.Status, ReturnMessage.Side
NAMED = 20  # returns named one by one in a mail


def requested(request: ReturnRequest, *, now: dt.datetime) -> None:
    """A return was asked for. The team is alerted when the buyer's first on the flow begins to wait."""
    emit(request.flow.seller_id, "return.requested", lambda: [_data(request)], now=now)
    waiting = ReturnRequest.objects.filter(
        flow=request.flow, buyer=request.buyer, status=Status.REQUESTED
    ).exclude(pk=request.pk)
    if not waiting.exists():
        raise_alerts([_alert(request, now)])


def decided(requests: Sequence[ReturnRequest], note: str, *, now: dt.datetime) -> None:
    """Tell endpoints of each, and each buyer concerned in one mail. All are of one seller.

    Who asks and is answered by the agreement at once has the answer before their eyes.
    """
    if not requests:
        return
    emit(requests[0].flow.seller_id, "return.decided", lambda: [_data(row) for row in requests], now=now)
    waited = sorted((row for row in requests if not row.by_rule), key=_buyer)
    for buyer_id, group in groupby(waited, key=_buyer):
        rows = list(group)
        _mail(rows[0], _people(rows, "buyer", buyer_id), *_decision_text(rows, note), now)


def said(request: ReturnRequest, message: ReturnMessage) -> None:
    """Somebody wrote: the people of the other side who had to do with it hear of it."""
    side = "seller" if message.side == Side.BUYER else "buyer"
    party = request.flow.seller_id if side == "seller" else request.buyer_id
    name = request.buyer.name if side == "seller" else "The seller"
    what = f"{name} wrote on the return of {request.delivery}"
    body = f"{what} ({request.flow}, {request.reason}).\n\n{link(request)}\n"
    _mail(request, _people([request], side, party), what, body, message.created_at)


def withdrawn(request: ReturnRequest, *, now: dt.datetime) -> None:
    """The seller's people who had to do with it need not go on."""
    people = _people([request], "seller", request.flow.seller_id, only_involved=True)
    subject = f"{request.buyer} withdrew the return of {request.delivery}"
    _mail(request, people, subject, f"{subject}. Nothing is left to decide.\n\n{link(request)}\n", now)


def link(request: ReturnRequest) -> str:
    return f"{settings.BASE_URL}/returns/{request.public_id}/"


def _data(request: ReturnRequest) -> dict[str, Any]:
    """An event's data: as the request stands after it."""
    flow, delivery = request.flow, request.delivery
    credited = amount(delivery.price, flow) if request.status == Status.CREDITED else None
    return {
        "return_id": request.public_id,
        "lead_id": delivery.public_id,
        "external_id": delivery.external_id or None,
        "flow_id": flow.public_id,
        "source": delivery.source.slug,
        "buyer_id": request.buyer.public_id,
        "reason": request.reason,
        "wanted": str(request.wanted),
        "status": str(request.status),
        "by_rule": request.by_rule,
        "credited": credited,
        "currency": flow.currency,
        "replacement_lead_id": request.replacement.public_id if request.replacement else None,
        "requested_at": moment(request.requested_at),
        "due_at": moment(request.due_at),
        "decided_at": moment(request.decided_at),
    }


def _alert(request: ReturnRequest, now: dt.datetime) -> Alert:
    return Alert(
        seller_id=request.flow.seller_id,
        flow=request.flow,
        source=request.delivery.source,
        level=Alert.Level.INFO,
        title=f"{request.buyer} asks to return a lead"[:160],
        body=f"{request.delivery}: {request.reason}. Answer by {_due(request)}. {link(request)}"[:500],
        created_at=now,
    )


def _due(request: ReturnRequest) -> str:
    """In the flow's time zone: who reads it may be anywhere, and is not who is asking just now."""
    due = request.due_at.astimezone(ZoneInfo(request.flow.timezone))
    with using(HOUSE):
        return f"{date_time(due)} ({request.flow.timezone})"


def _decision_text(rows: Sequence[ReturnRequest], note: str) -> tuple[str, str]:
    """Subject and body of one mail on all of a buyer's returns that were decided together."""
    one = len(rows) == 1
    subject = _outcome(rows[0]) if one else f"{len(rows)} of your returns were decided"
    shown = Agreement.objects.filter(buyer=rows[0].buyer_id, shows_price=True)
    priced = set(shown.values_list("flow_id", flat=True))
    lines = [f"{_outcome(row)}{_worth(row, priced)}" for row in rows[:NAMED]]
    if len(rows) > NAMED:
        lines.append(f"and {len(rows) - NAMED} more")
    said_ = [f"The seller wrote:\n{note}"] if note else []
    where = link(rows[0]) if one else f"{settings.BASE_URL}/returns/"
    return subject, "\n\n".join(["\n".join(lines), *said_, where]) + "\n"


def _outcome(row: ReturnRequest) -> str:
    by = f" by {row.replacement}" if row.replacement else ""
    return f"Return of {row.delivery}: {OUTCOMES[row.status]}{by}"


OUTCOMES: Mapping[str, str] = {
    Status.CREDITED: "credited",
    Status.APPROVED: "approved, another lead will take its place",
    Status.REPLACED: "replaced",
    Status.REJECTED: "rejected",
    Status.REQUESTED: "the decision was taken back, it waits anew",
}


def _worth(row: ReturnRequest, priced: Collection[int]) -> str:
    """The amount, on flows whose agreement shows prices."""
    credited = row.status == Status.CREDITED and row.flow_id in priced
    with using(HOUSE):
        return f", {money(row.delivery.price, row.flow)}" if credited else ""


def _buyer(request: ReturnRequest) -> int:
    return request.buyer_id


def _people(
    requests: Collection[ReturnRequest], side: str, party_id: int, *, only_involved: bool = False
) -> list[str]:
    """The addresses of those of the party who had to do with the returns; else of who answers for it."""
    wrote = ReturnMessage.objects.filter(request__in=[each.pk for each in requests], side=side)
    involved = set(wrote.values_list("user_id", flat=True))
    members = Membership.objects.filter(**{side: party_id}, user__is_active=True).exclude(user__email="")
    rows = list(members.order_by("pk").values_list("user_id", "user__email", "role"))
    chosen = [email for user_id, email, _ in rows if user_id in involved]
    if chosen or only_involved:
        return chosen
    head = Role.SELLER_OWNER if side == "seller" else Role.BUYER_MANAGER
    return [email for _, email, role in rows if role == head]


def _mail(request: ReturnRequest, to: Iterable[str], subject: str, body: str, now: dt.datetime) -> None:
    if addresses := list(to):
        OutboxMessage.objects.create(
            seller_id=request.flow.seller_id,
            kind="email",
            payload={"to": addresses, "subject": subject, "body": body},
            next_attempt_at=now,
            created_at=now,
        )
