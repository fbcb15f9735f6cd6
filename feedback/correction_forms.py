"""The form that puts one feedback right, filled with what it said."""

from __future__ import annotations

from collections.abc import Mapping

from django import forms

from feedback.desk import Sheet
from feedback.forms import FeedbackForm, field_of, text_of
from feedback.models import Feedback
from feedback.schema.spec import TIMESTAMP


class CorrectionForm(FeedbackForm):
    """Every field of the flow but the time: a correction speaks of the same time.

    A field that was emptied is left out of the feedback. One that the feedback cleared stays cleared while it
    is empty.
    """

    def __init__(self, sheet: Sheet, event: Feedback, data: Mapping[str, str] | None = None) -> None:
        forms.Form.__init__(self, data, initial=said_texts(sheet, event))
        self.specs = tuple(spec for spec in sheet.schema.fields if spec.name != TIMESTAMP)
        for spec in self.specs:
            field = self.fields[spec.name] = field_of(spec, self.initial[spec.name], sheet)
            if event.values.get(spec.name, "") is None:
                field.help_text = f"This feedback cleared it. {field.help_text}".strip()


def said_texts(sheet: Sheet, event: Feedback) -> dict[str, str]:
    """The form as it is first shown."""
    said = {spec.name: text_of(event.values.get(spec.name), spec.kind) for spec in sheet.schema.fields}
    return {**said, "version": str(sheet.delivery.version)}
