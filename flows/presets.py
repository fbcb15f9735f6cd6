"""Ready-made flows: fields for the usual ways of giving feedback, with the usual rules and lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from flows.models import Field, Flow
from flows.rule_sets import RULES, add_lists, add_rules

Kind = Field.Kind


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
    add_rules(flow, RULES)
    add_lists(flow)
