"""What a buyer is shown of a lead beside its feedback, as pairs of a label and a text."""

from __future__ import annotations

import json
from typing import Any

from feedback.deadlines import deadlines
from feedback.desk import Sheet
from feedback.present import state_json, value_json
from feedback.schema.spec import TIMESTAMP
from feedback.wording import in_words, money, when

Facts = list[tuple[str, str]]


def contact(sheet: Sheet) -> Facts:
    """The consumer's record, where the agreement shows it."""
    if not sheet.agreement.shows_contact:
        return []
    lead = sheet.delivery.lead
    known = [("Name", lead.name), ("E-mail", lead.email), ("Phone", lead.phone)]
    further = [(name.replace("_", " ").capitalize(), _text(value)) for name, value in lead.data.items()]
    return [(label, text) for label, text in [*known, *further] if text]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)


def standing(sheet: Sheet) -> Facts:
    """What feedback is on record, field by field: for a lead on which nothing can be set any more."""
    specs = [spec for spec in sheet.schema.fields if spec.name != TIMESTAMP]
    values = [(spec, value_json(sheet.delivery, spec, sheet.flow)) for spec in specs]
    return [(spec.label, in_words(spec, value, sheet.flow)) for spec, value in values if value is not None]


def facts(sheet: Sheet) -> Facts:
    """The delivery: its id, source and price as far as shown, and until when what may be done."""
    delivery = sheet.delivery
    ended = [("Feedback was taken until", when(sheet.closes_at))] if sheet.closed else []
    return [
        ("ID", delivery.public_id),
        ("Flow", sheet.flow.name),
        *([("Source", delivery.source.name)] if sheet.agreement.shows_source else []),
        *([("Paid", money(delivery.price, sheet.flow))] if sheet.agreement.shows_price else []),
        ("Delivered", when(delivery.delivered_at)),
        *ended,
        *((deadline.sentence, when(deadline.at)) for deadline in deadlines(sheet)),
    ]


def raw(sheet: Sheet) -> str:
    """All that stands, custom fields too, as the API gives it."""
    return json.dumps(state_json(sheet.delivery, sheet.flow), indent=2, ensure_ascii=False)
