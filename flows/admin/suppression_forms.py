"""Forms of the suppression lists' admin pages: values are read before anything is stored."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from flows.admin.forms import LinesField
from flows.models import Source, SuppressionEntry, SuppressionList
from flows.suppression import Value, in_force, read_value, read_values
from portal.access import visible_to
from portal.scoped_admin import ScopedForm

MOST_LINES = 5_000
Kind = SuppressionEntry.Kind


class ListForm(ScopedForm[SuppressionList]):
    """The list, and values to put on it."""

    values = LinesField(
        rows=8,
        label="Add to the list",
        help_text="E-mail addresses, phone numbers and sources (flw_…/facebook), one a line, at most "
        f"{MOST_LINES:,} at a time. (512) 555-1212 and +15125551212 are one.",
    )
    reason = forms.CharField(required=False, max_length=255, help_text="Noted with each of them.")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        lines = cleaned.get("values") or []
        if len(lines) > MOST_LINES:
            self.add_error("values", f"{len(lines):,} lines. Give at most {MOST_LINES:,} at a time.")
        else:
            seller = cleaned.get("seller")
            seller_id = seller.pk if seller else self.instance.seller_id
            country = cleaned.get("country") or self.instance.country
            cleaned["read"] = self._read(lines, SuppressionList(seller_id=seller_id, country=country))
        return cleaned

    def _read(self, lines: list[str], as_on: SuppressionList) -> list[Value]:
        read, wrong = read_values(lines, as_on)
        if wrong:
            shown = ", ".join(line[:60] for line in wrong[:5]) + (" …" if len(wrong) > 5 else "")
            self.add_error(
                "values",
                "Neither an e-mail address nor a phone number nor a source of yours: "
                f"{shown}. Nothing was added.",
            )
        return read


class ImportForm(forms.Form):
    """A file of values, and what to do with it."""

    file = forms.FileField(
        help_text="CSV, or one value a line. A first line may name the columns email, phone or value, and "
        "expires_at (2026-11-05, or with a time): such a file is what the export gives."
    )
    reason = forms.CharField(required=False, max_length=255, help_text="Noted with each value.")
    expires_days = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=3650,
        label="For how many days",
        help_text="After them the values may be bought again. Empty: for good. What the file says of a value "
        "itself (expires_at) goes before.",
    )
    do = forms.ChoiceField(
        label="What to do",
        widget=forms.RadioSelect,
        initial="look",
        choices=[
            ("look", "Only say what would be added"),
            ("add", "Add the values"),
            ("refused", "Give me the lines that cannot be read, as a file"),
        ],
    )


class EntryForm(ScopedForm[SuppressionEntry]):
    """One value, normalised before it is stored or compared."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        kind, value, target = (cleaned.get(name) for name in ("kind", "value", "list"))
        if kind and value and target:
            try:
                cleaned["value"] = self._normalised(kind, value, target)
            except ValidationError as error:
                self.add_error("value", error)
        return cleaned

    def _get_validation_exclusions(self) -> set[str]:
        """What has expired may be added anew: that it stands there once is then no fault."""
        exclusions = super()._get_validation_exclusions()
        given = {name: self.cleaned_data.get(name) for name in ("list", "kind", "value")}
        if not all(given.values()):
            return exclusions
        same = SuppressionEntry.objects.filter(**given)
        return exclusions | {"value"} if same.exists() and not in_force(same).exists() else exclusions

    def _normalised(self, kind: str, value: str, target: SuppressionList) -> str:
        if kind == Kind.SOURCE:
            return self._source(value.strip(), target)
        read_kind, read = read_value(value.strip(), target.country)
        if read_kind != kind:
            raise ValidationError("This value is of the other kind.")
        return read

    def _source(self, value: str, target: SuppressionList) -> str:
        flow, _, slug = value.partition("/")
        sources = visible_to(self.actor, Source.objects.filter(flow__seller=target.seller_id))
        if not sources.filter(flow__public_id=flow, slug=slug).exists():
            raise ValidationError("Write a source as flow id/slug, such as flw_…/facebook.")
        return value
