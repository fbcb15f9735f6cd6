"""Ready-made rules: those of a new flow, and the sets that go with the usual patterns of feedback."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Max

from flows.models import Flow, Outcome, Rule, SuppressionList

RETURNS = "returns"
BAD_SOURCES = "bad-sources"
LISTS = {RETURNS: "Returns", BAD_SOURCES: "Bad Sources"}


@dataclass(frozen=True, slots=True)
class RulePreset:
    """A ready-made rule."""

    name: str
    action: str
    columns: dict[str, Any]
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A way of giving feedback, and the rules that make something of it."""

    label: str
    rules: tuple[RulePreset, ...]


def _when(
    metric: str, comparison: Rule.Comparison, threshold: str, min_count: int, **more: Any
) -> dict[str, Any]:
    return {
        "metric": metric,
        "comparison": comparison,
        "threshold": Decimal(threshold),
        "min_count": min_count,
        **more,
    }


_BELOW, _ABOVE = Rule.Comparison.BELOW, Rule.Comparison.ABOVE
_CERTAIN = Rule.Evidence.CONFIDENT
PAUSE_LOW = RulePreset(
    "Pause low quality", "pause_source", _when("average_quality", _BELOW, "3.0", 30, alert=True)
)
RAISE_PRICE = RulePreset(
    "Raise the price of high conversion",
    "set_price_adjustment",
    _when("conversion_rate", _ABOVE, "0.10", 100, maturity_days=14),
    {"value": "1.2"},
)
LOWER_PRICE = RulePreset(
    "Lower the price of low conversion",
    "set_price_adjustment",
    _when("conversion_rate", _BELOW, "0.05", 100, maturity_days=14),
    {"value": "0.8"},
)
# What every new flow begins with: the examples of the documentation.
RULES = (
    PAUSE_LOW,
    RulePreset(
        "Raise the cap of high quality",
        "step_cap",
        _when("average_quality", _ABOVE, "4.5", 30, cooldown_hours=7 * 24),
        {"percentage": 20, "min": 1, "max": 1000},
    ),
    RAISE_PRICE,
    LOWER_PRICE,
    RulePreset(
        "Suppress returned contacts",
        "suppress_contact",
        {"trigger": Rule.Trigger.FEEDBACK, "outcome": Outcome.RETURNED, "min_count": 1, "cooldown_hours": 0},
        {"list": RETURNS},
    ),
    RulePreset(
        "Block sources of bad info",
        "suppress_source",
        _when("bad_info_rate", _ABOVE, "0.20", 50, alert=True),
        {"list": BAD_SOURCES},
    ),
)
PATTERNS = {
    "simple_status": Pattern(
        "Simple status: tell of sources that convert too little",
        (
            RulePreset(
                "Tell of low conversion",
                "alert",
                _when("conversion_rate", _BELOW, "0.05", 100, maturity_days=14, evidence=_CERTAIN),
                {"level": "warn", "message": "converts too little"},
            ),
        ),
    ),
    "quality_focus": Pattern(
        "Quality focus: pause low-quality sources, bonus high-quality sources",
        (
            PAUSE_LOW,
            RulePreset(
                "Bonus high-quality sources",
                "bonus",
                _when("average_quality", _ABOVE, "4.5", 100, evidence=_CERTAIN, cooldown_hours=30 * 24),
                {"amount": "100"},
            ),
        ),
    ),
    "full_revenue": Pattern(
        "Full revenue: optimise prices, tell of losses, performance bonuses",
        (
            RAISE_PRICE,
            LOWER_PRICE,
            RulePreset(
                "Tell of a loss",
                "alert",
                _when("roi", _BELOW, "0", 100, maturity_days=30, cooldown_hours=7 * 24),
                {"level": "bad", "message": "costs more than it brings in"},
            ),
            RulePreset(
                "Performance bonus",
                "bonus",
                {
                    "trigger": Rule.Trigger.FEEDBACK,
                    "outcome": Outcome.CONVERTED,
                    "min_count": 1,
                    "cooldown_hours": 0,
                },
                {"amount": "5"},
            ),
        ),
    ),
}


@transaction.atomic
def add_rules(flow: Flow, presets: Iterable[RulePreset], *, enabled: bool = True) -> list[Rule]:
    """Give the flow these rules, after those it has; → those that are new.

    What is there already under the same name stays as it is.
    """
    there = set(flow.rules.values_list("name", flat=True))
    highest = flow.rules.aggregate(highest=Max("position"))["highest"]
    start = 0 if highest is None else highest + 1
    wanted = [preset for preset in presets if preset.name not in there]
    return [
        Rule.objects.create(
            flow=flow,
            name=preset.name,
            action=preset.action,
            params=preset.params,
            position=position,
            enabled=enabled,
            **preset.columns,
        )
        for position, preset in enumerate(wanted, start)
    ]


def add_lists(flow: Flow) -> None:
    """Give the flow's seller the lists that the ready-made rules use."""
    for slug, name in LISTS.items():
        SuppressionList.objects.get_or_create(
            seller=flow.seller, slug=slug, defaults={"name": name, "country": flow.country}
        )
