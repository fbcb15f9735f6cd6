"""Telling the seller's people: in the app, and by e-mail through the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings

from flows.actions.base import Action, BadRule, CannotUndo, Change, Params, Target
from flows.alert_events import announce
from flows.models import Alert, Decision, OutboxMessage, Rule
from portal.models import Membership


class RaiseAlert(Action):
    """Only tell the team. Parameters: ``message`` and ``level``, both optional."""

    name, label = "alert", "Alert the team"
    for_pairs = True
    alerts = True
    undoable = False

    def clean(self, params: Params) -> Params:
        level, message = params.get("level", Alert.Level.WARN.value), params.get("message", "")
        if level not in Alert.Level.values:
            raise BadRule(f"“level” must be one of {', '.join(Alert.Level.values)}.", "level")
        if not isinstance(message, str) or len(message) > 100:
            raise BadRule("“message” must be a text of at most 100 characters.", "message")
        return {"level": level, "message": message}

    def plan(self, rule: Rule, targets: Sequence[Target], params: Params) -> list[Change | None]:
        return [Change({}, {"alert": True}) for _ in targets]

    def perform(self, decisions: Sequence[Decision]) -> None:
        """Nothing beyond the alert, which `flows.decisions` raises."""

    def undo(self, decision: Decision, *, force: bool) -> None:
        raise CannotUndo("An alert that went out cannot be called back.")

    def headline(self, decision: Decision) -> str:
        whom = f" with {decision.buyer}" if decision.buyer else ""
        return f"{decision.source}{whom}: {decision.params.get('message') or decision.rule_name}"

    def level(self, decision: Decision) -> Alert.Level:
        return Alert.Level(decision.params.get("level", Alert.Level.WARN))


def raise_alerts(alerts: Sequence[Alert]) -> None:
    """Save the alerts and, in the same transaction, what their sellers' people and endpoints are told."""
    saved = Alert.objects.bulk_create(alerts)
    announce(saved)
    people = _people({alert.seller_id for alert in saved})
    OutboxMessage.objects.bulk_create(
        OutboxMessage(
            seller_id=alert.seller_id,
            kind="email",
            payload=_email(alert, people[alert.seller_id]),
            next_attempt_at=alert.created_at,
            created_at=alert.created_at,
        )
        for alert in saved
        if people.get(alert.seller_id)
    )


def _people(seller_ids: set[int]) -> dict[int, list[str]]:
    """The addresses of those who work for each seller."""
    members = Membership.objects.filter(seller__in=seller_ids, user__is_active=True).exclude(user__email="")
    found: dict[int, list[str]] = {}
    for seller_id, address in members.order_by("pk").values_list("seller_id", "user__email"):
        found.setdefault(seller_id, []).append(address)
    return found


def _email(alert: Alert, to: list[str]) -> dict[str, Any]:
    lines = [alert.title, alert.body, f"{settings.BASE_URL}/alerts/"]
    return {"to": to, "subject": alert.title, "body": "\n\n".join(line for line in lines if line) + "\n"}
