"""The ledger and the requests held against each other, for `feedback.verify`. Reads only."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Count, F, Q, Sum

from feedback.models import Credit, ReturnRequest

Status, Kind = ReturnRequest.Status, Credit.Kind


def ledger_faults() -> Iterator[str]:
    """Each request whose entries are not those that its status asks for; each entry that fits no other.

    Granted: one entry stands, worth the price or, where another lead takes its place, nothing. Else: what
    was entered has been taken back, and sums to nothing.
    """
    standing = Count("credits", filter=Q(credits__reversal=None) & ~Q(credits__kind=Kind.REVERSAL))
    requests = ReturnRequest.objects.select_related("delivery").annotate(
        standing=standing, total=Sum("credits__amount", default=0)
    )
    for request in requests.order_by("pk").iterator(chunk_size=2000):
        entries = 1 if request.is_granted else 0
        worth = request.delivery.price if request.status == Status.CREDITED else 0
        if (request.standing, request.total) != (entries, worth):
            yield (
                f"{request}: {request.status}, but {request.standing} entries stand, worth {request.total}"
                f" instead of {worth}"
            )
    yield from _entry_faults()


def _entry_faults() -> Iterator[str]:
    wrong = {
        "takes back another amount than was entered": Q(kind=Kind.REVERSAL)
        & ~Q(amount=-F("reverses__amount")),
        "takes back an entry of another return": Q(kind=Kind.REVERSAL) & ~Q(request=F("reverses__request")),
        "is in another currency than its flow": ~Q(currency=F("flow__currency")),
        "is of another flow or buyer than its return": ~Q(flow=F("request__flow"), buyer=F("request__buyer")),
    }
    for what, which in wrong.items():
        for entry in Credit.objects.filter(which).order_by("pk"):
            yield f"{entry}: {what}"


def request_faults() -> Iterator[str]:
    """Each request that is not of its lead's flow and buyer, or whose decision is not whole."""
    decided = Q(status__in=(*ReturnRequest.GRANTED, Status.REJECTED))
    wrong = {
        "is of another flow or buyer than its lead": ~Q(flow=F("delivery__flow"), buyer=F("delivery__buyer")),
        "was decided, but not when": decided & Q(decided_at=None),
        "is not decided, but has a time of it": ~decided & Q(decided_at__isnull=False),
        "is replaced by nothing": Q(status=Status.REPLACED, replacement=None),
        "is replaced by a lead of another buyer or flow": Q(replacement__isnull=False)
        & ~Q(replacement__flow=F("flow"), replacement__buyer=F("buyer")),
        "says something on another lead": Q(feedback__isnull=False) & ~Q(feedback__delivery=F("delivery")),
    }
    for what, which in wrong.items():
        for request in ReturnRequest.objects.filter(which).order_by("pk"):
            yield f"{request}: {what}"
