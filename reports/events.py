"""What happened lately: decisions with their numbers, and alerts that tell of no decision."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from flows import actions
from flows.decisions import can_undo, explain, headline
from flows.models import Alert, Decision

SHOWN = 5
NOTES: dict[str, str] = {Decision.Status.UNDONE: "undone", Decision.Status.SUGGESTED: "waits for a person"}


@dataclass(frozen=True, slots=True)
class Event:
    """One line. ``undo`` is the decision to take back, ``note`` what became of it."""

    key: str
    tone: str
    title: str
    text: str
    rule: str
    at: dt.datetime
    undo: int | None
    note: str = ""


def latest(decisions: Sequence[Decision], alerts: Sequence[Alert]) -> tuple[Event, ...]:
    """The newest of both, newest first."""
    both = [*map(_of_decision, decisions), *map(_of_alert, alerts)]
    return tuple(sorted(both, key=lambda event: event.at, reverse=True)[:SHOWN])


def _of_decision(decision: Decision) -> Event:
    standing = decision.status == Decision.Status.APPLIED
    return Event(
        key=f"decision-{decision.pk}",
        tone=actions.get(decision.action).level(decision) if standing else "muted",
        title=headline(decision),
        text=explain(decision),
        rule=decision.rule_name,
        at=decision.decided_at,
        undo=decision.pk if can_undo(decision) else None,
        note=NOTES.get(decision.status, ""),
    )


def _of_alert(alert: Alert) -> Event:
    return Event(f"alert-{alert.pk}", alert.level, alert.title, alert.body, "", alert.created_at, None)
