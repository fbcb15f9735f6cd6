"""What an agreement says about returns: until when, how many, for which reasons. Arithmetic alone is pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from flows.models import Agreement, Delivery, Flow

REASON = "reason"  # the flow's field whose choices are its list of reasons
# Where neither the flow nor its field has a list.
USUAL_REASONS = (
    "Wrong or disconnected number",
    "Wrong person",
    "Duplicate",
    "Outside the agreed area",
    "Did not ask for it",
    "Other",
)
CapKind = Agreement.ReturnCap


def return_deadline(delivery: Delivery, agreement: Agreement) -> dt.datetime | None:
    """Until when the lead may be returned; None where the agreement takes no returns."""
    if agreement.return_window_days is None:
        return None
    return delivery.delivered_at + dt.timedelta(days=agreement.return_window_days)


def reasons_of(flow: Flow) -> tuple[str, ...]:
    """For what a lead of the flow may be returned. A query where the flow has no list of its own."""
    if flow.return_reasons:
        return tuple(map(str, flow.return_reasons))
    choices = flow.fields.filter(name=REASON).values_list("choices", flat=True).first()
    return tuple(map(str, choices)) if choices else USUAL_REASONS


def month_of(moment: dt.datetime, flow: Flow) -> tuple[dt.datetime, dt.datetime]:
    """The month of that moment in the flow's time zone: its first moment, and that of the next one."""
    zone = ZoneInfo(flow.timezone)
    first = moment.astimezone(zone).date().replace(day=1)
    after = (first + dt.timedelta(days=31)).replace(day=1)
    return _midnight(first, zone), _midnight(after, zone)


def _midnight(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), zone)


@dataclass(frozen=True, slots=True)
class Cap:
    """How many of the leads delivered in one month may be returned, and how many were or are about to be.

    ``limit``: None where there is no cap. ``month``: its first day.
    """

    month: dt.date
    limit: int | None = None
    used: int = 0
    delivered: int = 0
    percent: int | None = None  # where the cap is a share of what was delivered

    @classmethod
    def of(cls, agreement: Agreement, month: dt.date, *, delivered: int, used: int) -> Cap:
        """A share is rounded down: no more than that share is ever returned. It grows with the deliveries."""
        kind, number = agreement.return_cap_kind, agreement.return_cap or 0
        if kind == CapKind.SHARE:
            return cls(month, delivered * number // 100, used, delivered, number)
        return cls(month, number if kind == CapKind.COUNT else None, used, delivered)

    @property
    def left(self) -> int | None:
        """How many more may be returned; None: as many as one likes."""
        return None if self.limit is None else max(self.limit - self.used, 0)

    @property
    def reached(self) -> bool:
        return self.left == 0
