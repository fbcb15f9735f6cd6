"""What a person says of a file's columns and values, out of the form of the upload's pages."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from typing import Any

from django import forms
from django.http import QueryDict

from feedback import mapping as meaning
from feedback.mapping import Mapping
from feedback.models import Upload
from feedback.proposals import may_propose
from feedback.schema import Schema
from feedback.upload_steps import DELIMITERS

LEFT_OUT = "-"  # a cell with this text is left out; "" in the form: nobody has decided
ENCODINGS = (
    ("utf-8-sig", "UTF-8"),
    ("cp1252", "Windows-1252 (Western European)"),
    ("utf-16", "UTF-16"),
)
Groups = list[tuple[str, list[tuple[str, str]]]]


class ReadingForm(forms.Form):
    """How the file was written."""

    encoding = forms.ChoiceField(choices=ENCODINGS, label="Characters")
    delimiter = forms.ChoiceField(
        choices=[(sign, words.capitalize()) for sign, words in DELIMITERS.items()], label="Cells parted by"
    )
    has_header = forms.BooleanField(required=False, label="The first line names the columns")
    decimal_comma = forms.BooleanField(required=False, label="Numbers have decimal commas (1.234,50)")

    @classmethod
    def of(cls, upload: Upload) -> ReadingForm:
        """As the file is read now."""
        encoding = "utf-8-sig" if upload.encoding == "utf-8" else upload.encoding
        return cls(
            initial={
                "encoding": encoding,
                "delimiter": upload.delimiter,
                "has_header": upload.has_header,
                "decimal_comma": upload.decimal_comma,
            }
        )


def choices_of(upload: Upload, schema: Schema) -> Groups:
    """What a column can be read as, in groups."""
    groups: Groups = [
        ("The lead", [("lead_id", "Lead id (evt_…)"), ("external_id", "Your own id")]),
        ("Feedback", [(spec.name, spec.label) for spec in schema.fields]),
    ]
    if may_propose(upload):
        contact = [(meaning.EMAIL, "Contact’s e-mail"), (meaning.PHONE, "Contact’s phone")]
        groups.append(("Only to find the lead", contact))
    return groups


def mapping_of(sent: QueryDict, old: Mapping, schema: Schema, width: int) -> Mapping:
    """The mapping that a person has sent; what the form did not ask for stays as it was."""
    known = meaning.targets(schema)
    columns = old.columns
    if "column-0" in sent:
        chosen = (sent.get(f"column-{index}", "") for index in range(width))
        columns = tuple(target if target in known else meaning.LEAVE_OUT for target in chosen)
    return Mapping(columns, values_of(sent, old, schema))


def values_of(sent: QueryDict, old: Mapping, schema: Schema) -> dict[str, AnyMapping[str, str]]:
    """What the texts stand for: what was known, and what a person has sent."""
    values: dict[str, Any] = {name: dict(known) for name, known in old.values.items()}
    for name, meanings in meaning.meanings(schema).items():
        pairs = zip(sent.getlist(f"text-{name}"), sent.getlist(f"meaning-{name}"), strict=False)
        for text, said in pairs:
            if said in meanings or said == LEFT_OUT:
                values.setdefault(name, {})[meaning.fold(text)] = said.removeprefix(LEFT_OUT)
            else:
                values.get(name, {}).pop(meaning.fold(text), None)
    return values
