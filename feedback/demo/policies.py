"""The rules that the demo world's sellers added to those of a new flow."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from flows.models import Flow, Rule
from flows.rule_sets import PATTERNS, add_rules

ASKED = {"mode": Rule.Mode.SUGGEST, "evidence": Rule.Evidence.CONFIDENT, "alert": True}
# By flow. What is suggested waits for the owner; what is confident may be looked at all day.
ADDED: dict[str, dict[str, Any]] = {
    "flw_auto": {
        "name": "Lower the cap of poor contact",
        "action": "step_cap",
        "params": {"percentage": -20, "min": 10, "max": 1000},
        "metric": "contact_rate",
        "comparison": Rule.Comparison.BELOW,
        "threshold": Decimal("0.60"),
        "maturity_days": 5,
        "cooldown_hours": 14 * 24,
        **ASKED,
    },
    "flw_solar": {
        "name": "Pause a source for a buyer who returns much",
        "action": "pause_source",
        "metric": "return_rate",
        "comparison": Rule.Comparison.ABOVE,
        "threshold": Decimal("0.10"),
        "scope": Rule.Scope.SOURCE_BUYER,
        "maturity_days": 7,
        "cooldown_hours": 21 * 24,
        "on_clear": Rule.OnClear.REVERSE,
        **ASKED,
    },
}


def add_policies(flow: Flow) -> None:
    """Give the flow its seller's own rules, after the usual ones."""
    pricing = Rule.objects.filter(flow=flow, metric="conversion_rate")
    pricing.update(alert=True)
    add_rules(flow, [rule for rule in PATTERNS["quality_focus"].rules if rule.action == "bonus"])
    Rule.objects.filter(flow=flow, action="bonus").update(threshold=Decimal("4.2"))
    if columns := ADDED.get(flow.public_id):
        Rule.objects.create(flow=flow, position=flow.rules.count(), **columns)
