"""The shapes of requests and answers, as JSON Schemas under the names of the document's components."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from feedback.batches import MAX_ROWS
from feedback.metrics import UNITS
from feedback.models import Door, Upload
from feedback.present import COLUMN_OF
from feedback.schema import FieldSpec, compile_schema
from feedback.schema.values import OUTCOMES
from feedback.standing import TOLD
from flows.explanations import FAULTS, PROBLEMS
from flows.models import Agreement, ConversionStatus, Flow
from flows.offers import CONTACT

Json = dict[str, Any]
STRING, BOOLEAN, COUNT = {"type": "string"}, {"type": "boolean"}, {"type": "integer", "minimum": 0}
TIME = {"type": "string", "format": "date-time"}
TEXTS = {"type": "array", "items": STRING}


def record(properties: Json, *optional: str, **more: Any) -> Json:
    """An object whose members are all there, but for the ``optional`` ones."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, **more}


def ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def listed(name: str) -> Json:
    return {"type": "array", "items": ref(name)}


def or_null(shape: Json) -> Json:
    if "$ref" in shape:
        return {"anyOf": [shape, {"type": "null"}]}
    return {**shape, "type": [shape["type"], "null"]}


def money(flow: Flow) -> Json:
    """An amount as it is answered."""
    pattern = f"^[0-9]+\\.[0-9]{{{flow.decimals}}}$" if flow.decimals else "^[0-9]+$"
    return {"type": "string", "pattern": pattern, "description": f"In {flow.currency}."}


def balance(flow: Flow) -> Json:
    """An amount that may be less than nothing."""
    amount = money(flow)
    return {**amount, "pattern": amount["pattern"].replace("^", "^-?", 1)}


def common() -> Json:
    """What every party meets."""
    fault = {
        "field": {**STRING, "description": 'Which field; "" for the whole.'},
        "code": {"type": "string", "enum": [*FAULTS, *PROBLEMS]},
        "message": {**STRING, "description": "What to do."},
        "allowed": TEXTS,
        "did_you_mean": STRING,
    }
    problem = {
        "type": {"type": "string", "format": "uri-reference"},
        "title": STRING,
        "status": {"type": "integer"},
        "code": {"type": "string", "enum": list(PROBLEMS)},
        "detail": STRING,
        "request_id": STRING,
        "errors": listed("Fault"),
    }
    return {
        "Fault": record(fault, "allowed", "did_you_mean"),
        "Problem": record(problem, description="RFC 9457. errors lists every fault found."),
    }


def of_buyers(flow: Flow, agreement: Agreement) -> Json:
    """What buyers send and are answered on this flow."""
    feedback = compile_schema(flow).json_schema()
    rows = {"type": "array", "items": ref("Feedback"), "minItems": 1, "maxItems": MAX_ROWS}
    return {
        "Feedback": {name: value for name, value in feedback.items() if name != "$schema"},
        "FeedbackBatch": record({"feedback": rows}, additionalProperties=False),
        "LeadState": _state(flow),
        "Receipt": _receipt(),
        "BatchResult": _batch_result(),
        "BatchAnswer": _batch_answer(),
        "Lead": _lead(flow, agreement),
        "LeadPage": _page(),
        "Event": _event(),
        "History": record({"feedback": listed("Event")}),
        "Upload": _upload(),
        "Csv": STRING,
    }


def file_content(example: str) -> Json:
    """A CSV file as a body: as it is, or as the one file of a form."""
    form = record({"file": {"type": "string", "contentMediaType": "text/csv"}})
    return {
        "text/csv": {"schema": {"type": "string", "minLength": 1}, "example": example},
        "multipart/form-data": {"schema": form},
    }


def of_sellers(flow: Flow) -> Json:
    """What sellers send and are answered on this flow."""
    return {
        "NewLead": _new_lead(flow),
        "LeadReceipt": _lead_receipt(flow),
        "Measure": _measure({"type": "number"}),
        "MoneyMeasure": _measure(balance(flow)),
        "SourceState": _source_state(flow),
        "SourceAnswer": {"allOf": [ref("SourceState"), record({"as_of": TIME})]},
        "Routing": record({"as_of": TIME, "sources": listed("SourceState")}),
    }


