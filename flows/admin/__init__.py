"""The seller's set-up tool: what goes out, in the Django admin. Each module registers its models."""

from flows.admin import automation, config, keys, requests, rules, supply, suppression

__all__ = ["automation", "config", "keys", "requests", "rules", "supply", "suppression"]
