"""A buyer asks for a lead to be taken back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from feedback.desk import Sheet
from feedback.models import Door, ReturnMessage, ReturnRequest
from feedback.returns import told
from feedback.returns.decide import grant
from feedback.returns.evidence import Piece, attach, kept
from feedback.returns.terms import offer_of
from feedback.returns.thread import Act, Speaker
from feedback.submission import Origin
from flows.models import Agreement, ConversionStatus, Delivery
from flows.problems import Problem, ProblemError
from portal.access import Actor

RULE = Speaker(ReturnMessage.Side.RULE)
Remedy = ReturnRequest.Remedy


def ask(
    sheet: Sheet,
    actor: Actor,
    *,
    reason: str,
    note: str = "",
    wanted: str = Remedy.CREDIT,
    pieces: Sequence[Piece] = (),
    request_id: str = "",
    now: dt.datetime | None = None,
) -> ReturnRequest:
    """Put the request on record, and grant it at once where the agreement does. → as it stands then.

    ``reason`` is one of the flow's. ProblemError 409 where the lead cannot be returned (any more): its window
    is over, the cap reached, or somebody else was first. One request of a buyer on a flow is decided upon at
    a time, so two people never share the last place under the cap.
    """
    at = now or timezone.now()
    with kept(pieces) as evidence, transaction.atomic():
        agreement = _agreement(sheet)
        delivery = Delivery.objects.select_related("flow", "source", "buyer").get(pk=sheet.delivery.pk)
        offer = offer_of(delivery, delivery.flow, agreement, at)
        if offer.blocked:
            raise ProblemError(Problem(409, "not_returnable", "Not returnable", offer.blocked))
        request = ReturnRequest.objects.create(
            delivery=delivery,
            flow=delivery.flow,
            buyer=delivery.buyer,
            user_id=actor.user_id,
            reason=reason,
            note=note,
            wanted=wanted if agreement.offers_replacement else Remedy.CREDIT,
            requested_at=at,
            due_at=at + dt.timedelta(days=agreement.return_answer_days),
        )
        by = Speaker.of(actor)
        message = ReturnMessage.objects.create(
            request=request, act=Act.REQUESTED, side=by.side, user_id=by.user_id, created_at=at
        )
        attach(evidence, message)
        told.requested(request, now=at)
        if reason in agreement.return_auto_reasons and not _is_sold(delivery):
            origin = Origin(actor, Door.PORTAL, request_id=request_id)
            grant([request], request.wanted, RULE, "", origin, now=at)
    return request


def _agreement(sheet: Sheet) -> Agreement:
    """The agreement as it stands now, locked: requests on one of them queue here."""
    rows = Agreement.objects.select_for_update(of=("self",), no_key=True)
    row = rows.filter(flow=sheet.flow, buyer=sheet.delivery.buyer_id).first()
    return row or Agreement(flow=sheet.flow, buyer_id=sheet.delivery.buyer_id)


def _is_sold(delivery: Delivery) -> bool:
    """A lead that was reported as sold is never taken back without a person having looked."""
    return delivery.conversion_status == ConversionStatus.SOLD
