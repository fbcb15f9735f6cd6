"""What ``var/demo.json`` says: who may log in to the demo world, with which keys, and a few lead ids."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.conf import settings

from feedback.demo import world
from feedback.demo.parties import FlowParties, Party
from flows.models import Delivery

RECENT = dt.timedelta(days=14)  # leads named in the card are no older: well inside every update window


def describe(flows: Sequence[FlowParties], password: str, now: dt.datetime) -> dict[str, Any]:
    """The card, JSON-typed."""
    sellers = {parties.seller.row.pk: parties.seller for parties in flows}
    return {
        "base_url": settings.BASE_URL,
        "admin": {"username": "admin", "password": password},
        "sellers": [{"name": party.row.name, **_account(party, password)} for party in sellers.values()],
        "buyers": [_buyer(party, password, now) for parties in flows for party in parties.buyers.values()],
    }


def _account(party: Party, password: str) -> dict[str, Any]:
    return {
        "username": party.person.username,
        "password": password,
        "key": party.keys["live"],
        "flows": [flow.public_id for flow in party.flows],
    }


def _buyer(party: Party, password: str, now: dt.datetime) -> dict[str, Any]:
    account = _account(party, password)
    return {
        "name": party.row.name,
        "id": party.row.public_id,
        **{name: account[name] for name in ("username", "password", "key")},
        "test_key": party.keys["test"],
        "flows": account["flows"],
        "leads": _leads(party, now),
    }


def _leads(party: Party, now: dt.datetime) -> list[str]:
    """The examples of the documentation, then three recent leads without feedback, then two with."""
    recent = Delivery.objects.filter(buyer=party.row.pk, delivered_at__gte=now - RECENT)
    ids = recent.order_by("-delivered_at", "-pk").values_list("public_id", flat=True)
    examples = [
        each for each in world.EXAMPLE_IDS if each in set(ids.filter(public_id__in=world.EXAMPLE_IDS))
    ]
    silent = ids.filter(feedback_count=0).exclude(public_id__in=examples)[:3]
    return [*examples, *silent, *ids.filter(feedback_count__gt=0)[:2]]
