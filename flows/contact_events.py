"""What endpoints are told when a rule suppresses contacts: which lead's, not who that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flows.events import emit
from flows.models import Decision


def announce(decisions: Sequence[Decision]) -> None:
    """Tell of contacts that these decisions, all of one seller, have just put on a list; in their
    transaction."""
    if decisions:
        emit(
            decisions[0].flow.seller_id,
            "contact.suppressed",
            lambda: [_data(each) for each in decisions],
            now=decisions[0].answered_at or decisions[0].decided_at,
        )


def _data(decision: Decision) -> dict[str, Any]:
    delivery = decision.delivery
    return {
        "lead_id": delivery.public_id if delivery else None,
        "external_id": (delivery.external_id or None) if delivery else None,
        "flow_id": decision.flow.public_id,
        "source": decision.source.slug,
        "list": decision.after["list"],
        "list_name": decision.after.get("list_name", decision.after["list"]),
        "kinds": decision.after["added"],
        "rule": decision.rule_name,
    }
