"""What endpoints are told when contacts come onto a suppression list, and when they are to stay there longer.

Not who they are: a contact is told by its lead, where a rule put it there because of one, and by the SHA-256
of each value, by which whoever keeps a list too finds it. In clear no value leaves, or stands in the outbox.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from flows.events import emit, iso, listening
from flows.models import Decision, Endpoint, SuppressionEntry, SuppressionList

TYPE = "contact.suppressed"
MOST = 10_000  # told one by one when they come together: as many as the API takes in one call
Value = tuple[str, str]  # kind (SuppressionEntry.Kind) and normalised value
Ends = dt.datetime | None  # None: never
Kind, Origin = SuppressionEntry.Kind, SuppressionEntry.Origin


def announce_decisions(decisions: Sequence[tuple[Decision, Sequence[Value], Ends]]) -> None:
    """Tell of contacts that these decisions, all of one seller, have just put on a list, each with what of it
    and until when; in their transaction."""
    if decisions:
        first = decisions[0][0]
        emit(
            first.flow.seller_id,
            TYPE,
            lambda: [_of_decision(*each) for each in decisions],
            now=first.answered_at or first.decided_at,
        )


def announce_added(
    to: SuppressionList, added: Mapping[Value, Ends], *, origin: str, now: dt.datetime
) -> bool:
    """Tell of contacts that a person, a file or a program has just put on a list, one event each; in their
    transaction. Webhooks only: people in a channel need not read what a colleague typed in.

    False, and nothing is told, where they are too many and somebody would have listened.
    """
    contacts = {
        value: until
        for value, until in added.items()
        if value[0] in (Kind.EMAIL, Kind.PHONE) and (until is None or until > now)
    }
    if len(contacts) > MOST:
        return not listening(to.seller_id, TYPE, Endpoint.Kind.WEBHOOK)
    if contacts:
        emit(
            to.seller_id,
            TYPE,
            lambda: [
                {**NO_LEAD, **_told(to.slug, to.name, [value], origin, until)}
                for value, until in contacts.items()
            ],
            now=now,
            to=Endpoint.Kind.WEBHOOK,
        )
    return True


NO_LEAD: Mapping[str, None] = dict.fromkeys(("lead_id", "external_id", "flow_id", "source", "rule"))


def _of_decision(decision: Decision, values: Sequence[Value], until: Ends) -> dict[str, Any]:
    delivery, after = decision.delivery, decision.after
    return {
        "lead_id": delivery.public_id if delivery else None,
        "external_id": (delivery.external_id or None) if delivery else None,
        "flow_id": decision.flow.public_id,
        "source": decision.source.slug,
        "rule": decision.rule_name,
        **_told(after["list"], after.get("list_name", after["list"]), values, Origin.RULE, until),
    }


def _told(slug: str, name: str, values: Sequence[Value], origin: str, until: Ends) -> dict[str, Any]:
    return {
        "list": slug,
        "list_name": name,
        "kinds": [kind for kind, _ in values],
        "sha256": {kind: hashlib.sha256(value.encode()).hexdigest() for kind, value in values},
        "origin": str(origin),
        "expires_at": iso(until) if until else None,
    }
