"""Telling the seller's people: in the app, and by e-mail through the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings

from flows.actions.base import Action, BadRule, CannotUndo, Change, Params, Target
from flows.alert_events import announce
from flows.channels import NOBODY, teams_of
from flows.models import Alert, Decision, OutboxMessage, Rule

TOLD = Change({}, {"alert": True})


class RaiseAlert(Action):
    """Only tell the team. Parameters: ``message`` and ``level``, both optional.

    Of a source's quality it tells a lasting state: once while that lasts, and once that it is over. Of a
    delivery that came back it tells each time.
    """

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
        wanted = [lasting(rule.pk, target.key) for target in targets if target.delivery is None]
        standing = set(
            Alert.objects.filter(
                seller=rule.flow.seller_id, resolved_at=None, condition__in=wanted
            ).values_list("condition", flat=True)
            if wanted
            else ()
        )
        return [
            None if target.delivery is None and lasting(rule.pk, target.key) in standing else TOLD
            for target in targets
        ]

    def perform(self, decisions: Sequence[Decision]) -> None:
        """Nothing beyond the alert, which `flows.decisions` raises."""

    def undo(self, decision: Decision, *, force: bool) -> None:
        raise CannotUndo("An alert that went out cannot be called back.")

    def headline(self, decision: Decision) -> str:
        whom = f" with {decision.buyer}" if decision.buyer else ""
        return f"{decision.source}{whom}: {decision.params.get('message') or decision.rule_name}"

    def level(self, decision: Decision) -> Alert.Level:
        return Alert.Level(decision.params.get("level", Alert.Level.WARN))

    def condition(self, decision: Decision) -> str:
        if decision.rule_id is None or decision.delivery_id is not None:
            return ""
        return lasting(decision.rule_id, (decision.source_id, decision.buyer_id))


def lasting(rule_id: int, key: tuple[int, int | None]) -> str:
    """The condition of an alert that a rule raised of a source, or of a source with one buyer."""
    source_id, buyer_id = key
    return f"rule:{rule_id}:{source_id}:{buyer_id or '-'}"


def raise_alerts(alerts: Sequence[Alert], *, as_level: str | None = None) -> None:
    """Save the alerts and, in the same transaction, what their sellers' people and endpoints are told.

    ``as_level``: whom it interests, where that is another level than the alert's own: that a condition is
    over is for those who heard of it.
    """
    teams = teams_of({alert.seller_id for alert in alerts})
    posts = [teams.get(alert.seller_id, NOBODY).post(as_level or alert.level) for alert in alerts]
    for alert, post in zip(alerts, posts, strict=True):
        alert.awaits_digest = post == "digest"
    saved = Alert.objects.bulk_create(alerts)
    announce(saved)
    OutboxMessage.objects.bulk_create(
        OutboxMessage(
            seller_id=alert.seller_id,
            kind="email",
            payload=_email(alert, teams[alert.seller_id].addresses),
            next_attempt_at=alert.created_at,
            created_at=alert.created_at,
        )
        for alert, post in zip(saved, posts, strict=True)
        if post == "now"
    )


def _email(alert: Alert, to: Sequence[str]) -> dict[str, Any]:
    lines = [alert.title, alert.body, f"{settings.BASE_URL}/alerts/"]
    return {
        "to": list(to),
        "subject": alert.title,
        "body": "\n\n".join(line for line in lines if line) + "\n",
    }
