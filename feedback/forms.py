"""The form of one delivery's feedback, made of its flow's schema."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.utils import timezone

from feedback.desk import Sheet
from feedback.present import value_json
from feedback.schema import FieldSpec
from feedback.schema.spec import TIMESTAMP
from feedback.wording import QUALITIES
from flows.models import Outcome
from portal.formats import machine_number, typed

LONG_TEXTS = ("notes", "recommendations")
LOCAL = "%Y-%m-%dT%H:%M:%S"  # as a datetime-local input takes it
NUMERIC = ("money", "decimal", "integer")
VERSION = re.compile(r"\d{1,9}", re.ASCII)
LOCAL_MINUTE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")  # as it may send it
Choices = list[tuple[str, str]]
OUTCOMES: Choices = list(Outcome.choices)


def text_of(value: Any, kind: str) -> str:
    """A canonical JSON value as the text of its control; "" where nothing stands."""
    if value is None:
        return ""
    return TEXTS.get(kind, str)(value)


def _local(value: str) -> str:
    return timezone.localtime(dt.datetime.fromisoformat(value)).strftime(LOCAL)


TEXTS: Mapping[str, Callable[[Any], str]] = {
    "boolean": lambda value: "yes" if value else "no",
    "money": typed,
    "decimal": lambda value: typed(str(value)),
    "time": _local,
    "list": "\n".join,
    "object": lambda value: json.dumps(value, ensure_ascii=False, indent=1),
}


def choices_of(spec: FieldSpec, now: str) -> Choices:
    """The values that a field offers, without the empty one; ``now`` stays on offer, whatever it is."""
    offered: Choices = [(value, value.replace("_", " ").capitalize()) for value in spec.choices]
    if spec.kind == "outcome":
        offered = list(OUTCOMES)
    elif spec.kind == "boolean":
        offered = [("yes", "Yes"), ("no", "No")]
    elif spec.name == "quality_score":
        offered = [(str(score), f"{score} – {word}") for score, word in QUALITIES]
    if offered and now and now not in dict(offered):
        offered.append((now, now))
    return offered


class AsItIs(forms.CharField):
    """A text that the pipeline will check."""

    def clean(self, value: Any) -> Any:
        return value


class FeedbackForm(forms.Form):
    """Every field of the flow as a text in a fitting control. It checks nothing: the pipeline does.

    ``changed_texts`` is what the person has changed.
    """

    use_required_attribute = False
    version = AsItIs(widget=forms.HiddenInput)

    def __init__(self, sheet: Sheet, data: Mapping[str, str] | None = None) -> None:
        super().__init__(data, initial=standing_texts(sheet))
        self.specs = sheet.schema.fields
        for spec in self.specs:
            self.fields[spec.name] = field_of(spec, self.initial[spec.name], sheet)

    def texts(self) -> dict[str, str]:
        """Field → what was sent for it."""
        sent = {spec.name: self.data[spec.name] for spec in self.specs if spec.name in self.data}
        return {name: text.replace("\r\n", "\n").strip() for name, text in sent.items()}

    def changed_texts(self) -> dict[str, str]:
        """Those of the texts that are not what stands; "" for a field that was emptied."""
        kinds = {spec.name: spec.kind for spec in self.specs}
        return {
            name: text
            for name, text in self.texts().items()
            if plain(text, kinds[name]) != plain(self.initial[name], kinds[name])
        }

    @property
    def seen_version(self) -> int:
        """The delivery's version that the person had before their eyes; -1 where the form does not say."""
        text = self.data.get("version", "")
        return int(text) if VERSION.fullmatch(text) else -1


def standing_texts(sheet: Sheet) -> dict[str, str]:
    """The form as it is first shown."""
    stands = {spec.name: text_of(_value(sheet, spec), spec.kind) for spec in sheet.schema.fields}
    return {**stands, TIMESTAMP: "", "version": str(sheet.delivery.version)}


def filled(sheet: Sheet, typed: Mapping[str, str]) -> dict[str, str]:
    """What was typed, and what stands in every field that was not sent: a row sends only a few."""
    stands = standing_texts(sheet)
    return {name: typed.get(name, text) for name, text in stands.items()}


def plain(text: str, kind: str = "") -> str:
    """One text for what is the same: line ends, ``:00`` seconds and, in numbers, separators differ."""
    text = text.replace("\r\n", "\n").strip()
    if LOCAL_MINUTE.fullmatch(text):
        return f"{text}:00"
    return machine_number(text) if kind in NUMERIC else text


def _value(sheet: Sheet, spec: FieldSpec) -> Any:
    return value_json(sheet.delivery, spec, sheet.flow)


def field_of(spec: FieldSpec, now: str, sheet: Sheet) -> forms.Field:
    """The control of one field; ``now``: the text that it shows at first."""
    choices = choices_of(spec, now)
    label = f"{spec.label}, {sheet.flow.currency}" if spec.kind == "money" else spec.label
    common: dict[str, Any] = {
        "label": "When it happened" if spec.name == TIMESTAMP else label,
        "required": spec.required,
        "help_text": _help(spec),
    }
    widget = forms.Select(choices=[("", "–"), *choices]) if choices else _widget(spec, now)
    return AsItIs(widget=widget, **common)


def _help(spec: FieldSpec) -> str:
    if spec.name == TIMESTAMP:
        return "Left empty: now."
    hint = {"list": "One on each line.", "object": "As JSON."}.get(spec.kind, "")
    return f"{spec.help_text} {hint}".strip()


def _widget(spec: FieldSpec, now: str) -> forms.Widget:
    if spec.kind in ("list", "object") or spec.name in LONG_TEXTS or "\n" in now:
        return forms.Textarea(attrs={"rows": 3})
    if spec.kind == "date":
        return forms.DateInput(attrs={"type": "date"})
    if spec.kind == "time":
        return forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"})
    numeric = {"inputmode": "decimal"} if spec.kind in ("money", "decimal", "integer") else {}
    return forms.TextInput(attrs={"autocomplete": "off", **numeric})