def _state(flow: Flow) -> Json:
    outcome = {"type": ["string", "null"], "enum": [*OUTCOMES, None]}
    return record(
        {
            "outcome": outcome,
            "conversion_status": {"type": "string", "enum": ConversionStatus.values},
            "quality_score": {"type": ["integer", "null"], "minimum": 1, "maximum": 5},
            "revenue": or_null(money(flow)),
            "commission": or_null(money(flow)),
            "currency": {"const": flow.currency},
            "contacted_at": or_null(TIME),
            "fields": _lead_fields(flow),
            "feedback_count": COUNT,
            "last_feedback_at": or_null(TIME),
        },
        description="Where the feedback on a lead stands: its events, folded field by field.",
    )


def _lead_fields(flow: Flow) -> Json:
    """By the lead's names: the mapped fields and those without a member of their own."""
    return record(
        {
            spec.maps_to or spec.name: {"description": f"From {spec.name}.", **_kept(spec, flow)}
            for spec in compile_schema(flow).fields
            if spec.maps_to or spec.name not in COLUMN_OF
        },
        description="Fields that the flow had earlier stay under their names.",
    )


KEPT: Mapping[str, Callable[[Flow], Json]] = {
    "boolean": lambda flow: BOOLEAN,
    "integer": lambda flow: {"type": "integer"},
    "decimal": lambda flow: {"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?$"},
    "money": money,
    "date": lambda flow: {"type": "string", "format": "date"},
    "time": lambda flow: TIME,
    "list": lambda flow: TEXTS,
    "object": lambda flow: {"type": "object"},
}


def _kept(spec: FieldSpec, flow: Flow) -> Json:
    """A field's canonical value, as it is kept and answered."""
    return or_null(KEPT[spec.kind](flow) if spec.kind in KEPT else STRING)


def _receipt() -> Json:
    return record(
        {
            "feedback_id": STRING,
            "lead_id": STRING,
            "external_id": or_null(STRING),
            "status": {"type": "string", "enum": ["recorded", "unchanged", "test"]},
            "applied": {**BOOLEAN, "description": "false: newer feedback stood already."},
            "livemode": BOOLEAN,
            "lead": ref("LeadState"),
            "warnings": TEXTS,
        }
    )


def _batch_result() -> Json:
    return record(
        {
            "index": {**COUNT, "description": "Of the row, beginning with 0."},
            "status": {"type": "string", "enum": ["recorded", "unchanged", "rejected", "test"]},
            "feedback_id": STRING,
            "warnings": TEXTS,
            "problem": ref("Problem"),
        },
        *("feedback_id", "warnings", "problem"),
    )


def _batch_answer() -> Json:
    counts = dict.fromkeys(("recorded", "unchanged", "rejected"), COUNT)
    return record({**counts, "livemode": BOOLEAN, "results": listed("BatchResult")})


def _lead(flow: Flow, agreement: Agreement) -> Json:
    contact = {"type": "object", "description": "The consumer's record."}
    shown = [
        ("source", agreement.shows_source, STRING),
        ("price", agreement.shows_price, money(flow)),
        ("contact", agreement.shows_contact, contact),
    ]
    hidden = {"type": "null", "description": "Not shown to you on this flow."}
    return record(
        {
            "lead_id": STRING,
            "external_id": or_null(STRING),
            "delivered_at": TIME,
            **{name: shape if is_shown else hidden for name, is_shown, shape in shown},
            "update_window_closes_at": {**TIME, "description": "Until when feedback is taken."},
            "lead": ref("LeadState"),
        }
    )


def _page() -> Json:
    cursor = {"type": ["string", "null"], "description": "Of the next page; null on the last one."}
    page = {"leads": listed("Lead"), "next_cursor": cursor, "warnings": TEXTS}
    return record(page, "warnings")


