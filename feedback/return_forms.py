"""What people write on a return."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat

from feedback.models import ReturnRequest
from feedback.returns.decide import AS_WANTED, REJECT
from feedback.returns.evidence import MOST_BYTES, MOST_FILES, Piece, examine
from feedback.returns.sniff import KINDS, TAKEN
from feedback.returns.thread import LONGEST
from flows.models import Agreement

Remedy = ReturnRequest.Remedy
ENDINGS = ",".join(ending for kind in KINDS.values() for ending in kind.endings)
FILES_HELP = f"Up to {MOST_FILES} files of {filesizeformat(MOST_BYTES)}: {TAKEN}."


class SeveralFiles(forms.FileInput):
    """A control that takes more than one file."""

    allow_multiple_selected = True

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[Any]:
        return list(files.getlist(name)) if hasattr(files, "getlist") else []


class EvidenceField(forms.Field):
    """Files, told by their bytes. → a list of `Piece`."""

    widget = SeveralFiles

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("required", False)
        kwargs.setdefault("widget", SeveralFiles(attrs={"accept": ENDINGS}))
        kwargs.setdefault("help_text", FILES_HELP)
        super().__init__(**kwargs)

    def clean(self, value: list[UploadedFile[Any]] | None) -> list[Piece]:
        pieces, faults = examine(value or [])
        if faults:
            raise ValidationError(faults)
        return pieces


class WithEvidence(forms.Form):
    """A form with files. ``refused``: why some were not even read."""

    def __init__(self, *args: Any, refused: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.refused = refused

    def clean(self) -> dict[str, Any]:
        for why in self.refused:
            self.add_error("evidence", why)
        return super().clean() or self.cleaned_data


class ReturnForm(WithEvidence):
    """Why the lead goes back, and what proves it."""

    reason = forms.ChoiceField(
        error_messages={"required": "Choose a reason.", "invalid_choice": "Choose one of the reasons."}
    )
    wanted = forms.ChoiceField(label="What you would like", choices=Remedy.choices, initial=Remedy.CREDIT)
    note = forms.CharField(
        required=False,
        max_length=LONGEST,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="What the seller should know: when you called, what was said. The seller reads it.",
    )
    evidence = EvidenceField()

    def __init__(self, reasons: Sequence[str], agreement: Agreement, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["reason"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  # declared above
        field.choices = [("", "Choose a reason"), *((each, each) for each in reasons)]
        if not agreement.offers_replacement:
            del self.fields["wanted"]


class MessageForm(WithEvidence):
    """A message on a return. Files come with a word on what they show."""

    body = forms.CharField(
        label="Message",
        max_length=LONGEST,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": "Write a message. With a file, say what it shows."},
    )
    evidence = EvidenceField(label="Files")


class DecisionForm(forms.Form):
    """The seller's word on one return or many. A rejection says why."""

    remedy = forms.ChoiceField(
        label="In place of the leads",
        choices=[(AS_WANTED, "What each buyer asked for"), (Remedy.CREDIT, "Credit"),
                 (Remedy.REPLACEMENT, "Another lead, to be named later")],
        initial=AS_WANTED,
    )  # fmt: skip
    note = forms.CharField(
        label="Note to the buyer",
        required=False,
        max_length=LONGEST,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": "Say why, so that the buyer knows."},
    )

    def __init__(self, verdict: str, *args: Any, offers: bool = False, **kwargs: Any) -> None:
        """``offers``: another lead may take the place of a returned one."""
        super().__init__(*args, **kwargs)
        self.fields["note"].required = verdict == REJECT
        if verdict == REJECT or not offers:
            del self.fields["remedy"]

    @property
    def chosen(self) -> str:
        """What is given in place of the leads."""
        return self.cleaned_data.get("remedy") or AS_WANTED


class ReasonForm(forms.Form):
    """Why something is taken back."""

    note = forms.CharField(label="Why", max_length=LONGEST, widget=forms.Textarea(attrs={"rows": 3}))

    def __init__(self, *args: Any, required: bool = True, label: str = "Why", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["note"].required, self.fields["note"].label = required, label
        self.fields["note"].error_messages["required"] = "Say why, so that the buyer knows."


class ReplacementForm(forms.Form):
    """The lead that takes the returned one's place."""

    lead_id = forms.CharField(
        label="Lead that takes its place",
        max_length=64,
        help_text="Its id, such as evt_…: a later lead of the same buyer on the same flow.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        error_messages={"required": "Write the id of the lead."},
    )
