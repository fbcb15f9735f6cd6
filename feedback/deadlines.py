"""Until when something may, or should, be done on a lead: feedback by schedule, updates, returns."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from feedback.desk import Sheet
from flows.models import Agreement
from flows.returns import return_deadline
from flows.schedules import due_at, overdue_before

INSTANT = dt.timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Deadline:
    """``what`` ends at ``at``, in a word for a row and in a sentence for its page."""

    what: str
    sentence: str
    at: dt.datetime


def feedback_due(agreement: Agreement, delivered_at: dt.datetime) -> dt.datetime:
    """By when the first feedback is due: as agreed, at the latest when no feedback is taken any more."""
    closes = delivered_at + dt.timedelta(days=agreement.flow.update_window_days)
    due = due_at(agreement.schedule, delivered_at, zone_of(agreement))
    return closes if due is None else min(due, closes)


def delivered_from(agreement: Agreement, due: dt.datetime) -> dt.datetime:
    """The moment such that feedback is due at ``due`` or later exactly if it was delivered then or later."""
    closing = due - dt.timedelta(days=agreement.flow.update_window_days)
    scheduled = overdue_before(agreement.schedule, due, zone_of(agreement))
    return closing if scheduled is None else max(scheduled, closing)


def zone_of(agreement: Agreement) -> ZoneInfo:
    """The clock of a schedule is the buyer's."""
    return ZoneInfo(agreement.buyer.timezone)


def deadlines(sheet: Sheet) -> list[Deadline]:
    """What is still ahead, and feedback that is past due; the most pressing first."""
    delivery, agreement = sheet.delivery, sheet.agreement
    found = []
    if not sheet.blocked:
        waits = not delivery.feedback_count
        scheduled = waits and agreement.schedule != Agreement.Schedule.NONE
        if scheduled:
            due = feedback_due(agreement, delivery.delivered_at)
            found.append(Deadline("feedback", "Feedback is due", due))
        what = "feedback" if waits and not scheduled else "updates"
        found.append(Deadline(what, "Feedback is taken until", sheet.closes_at))
    closes = return_deadline(delivery, agreement)
    if closes is not None and closes > sheet.now:
        found.append(Deadline("return", "May be returned until", closes))
    return sorted(found, key=lambda deadline: deadline.at)
