"""The seller's set-up tool: what goes out, in the Django admin. Each module registers its models."""

from flows.admin import (
    automation,
    config,
    endpoints,
    keys,
    outbox,
    requests,
    rules,
    source_history,
    sources,
    supply,
    suppression,
)

__all__ = [
    "automation",
    "config",
    "endpoints",
    "keys",
    "outbox",
    "requests",
    "rules",
    "source_history",
    "sources",
    "supply",
    "suppression",
]
