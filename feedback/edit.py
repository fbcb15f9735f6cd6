"""The portal's door: what a person has changed on one lead becomes a submission."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from feedback.desk import Sheet
from feedback.forms import NUMERIC, plain
from feedback.intake import intake
from feedback.models import Door
from feedback.present import value_json
from feedback.schema import FieldSpec
from feedback.schema.clock import iso
from feedback.schema.spec import TIMESTAMP
from feedback.submission import Origin, Receipt, Submission
from flows.problems import Fault, Problem, ProblemError
from portal.access import Actor
from portal.formats import typed

LOCAL_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?", re.ASCII)
STALE = "stale"
SAMPLES = {"money": "1500.00", "decimal": "8.5"}
WRITE: Mapping[str, str] = {
    "money": "Write an amount, such as {}.",
    "decimal": "Write a number, such as {}.",
    "integer": "Write a whole number, such as 3.",
    "date": "Choose a day.",
    "time": "Choose a day and a time.",
    "object": 'Write it as JSON, such as {"policy": "auto"}.',
}


@dataclass(frozen=True, slots=True)
class Edited:
    """What became of an edit: a receipt, or why there is none, or neither where nothing was changed."""

    receipt: Receipt | None = None
    problem: Problem | None = None
    faults: Mapping[str, str] = field(default_factory=dict)  # field → what is wrong; "" for the whole

    @property
    def is_stale(self) -> bool:
        return self.problem is not None and self.problem.code == STALE


def edit(
    sheet: Sheet, texts: Mapping[str, str], *, version: int, actor: Actor, request_id: str = ""
) -> Edited:
    """Record what a person changed: field → the text of its control, "" to clear it.

    ``version`` is the delivery's version that the person had before their eyes.
    """
    if not texts:
        return Edited()
    submission = Submission(0, payload(sheet, texts), expected_version=version)
    origin = Origin(actor, Door.PORTAL, request_id=request_id)
    try:
        (receipt,) = intake(sheet.flow, [submission], origin)
    except ProblemError as error:
        return refused(error.problem, sheet)
    return refused(receipt.problem, sheet) if receipt.problem else Edited(receipt)


def refused(problem: Problem, sheet: Sheet) -> Edited:
    """The problem in words for people, by field."""
    faults = {fault.field: _for_people(fault, sheet) for fault in problem.faults}
    return Edited(problem=problem, faults=faults or {"": problem.detail})


def _for_people(fault: Fault, sheet: Sheet) -> str:
    """The schema speaks to programmers about JSON types; people are told what to write."""
    spec = sheet.schema.by_name.get(fault.field)
    if spec and fault.code in ("invalid_type", "invalid_timestamp"):
        words = WRITE.get(spec.kind, fault.message)
        return words.format(typed(SAMPLES[spec.kind])) if spec.kind in SAMPLES else words
    return fault.message


def payload(sheet: Sheet, texts: Mapping[str, str], *, required: bool = True) -> dict[str, Any]:
    """The changed fields in JSON types, and beside them what the flow requires, as it stands."""
    specs = sheet.schema.by_name
    known = {name: _machine_text(specs[name], text) for name, text in texts.items() if name in specs}
    cleared = {name: None for name, text in known.items() if not text}
    lists = {
        name: plain(text).split("\n") for name, text in known.items() if text and specs[name].kind == "list"
    }
    given = sheet.schema.from_texts({name: text for name, text in known.items() if name not in lists})
    told = {**cleared, **given, **lists}
    return {"lead_id": sheet.delivery.public_id, **(_required(sheet) if required else {}), **told}


def _required(sheet: Sheet) -> dict[str, Any]:
    """What has to go with every feedback on this flow, where it is known."""
    stands = {
        spec.name: iso(timezone.now())
        if spec.name == TIMESTAMP
        else value_json(sheet.delivery, spec, sheet.flow)
        for spec in sheet.schema.fields
        if spec.required
    }
    return {name: value for name, value in stands.items() if value is not None}


def _machine_text(spec: FieldSpec, text: str) -> str:
    """What people write, as the schema reads it: amounts without separators, times with an offset."""
    if spec.kind in NUMERIC:
        return plain(text.lstrip("$€£"), spec.kind)
    if spec.kind == "time" and LOCAL_TIME.fullmatch(text):
        return _with_offset(text)
    return text


def _with_offset(text: str) -> str:
    try:
        return dt.datetime.fromisoformat(text).replace(tzinfo=timezone.get_current_timezone()).isoformat()
    except ValueError:  # no such day: the schema says so
        return text
