"""How far a flow's set-up has come: what is there, and what comes next."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q
from django.urls import reverse

from flows.models import ApiKey, Flow


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what it is, whether it is done, and the admin page on which it is done."""

    label: str
    done: bool
    url: str


def steps(flow: Flow) -> list[Step]:
    """The steps from an empty flow to its first feedback, in order."""
    buyers = flow.agreements.values("buyer")
    keys = ApiKey.objects.filter(Q(flows=flow) | Q(flows=None), revoked_at=None)
    came_back = flow.deliveries.filter(last_feedback_at__isnull=False)
    return [
        _step("A source to buy from", flow.sources.exists(), "flows_source", flow),
        _step("An agreement with a buyer", flow.agreements.exists(), "flows_agreement", flow),
        _step(
            "A key of yours, to send leads in", keys.filter(seller=flow.seller_id).exists(), "flows_apikey"
        ),
        _step(
            "A key for the buyer, to send feedback", keys.filter(buyer__in=buyers).exists(), "flows_apikey"
        ),
        Step("The first lead is delivered", flow.deliveries.exists(), ""),
        Step("The first feedback has come back", came_back.exists(), ""),
    ]


def _step(label: str, done: bool, model: str, flow: Flow | None = None) -> Step:
    query = f"?flow={flow.pk}" if flow else ""
    return Step(label, done, reverse(f"admin:{model}_add") + query)
