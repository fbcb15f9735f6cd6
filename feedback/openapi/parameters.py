"""Parameters and headers of requests and answers."""

from __future__ import annotations

from typing import Any

from feedback.lead_query import LIMIT, MOST
from feedback.openapi.shapes import BOOLEAN, STRING
from feedback.schema.json_schema import DATE_OR_TIME
from feedback.schema.values import OUTCOMES
from flows.models import ConversionStatus, Flow

Json = dict[str, Any]
MOMENT = "An ISO 8601 time with an offset, or a date: that day in the flow's time zone"


def query_parameters(flow: Flow) -> dict[str, Json]:
    """Every parameter of an address's query, by its name."""
    limit = {"type": "integer", "minimum": 1, "maximum": MOST, "default": LIMIT}
    moment = {"type": "string", "pattern": DATE_OR_TIME}
    shapes = {
        "atomic": ("Keep all rows or none.", {**BOOLEAN, "default": False}),
        "outcome": ("Only leads with this outcome.", {"type": "string", "enum": list(OUTCOMES)}),
        "conversion_status": ("Only these.", {"type": "string", "enum": ConversionStatus.values}),
        "source": ("Only leads of the source with this slug.", STRING),
        "delivered_from": (f"Delivered at or after. {MOMENT} ({flow.timezone}).", moment),
        "delivered_to": (f"Delivered at or before; a whole day counts. {MOMENT} ({flow.timezone}).", moment),
        "updated_since": (
            f"Delivered, or feedback received, at or after. {MOMENT} ({flow.timezone}).",
            STRING,
        ),
        "cursor": ("next_cursor of the page before.", STRING),
        "limit": ("How many leads a page has.", limit),
    }
    return {
        name: {"name": name, "in": "query", "description": about, "schema": schema}
        for name, (about, schema) in shapes.items()
    }


def path_parameter(name: str, flow: Flow) -> Json:
    """A part of the path; the flow is always this one."""
    schemas = {"flow_id": {"type": "string", "const": flow.public_id}}
    examples = {
        "flow_id": flow.public_id,
        "lead_id": "evt_4f0k2m9tq8zr1c7d",
        "upload_id": "upl_8d2h6w1x5vfs3n9k",
        "source": "facebook",
    }
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": schemas.get(name, STRING),
        "example": examples.get(name, name),
    }


PARAMETERS: dict[str, Json] = {
    "Idempotency-Key": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "For 24 hours the same key with the same request gets the first answer again. "
        "Use a fresh one for each request, and the same for its repetitions.",
        "schema": {"type": "string", "pattern": "^[\\x20-\\x7e]{1,255}$"},
        "example": "9f3c1a52-feedback-1",
    },
    "X-Request-Id": {
        "name": "X-Request-Id",
        "in": "header",
        "description": "Your own id of the request; it is kept and answered.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_.:-]{1,64}$"},
    },
    "If-None-Match": {
        "name": "If-None-Match",
        "in": "header",
        "description": "The ETag of the answer before.",
        "schema": STRING,
    },
}
HEADERS: dict[str, Json] = {
    "X-Request-Id": {"description": "Tell us this id when you ask about a request.", "schema": STRING},
    "RateLimit": {
        "description": "Requests left (r) and seconds until the window ends (t).",
        "schema": STRING,
    },
    "RateLimit-Policy": {"description": "Requests (q) in a window of seconds (w), by key.", "schema": STRING},
    "Location": {"description": "Where to ask how far it is.", "schema": STRING},
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}},
    "WWW-Authenticate": {"description": "How to send a key.", "schema": STRING},
    "Idempotent-Replayed": {"description": "true: this answer was given before.", "schema": STRING},
    "ETag": {"description": "Changes with everything but the time.", "schema": STRING},
}
SECURITY: dict[str, Json] = {
    "ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "Bearer": {"type": "http", "scheme": "bearer", "description": "The key as the token."},
    "Basic": {"type": "http", "scheme": "basic", "description": "The key as user name or as password."},
}