def _event() -> Json:
    return record(
        {
            "feedback_id": STRING,
            "occurred_at": TIME,
            "received_at": TIME,
            "values": {"type": "object", "description": "Field to value; null cleared it."},
            "applied": {**BOOLEAN, "description": "false: newer feedback stood when it arrived."},
            "retracts": {
                **or_null(STRING),
                "description": "feedback_id of the earlier event that this one takes back.",
            },
            "retracted": {**BOOLEAN, "description": "true: it was taken back, and counts for nothing."},
            "door": {"type": "string", "enum": Door.values},
            "request_id": or_null(STRING),
            "corrects": {
                **or_null(STRING),
                "description": "feedback_id of the earlier event in whose place a person put this one.",
            },
        }
    )


def _upload() -> Json:
    return record(
        {
            "upload_id": STRING,
            "status": {"type": "string", "enum": Upload.Status.values},
            "livemode": BOOLEAN,
            "filename": STRING,
            "rows": {**or_null(COUNT), "description": "null until they are counted."},
            **dict.fromkeys(("recorded", "unchanged", "rejected"), COUNT),
            "progress": {"type": "number", "minimum": 0, "maximum": 1},
            "dialect": record({"encoding": or_null(STRING), "delimiter": or_null(STRING)}),
            "error": {**or_null(STRING), "description": "Why the file was refused as a whole."},
            "errors_url": {**or_null(STRING), "description": "The refused rows; null where there are none."},
            "created_at": TIME,
            "finished_at": or_null(TIME),
        }
    )


def _new_lead(flow: Flow) -> Json:
    columns = {name: {"type": "string", "maxLength": longest} for name, longest in CONTACT.items()}
    about = "The consumer's record: an email or a phone, and any further fields."
    reach = [{"required": ["email"]}, {"required": ["phone"]}]
    price = {"type": ["number", "string", "null"], "minimum": 0, "pattern": "^[0-9]{1,40}(\\.[0-9]{1,40})?$"}
    event_id = {"type": ["string", "null"], "pattern": "^[A-Za-z0-9_-]{1,64}$"}
    optional = {
        "price": {**price, "description": f"In {flow.currency}; left out: as the source has it."},
        "event_id": {**event_id, "description": "Your id of the delivery; left out: one is made."},
        "external_id": {"type": ["string", "null"], "minLength": 1, "maxLength": 128},
        "delivered_at": {**or_null(TIME), "description": "Left out: now."},
    }
    properties = {
        "source": {**STRING, "minLength": 1, "description": "The source's slug."},
        "buyer": {**STRING, "minLength": 1, "description": "The buyer's id (byr_…) or slug."},
        "lead": {"type": "object", "properties": columns, "anyOf": reach, "description": about},
        **optional,
    }
    return record(properties, *optional, additionalProperties=False)


def _lead_receipt(flow: Flow) -> Json:
    reasons = ["source_paused", "cap_reached", "suppressed", "duplicate", None]
    return record(
        {
            "outcome": {"type": "string", "enum": ["success", "failure"]},
            "reason": {"type": ["string", "null"], "enum": reasons},
            "lead_id": or_null(STRING),
            "price": or_null(money(flow)),
            "livemode": BOOLEAN,
            "warnings": TEXTS,
        }
    )


def _source_state(flow: Flow) -> Json:
    number = {"type": ["integer", "null"], "minimum": 0}
    return record(
        {
            "source": STRING,
            "status": {"type": "string", "enum": ["active", "paused"]},
            "reason": or_null(STRING),
            "paused_for": {
                **TEXTS,
                "description": "Ids of buyers for whom alone the source is paused: leads offered to them are "
                "refused as source_paused.",
            },
            "daily_cap": number,
            "delivered_today": COUNT,
            "remaining": {**number, "description": "Of the daily cap; null without one."},
            "base_price": money(flow),
            "price_adjustment": {**STRING, "description": "The price is the base price times this."},
            "price": money(flow),
            "quality": record(
                {name: ref("MoneyMeasure" if UNITS[name] == "money" else "Measure") for name in TOLD},
                description="By metric, over the last 30 days by delivery date; rates as fractions, times in "
                "days.",
            ),
        }
    )


def _measure(value: Json) -> Json:
    return record(
        {"value": or_null(value), "count": COUNT, "low": or_null(value), "high": or_null(value)},
        description="On how many it was measured, and the 95 % interval. Null: there is nothing to measure, "
        "or there is no interval.",
    )
