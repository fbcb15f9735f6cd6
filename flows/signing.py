"""The secrets of webhook endpoints, and Standard Webhooks signatures made with them.

No secret is stored. An endpoint's column holds a random salt; the secret is the HMAC-SHA256 of salt and
endpoint under a key derived from SECRET_KEY. So a leak of the database leaks no secret, and nothing needs to
be encrypted, with a key that would have to be kept beside SECRET_KEY anyway. A new SECRET_KEY makes new
secrets.
"""

from __future__ import annotations

import base64
import datetime as dt
import secrets

from django.utils.crypto import salted_hmac
from standardwebhooks.webhooks import Webhook

from flows.models import Endpoint

OVERLAP = dt.timedelta(hours=24)  # for so long the old secret signs too


def new_salt() -> str:
    return secrets.token_hex(16)


def secret_of(endpoint: Endpoint, salt: str = "") -> str:
    """``whsec_…`` of the endpoint, as the receiver's library takes it: 32 bytes in base64."""
    salted = f"{endpoint.public_id}:{salt or endpoint.secret}"
    digest = salted_hmac("flows.signing.webhook", salted, algorithm="sha256").digest()
    return "whsec_" + base64.b64encode(digest).decode()


def rotate(endpoint: Endpoint, *, now: dt.datetime) -> str:
    """Give the endpoint a new secret and return it; the one before signs too for 24 hours more."""
    endpoint.old_secret, endpoint.old_secret_until = endpoint.secret, now + OVERLAP
    endpoint.secret = new_salt()
    endpoint.save(update_fields=["secret", "old_secret", "old_secret_until"])
    return secret_of(endpoint)


def signed(endpoint: Endpoint, event_id: str, body: str, *, now: dt.datetime) -> dict[str, str]:
    """The headers ``webhook-id``, ``webhook-timestamp`` and ``webhook-signature`` over the body."""
    salts = [endpoint.secret]
    if endpoint.old_secret and endpoint.old_secret_until and now < endpoint.old_secret_until:
        salts.append(endpoint.old_secret)
    at = now.astimezone(dt.UTC)
    signatures = [Webhook(secret_of(endpoint, salt)).sign(event_id, at, body) for salt in salts]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
