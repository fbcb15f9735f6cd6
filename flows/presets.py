"""Ready-made flows: fields, rules and lists for the usual ways of giving feedback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db import transaction

from flows.models import Field, Flow, Outcome, Rule, SuppressionList

Kind = Field.Kind
RETURNS = "returns"
BAD_SOURCES = "bad-sources"


@dataclass(frozen=True, slots=True)
class FieldPreset:
    """A field as a preset gives it to a flow; all are optional, as buyers begin with what they have."""

    name: str
    kind: Kind
    maps_to: str = ""
    help_text: str = ""
    choices: Sequence[str] = ()


OUTCOME = FieldPreset("outcome", Kind.OUTCOME, "buyer_status", "What became of the lead.")
CONVERTED = FieldPreset("converted", Kind.BOOLEAN, "", "Whether the lead bought.")
QUALITY = FieldPreset("quality_score", Kind.INTEGER, "buyer_rating", "From 1 (bad) to 5 (excellent).")
REVENUE = FieldPreset("revenue", Kind.MONEY, "sale_amount", "What the sale brought in.")
COMMISSION = FieldPreset("commission", Kind.MONEY, "", "What was earned on the sale.")
HAPPENED = FieldPreset("feedback_timestamp", Kind.TIME, "", "When it happened; left out: now.")
CONTACTED = FieldPreset("contacted_date", Kind.TIME, "first_contact", "When the lead was first reached.")
REASON = FieldPreset("reason", Kind.TEXT, "", "Why, for returns above all.")
NOTES = FieldPreset("notes", Kind.TEXT)
RECOMMENDATIONS = FieldPreset("recommendations", Kind.TEXT, "", "What would make the next leads better.")
ISSUES = FieldPreset("issues", Kind.LIST, "", "What was wrong with the lead.")
PRODUCT = FieldPreset("product_details", Kind.OBJECT, "", "What was sold.")

SIMPLE_STATUS = (CONVERTED, HAPPENED)
QUALITY_FOCUS = (QUALITY, ISSUES, RECOMMENDATIONS)
FULL_REVENUE = (OUTCOME, REVENUE, COMMISSION, QUALITY, CONTACTED, REASON, NOTES, PRODUCT)
INSURANCE = (
    FieldPreset("policy_sold", Kind.BOOLEAN),
    FieldPreset("premium_amount", Kind.MONEY),
    FieldPreset("policy_type", Kind.CHOICE, choices=("auto", "home", "life", "health", "renters", "other")),
    FieldPreset("underwriting_result", Kind.CHOICE, choices=("approved", "declined", "pending")),
)
SOLAR = (
    FieldPreset("appointment_set", Kind.BOOLEAN),
    FieldPreset("appointment_date", Kind.DATE),
    FieldPreset("system_size", Kind.TEXT, "", "Such as 8kW."),
    FieldPreset("financing_approved", Kind.BOOLEAN),
)
MORTGAGE = (
    FieldPreset("loan_amount", Kind.MONEY),
    FieldPreset(
        "loan_type",
        Kind.CHOICE,
        choices=("purchase", "refinance", "home_equity", "fha", "va", "jumbo", "other"),
    ),
    FieldPreset("credit_pulled", Kind.BOOLEAN),
    FieldPreset("application_date", Kind.DATE),
    FieldPreset("rate_locked", Kind.BOOLEAN),
)
PRESETS: dict[str, tuple[FieldPreset, ...]] = {
    "simple_status": SIMPLE_STATUS,
    "quality_focus": QUALITY_FOCUS,
    "full_revenue": (*FULL_REVENUE, HAPPENED),
    "insurance": (*FULL_REVENUE, *INSURANCE, HAPPENED),
    "solar": (*FULL_REVENUE, *SOLAR, HAPPENED),
    "mortgage": (*FULL_REVENUE, *MORTGAGE, HAPPENED),
}
LISTS = {RETURNS: "Returns", BAD_SOURCES: "Bad Sources"}


@dataclass(frozen=True, slots=True)
class RulePreset:
    """A rule that ships with a new flow."""

    name: str
    action: str
    columns: dict[str, Any]
    params: dict[str, Any] = field(default_factory=dict)


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
RULES = (
    RulePreset("Pause low quality", "pause_source", _when("average_quality", _BELOW, "3.0", 30, alert=True)),
    RulePreset(
        "Raise the cap of high quality",
        "step_cap",
        _when("average_quality", _ABOVE, "4.5", 30, cooldown_hours=7 * 24),
        {"percentage": 20, "min": 1, "max": 1000},
    ),
    RulePreset(
        "Raise the price of high conversion",
        "set_price_adjustment",
        _when("conversion_rate", _ABOVE, "0.10", 100, maturity_days=14),
        {"value": "1.2"},
    ),
    RulePreset(
        "Lower the price of low conversion",
        "set_price_adjustment",
        _when("conversion_rate", _BELOW, "0.05", 100, maturity_days=14),
        {"value": "0.8"},
    ),
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


@transaction.atomic
def set_up_flow(flow: Flow, preset: str = "full_revenue") -> None:
    """Give a flow the preset's fields, the default rules, and its seller the lists they use.

    What is there already under the same name stays as it is. KeyError where there is no such preset.
    """
    for position, each in enumerate(PRESETS[preset]):
        Field.objects.get_or_create(
            flow=flow,
            name=each.name,
            defaults={
                "kind": each.kind,
                "maps_to": each.maps_to,
                "help_text": each.help_text,
                "choices": list(each.choices),
                "position": position,
            },
        )
    for position, rule in enumerate(RULES):
        Rule.objects.get_or_create(
            flow=flow,
            name=rule.name,
            defaults={"action": rule.action, "params": rule.params, "position": position, **rule.columns},
        )
    for slug, name in LISTS.items():
        SuppressionList.objects.get_or_create(
            seller=flow.seller, slug=slug, defaults={"name": name, "country": flow.country}
        )
