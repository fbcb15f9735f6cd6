"""The forms of an upload: the file, how it is read, what its columns hold and what its values stand for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, replace
from typing import Any, Self

from django import forms
from django.conf import settings
from django.http import QueryDict
from django.template.defaultfilters import filesizeformat

from feedback import mapping as meaning
from feedback.forms import Choices
from feedback.forms import choices_of as words_of_field
from feedback.mapping import Mapping
from feedback.models import Upload
from feedback.schema import FieldSpec, Schema
from feedback.upload_steps import DELIMITERS, Value
from flows.models import Flow

LEAVE_OUT = "(leave out)"  # the cells with this text; "" in the form: nobody has decided
LONGEST_TARGET = 64
ENCODINGS = (("utf-8-sig", "UTF-8"), ("cp1252", "Windows-1252 (Western)"), ("utf-16", "UTF-16"))
YES_NO = {"yes": True, "no": False}
Groups = list[tuple[str, Choices]]


class UploadForm(forms.Form):
    """A file, and the flow whose leads it speaks of."""

    flow = forms.ChoiceField(help_text="Whose leads the file speaks of.")
    file = forms.FileField(
        max_length=255,
        allow_empty_file=True,  # the reader has better words for it
        error_messages={"required": "Choose a file, or drop one here."},
        widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,text/csv"}),
    )

    def __init__(self, flows: Sequence[Flow], *args: Any, too_large: bool = False, **kwargs: Any) -> None:
        """``too_large``: the file was longer than may be kept, so it was not."""
        super().__init__(*args, **kwargs)
        self.flows = {flow.public_id: flow for flow in flows}
        self.too_large = too_large
        field = self.fields["flow"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  # declared above
        field.choices = [(flow.public_id, flow.name) for flow in flows]
        if len(flows) == 1:
            field.initial, field.widget = flows[0].public_id, forms.HiddenInput()
        if too_large:
            limit = filesizeformat(settings.UPLOAD_MAX_BYTES)
            message = f"The file is larger than {limit}. Split it and upload the parts."
            self.fields["file"].error_messages["required"] = message

    def clean_flow(self) -> Flow:
        return self.flows[self.cleaned_data["flow"]]


class ReadingForm(forms.Form):
    """How the file was written."""

    use_required_attribute = False
    encoding = forms.ChoiceField(choices=ENCODINGS, label="Characters")
    delimiter = forms.ChoiceField(
        choices=[(sign, words.capitalize()) for sign, words in DELIMITERS.items()], label="Cells parted by"
    )
    has_header = forms.TypedChoiceField(
        choices=[("yes", "Names the columns"), ("no", "Is a lead already")],
        coerce=YES_NO.__getitem__,
        label="The first line",
    )
    decimal_comma = forms.TypedChoiceField(
        choices=[("no", "1,234.50 (decimal point)"), ("yes", "1.234,50 (decimal comma)")],
        coerce=YES_NO.__getitem__,
        label="Numbers",
    )

    @classmethod
    def of(cls, upload: Upload) -> Self:
        """As the file is read now."""
        return cls(
            initial={
                "encoding": "utf-8-sig" if upload.encoding == "utf-8" else upload.encoding,
                "delimiter": upload.delimiter,
                "has_header": "yes" if upload.has_header else "no",
                "decimal_comma": "yes" if upload.decimal_comma else "no",
            }
        )


def reading_key(upload: Upload) -> str:
    """How the file is read, for telling whether a form was made for this reading: ``cp1252-59-True``."""
    return f"{upload.encoding}-{ord(upload.delimiter or ',')}-{upload.has_header}"


def targets_of(schema: Schema, currency: str, *, by_contact: bool) -> Groups:
    """What a column can be read as, in groups."""
    groups: Groups = [
        ("Which lead", [("lead_id", "Lead id (evt_…)"), ("external_id", "Your own id")]),
        ("Feedback", [(spec.name, _label(spec, currency)) for spec in schema.fields]),
    ]
    if by_contact:
        contact = [(meaning.EMAIL, "Contact’s e-mail"), (meaning.PHONE, "Contact’s phone")]
        groups.append(("Only to find the lead", contact))
    return groups


def _label(spec: FieldSpec, currency: str) -> str:
    label = f"{spec.label}, {currency}" if spec.kind == "money" else spec.label
    return f"{label} (required)" if spec.required else label


@dataclass(frozen=True)
class Meanings:
    """The texts found for one field, each with what it may stand for, as a page asks for them."""

    name: str
    label: str
    choices: Choices
    values: tuple[Value, ...]

    @classmethod
    def of(cls, schema: Schema, name: str, values: Iterable[Value | None]) -> Self:
        """Texts that differ only in case or gaps are asked for once."""
        spec, found = schema.by_name[name], dict[str, Value]()
        for value in filter(None, values):
            key = meaning.fold(value.text)
            counted = found[key].count + value.count if key in found else value.count
            found[key] = replace(found.get(key, value), count=counted)
        return cls(name, spec.label, words_of_field(spec, ""), tuple(found.values()))


def mapping_of(sent: QueryDict, old: Mapping, schema: Schema, width: int, *, sure: bool) -> Mapping:
    """The mapping that a person has sent; what the form did not ask for stays as it was.

    ``sure``: they are done, so that what was guessed for a value and left standing is what they say.
    """
    columns = old.columns
    if "column-0" in sent:
        columns = tuple(sent.get(f"column-{index}", "")[:LONGEST_TARGET] for index in range(width))
    return Mapping(columns, _values_of(sent, old, schema, sure=sure))


def _values_of(
    sent: QueryDict, old: Mapping, schema: Schema, *, sure: bool
) -> dict[str, AnyMapping[str, str]]:
    values: dict[str, Any] = {name: dict(known) for name, known in old.values.items()}
    for name, meanings in meaning.meanings(schema).items():
        known = values.setdefault(name, {})
        pairs = zip(sent.getlist(f"text-{name}"), sent.getlist(f"meaning-{name}"), strict=False)
        for text, said in pairs:
            key = meaning.fold(text)
            if said in meanings:
                if sure or key in known or said != meaning.guess_value(name, text, schema):
                    known[key] = said
            elif said == LEAVE_OUT:
                known[key] = ""
            else:
                known.pop(key, None)
    return {name: known for name, known in values.items() if known}
