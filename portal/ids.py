"""Public identifiers: a short prefix that names the noun, then 80 random bits."""

from __future__ import annotations

import secrets

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32: no i, l, o, u


def new_id(prefix: str) -> str:
    """``new_id("evt")`` → ``"evt_4f0k2m9tq8zr1c7d"``: the prefix, ``_`` and 16 characters."""
    return f"{prefix}_{''.join(secrets.choice(ALPHABET) for _ in range(16))}"
