"""What can be set on many leads at once: the fields of their flows that are chosen or typed in a word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from feedback.forms import NUMERIC, AsItIs, choices_of
from feedback.schema import FieldSpec, compile_schema
from flows.models import Flow
from portal.formats import machine_number, typed

KINDS = ("outcome", "boolean", "integer", "decimal", "money", "choice", "date")
FIRST = ("outcome", "converted", "quality_score", "reason")
LONGEST = 500  # characters of a text


class BulkForm(forms.Form):
    """Each field as a control that is left empty where it is to stay as it is. The pipeline checks it."""

    use_required_attribute = False

    def __init__(self, flows: Sequence[Flow], texts: Mapping[str, str]) -> None:
        super().__init__()
        for spec, own in fields_of(flows).values():
            self.initial[spec.name] = shown(spec, texts.get(spec.name, ""))
            self.fields[spec.name] = _field(spec, own if len(own) < len(flows) else ())


def fields_of(flows: Sequence[Flow]) -> dict[str, tuple[FieldSpec, list[Flow]]]:
    """Name → its specification, and the flows that have it; where they differ, that of the first flow."""
    found: dict[str, tuple[FieldSpec, list[Flow]]] = {}
    for flow in flows:
        for spec in compile_schema(flow).fields:
            if spec.kind in KINDS or spec.name == "reason":
                found.setdefault(spec.name, (spec, []))[1].append(flow)
    order = sorted(found, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))
    return {name: found[name] for name in order}


def texts_of(data: Mapping[str, Any], flows: Sequence[Flow]) -> dict[str, str]:
    """Field → what was sent for it, where something was; numbers as machines write them."""
    found = fields_of(flows)
    sent = {name: str(data.get(name, "")).strip()[:LONGEST] for name in found}
    return {
        name: machine_number(text) if found[name][0].kind in NUMERIC else text
        for name, text in sent.items()
        if text
    }


def in_order(texts: Mapping[str, str]) -> list[str]:
    """The names of the fields, the usual ones first: PostgreSQL keeps no order in JSON."""
    return sorted(texts, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))


def shown(spec: FieldSpec | None, text: str) -> str:
    """A text of `texts_of` as the person writes it."""
    return typed(text) if spec and spec.kind in NUMERIC else text


def _field(spec: FieldSpec, own: Sequence[Flow]) -> forms.Field:
    choices = choices_of(spec, "")
    widget: forms.Widget
    if choices:
        widget = forms.Select(choices=[("", "Leave as it is"), *choices])
    elif spec.kind == "date":
        widget = forms.DateInput(attrs={"type": "date"})
    else:
        numeric = {"inputmode": "decimal"} if spec.kind in NUMERIC else {}
        widget = forms.TextInput(
            attrs={"autocomplete": "off", "placeholder": "Leave as it is", "maxlength": LONGEST, **numeric}
        )
    only = f"Only on {', '.join(flow.name for flow in own)}." if own else ""
    # Not "optional": one of them has to be chosen.
    return AsItIs(label=spec.label, help_text=only, widget=widget)
