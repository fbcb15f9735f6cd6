"""The nouns of what goes out, in four rooms: configuration, supply, automation, requests."""

from flows.models.automation import (
    Alert,
    Decision,
    OutboxMessage,
    Rule,
    SuppressionEntry,
    SuppressionList,
)
from flows.models.config import Agreement, ApiKey, Field, Flow, IdempotentRequest
from flows.models.requests import RequestLog
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
    "RequestLog",
    "Rule",
    "Source",
    "SuppressionEntry",
    "SuppressionList",
]
