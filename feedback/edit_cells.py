"""The cells of the list of leads in which a value is set: each a control that saves itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from feedback.deadlines import deadlines
from feedback.desk import STATUS_FIELDS, Sheet
from feedback.edit import Edited
from feedback.forms import LONG_TEXTS, Choices, choices_of, text_of
from feedback.present import value_json
from feedback.schema import FieldSpec
from feedback.schema.spec import TIMESTAMP
from feedback.wording import in_words, tone
from portal.formats import machine_number, number

PROMPTS = {"outcome": "Set outcome", "converted": "Converted?"}
UNSAID = {"outcome": "No outcome", "converted": "Not known"}
STARS = {str(score): f"{score} " + "★" * score + "☆" * (5 - score) for score in range(1, 6)}


@dataclass(frozen=True)
class EditCell:
    """One field of one lead. ``fault``: why ``typed`` was not taken; ``yours``: what a stale tab wanted."""

    sheet: Sheet
    spec: FieldSpec
    saved: bool = False
    typed: str | None = None
    fault: str = ""
    yours: str | None = None

    @cached_property
    def id(self) -> str:
        return f"{self.spec.name}-{self.sheet.delivery.public_id}"

    @cached_property
    def stands(self) -> str:
        """The text of what is on record."""
        return text_of(value_json(self.sheet.delivery, self.spec, self.sheet.flow), self.spec.kind)

    @cached_property
    def text(self) -> str:
        if self.typed is not None:
            return self.typed
        money = self.stands and self.spec.kind == "money"
        return number(Decimal(machine_number(self.stands))) if money else self.stands

    @property
    def tone(self) -> str:
        return tone(self.text) if self.spec.name in STATUS_FIELDS else ""

    @cached_property
    def choices(self) -> Choices:
        offered = choices_of(self.spec, self.stands)
        if self.spec.name == "quality_score":
            offered = [(value, STARS.get(value, label)) for value, label in offered]
        return offered

    @property
    def control(self) -> str:
        """How the value is set: select, area (of text), date, time, amount or line."""
        kind = self.spec.kind
        if self.choices:
            return "select"
        if kind in ("list", "object") or self.spec.name in LONG_TEXTS or "\n" in self.text:
            return "area"
        return {"date": "date", "time": "time", "text": "line"}.get(kind, "amount")

    @property
    def rows(self) -> int:
        """Of a text area."""
        return min(self.text.count("\n") + 1, 4)

    @property
    def prompt(self) -> str:
        """What the empty choice says: a request, where nothing stands yet and something may be set."""
        words = UNSAID if self.stands or self.sheet.blocked else PROMPTS
        return words.get(self.spec.name, "–")

    @property
    def label(self) -> str:
        unit = f", {self.sheet.flow.currency}" if self.spec.kind == "money" else ""
        return f"{self.spec.label} of {self.sheet.title}{unit}"

    @property
    def words(self) -> str:
        """What is on record, in words."""
        return in_words(
            self.spec, value_json(self.sheet.delivery, self.spec, self.sheet.flow), self.sheet.flow
        )

    @property
    def yours_in_words(self) -> str:
        return dict(self.choices).get(self.yours or "", self.yours) or "nothing"

    def after(self, typed: str, edited: Edited) -> EditCell:
        """The cell after an edit, of the lead as it stands now."""
        if edited.problem is None:
            return replace(self, saved=edited.receipt is not None)
        if edited.is_stale:
            return replace(self, yours=typed)
        faults = edited.faults
        other = " ".join(f"{field}: {text}" if field else text for field, text in faults.items())
        fault = faults.get(self.spec.name, other)
        return replace(self, fault=fault, typed=None if self.sheet.blocked else typed)

    def render(self, *, fresh: bool = False) -> SafeString:
        """The cell; ``fresh``: as the answer to an edit, with what else of the row has changed."""
        context = {"cell": self, "sheet": self.sheet, "fresh": fresh}
        if fresh:
            context["deadlines"] = deadlines(self.sheet)
        return render_to_string("feedback/cells/edit.html", context)


def cell_of(sheet: Sheet, name: str) -> EditCell | None:
    """The cell of a field, if the flow has it: a row can set any but the time at which it happened."""
    spec = sheet.schema.by_name.get(name) if name != TIMESTAMP else None
    return EditCell(sheet, spec) if spec else None
