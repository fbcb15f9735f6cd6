"""The nouns of what goes out, one room each: config, agreements, supply, automation, requests, outgoing."""

from flows.models.agreements import Agreement
from flows.models.automation import (
    Alert,
    AlertSettings,
    Bonus,
    Decision,
    Rule,
    SuppressionEntry,
    SuppressionList,
)
from flows.models.changes import SourceChange
from flows.models.config import ApiKey, Field, Flow, IdempotentRequest
from flows.models.outgoing import Attempt, Endpoint, OutboxMessage
from flows.models.requests import RequestLog
from flows.models.supply import (
    ConversionStatus,
    Delivery,
    IntakeRefusal,
    Lead,
    Outcome,
    Source,
    SourceBuyer,
)

__all__ = [
    "Agreement",
    "Alert",
    "AlertSettings",
    "ApiKey",
    "Attempt",
    "Bonus",
    "ConversionStatus",
    "Decision",
    "Delivery",
    "Endpoint",
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
    "SourceBuyer",
    "SourceChange",
    "SuppressionEntry",
    "SuppressionList",
]
