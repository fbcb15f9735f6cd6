"""The nouns of what goes out, in three rooms: configuration, supply, automation."""

from flows.models.automation import (
    Alert,
    Decision,
    OutboxMessage,
    Rule,
    SuppressionEntry,
    SuppressionList,
)
from flows.models.config import Agreement, ApiKey, Field, Flow, IdempotentRequest
from flows.models.supply import (
    ConversionStatus,
    Delivery,
    IntakeRefusal,
    Lead,
    Outcome,
    Source,
)

__all__ = [
    "Agreement",
    "Alert",
    "ApiKey",
    "ConversionStatus",
    "Decision",
    "Delivery",
    "Field",
    "Flow",
    "IdempotentRequest",
    "IntakeRefusal",
    "Lead",
    "OutboxMessage",
    "Outcome",
    "Rule",
    "Source",
    "SuppressionEntry",
    "SuppressionList",
]
