"""What the check of a file found, in words for its page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from feedback import upload_steps
from feedback.desk import Desk
from feedback.mapping import Mapping, meanings
from feedback.models import Upload
from feedback.present import COLUMN_OF
from feedback.schema import FieldSpec, Schema, compile_schema
from feedback.upload_forms import Meanings
from feedback.wording import NOTHING, in_words
from flows.models import Delivery, Flow
from portal.access import Actor, visible_to

DERIVED = ("conversion_status",)  # follows from the feedback, which is shown


@dataclass(frozen=True, slots=True)
class Change:
    """What a field of a lead would hold, and holds."""

    label: str
    before: str
    after: str

    @property
    def is_first(self) -> bool:
        return self.before == NOTHING


@dataclass(frozen=True, slots=True)
class Sample:
    """What one row would change on its lead."""

    line: int
    lead: str
    title: str
    changes: tuple[Change, ...]


def samples_of(upload: Upload, actor: Actor) -> list[Sample]:
    """The leads that the check kept as samples, as this person may see them. Two queries."""
    found = upload.findings.get("samples", ())
    if not found:
        return []
    desk, schema = Desk(actor), compile_schema(upload.flow)
    ids = [sample["lead"] for sample in found]
    rows = visible_to(actor, Delivery.objects.select_related("lead")).filter(public_id__in=ids)
    titles = {each.public_id: _title(each, desk) for each in rows}
    return [
        Sample(
            sample["line"],
            sample["lead"],
            titles.get(sample["lead"], sample["lead"]),
            _changes(sample["changes"], schema, upload.flow),
        )
        for sample in found
    ]


def _title(delivery: Delivery, desk: Desk) -> str:
    return str(delivery.lead) if desk.agreement(delivery).shows_contact else delivery.public_id


def _changes(changes: list[dict[str, Any]], schema: Schema, flow: Flow) -> tuple[Change, ...]:
    """Each field once, although the state has some under two names."""
    named = _by_state_name(schema)
    by_label = {
        _label(change["name"], named.get(change["name"])): change
        for change in changes
        if change["name"] not in DERIVED
    }
    return tuple(
        Change(
            label, *(in_words(named.get(change["name"]), change[when], flow) for when in ("before", "after"))
        )
        for label, change in by_label.items()
    )


def _by_state_name(schema: Schema) -> dict[str, FieldSpec]:
    """Field by each of the names that its value has in the state of a lead."""
    return {
        name: spec
        for spec in schema.fields
        for name in (spec.name, spec.maps_to, COLUMN_OF.get(spec.name, ""))
        if name
    }


def _label(name: str, spec: FieldSpec | None) -> str:
    return spec.label if spec else name.replace("_", " ").capitalize()


def unknown_of(upload: Upload) -> list[Meanings]:
    """The texts for which nobody knows a meaning, field by field, each with what is most likely meant."""
    schema, mapping = compile_schema(upload.flow), Mapping.from_json(upload.mapping)
    known = meanings(schema)
    asked = (
        Meanings.of(
            schema,
            name,
            (upload_steps.value_of(mapping, schema, name, text, count) for text, count in texts),
        )
        for name, texts in upload.findings.get("unknown", {}).items()
        if name in known
    )
    return [each for each in asked if each.values]
