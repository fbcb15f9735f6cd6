"""What a decision on a return does to the lead: an approval says ``returned``, taking it back retracts that.

A request says nothing of the lead: until it is granted the seller's numbers stay as they are. The events are
recorded as all others are, but neither schema nor update window is asked: those bind what a buyer may report,
and this is what both sides have settled.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from itertools import groupby

from feedback.fold import Event
from feedback.models import ReturnRequest
from feedback.record import Entry, change_sets, histories_of, keep, weigh, write
from feedback.schema import Clean, Ids
from feedback.submission import Origin
from flows.models import Delivery, Outcome
from flows.returns import REASON


def say_returned(requests: Sequence[ReturnRequest], origin: Origin, *, now: dt.datetime) -> None:
    """Record the return on each lead, and on each request what recorded it; not where it stood already.

    One change set for each flow and buyer, whatever the number of requests. Saves no request.
    """
    by_flow = sorted(requests, key=lambda request: request.flow_id)
    for _, group in groupby(by_flow, key=lambda request: request.flow_id):
        of_flow = {request.delivery_id: request for request in group}
        entries = [
            Entry(place, _returned(delivery, of_flow[delivery.pk].reason), delivery)
            for place, delivery in enumerate(_locked(list(of_flow)))
        ]
        _, histories = weigh(entries, now=now)
        write(entries[0].delivery.flow, histories, origin, now=now)
        for history in histories:
            of_flow[history.delivery.pk].feedback = history.news[0]


def unsay_returned(request: ReturnRequest, origin: Origin, *, now: dt.datetime) -> None:
    """Take back what the approval recorded, unless somebody has done so already. Saves no request."""
    said, request.feedback = request.feedback, None
    if said is None:
        return
    (delivery,) = _locked([request.delivery_id])
    history = histories_of([delivery])[delivery.public_id]
    history.take_back(Event(said.values, said.occurred_at, said.pk, said.public_id, said.retracts_id), now)
    if history.news:
        history.bring_up_to_date()
        keep([history], change_sets(delivery.flow, [delivery], origin, now), now=now)


def _locked(pks: Sequence[int]) -> list[Delivery]:
    rows = Delivery.objects.select_for_update(of=("self",), no_key=True).select_related("flow")
    return list(rows.filter(pk__in=pks).order_by("pk"))


def _returned(delivery: Delivery, reason: str) -> Clean:
    values = {"outcome": Outcome.RETURNED.value, REASON: reason}
    return Clean(Ids(delivery.public_id, None), values, None)
