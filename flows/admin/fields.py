"""A flow's fields on the flow's page."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from flows.admin.forms import LinesField
from flows.field_rules import field_faults, map_faults
from flows.models import Field
from portal.scoped_admin import ScopedForm
from portal.scoped_inlines import ScopedFormSet, ScopedTabularInline


class FieldForm(ScopedForm[Field]):
    """One field; its rules stand in flows/field_rules.py."""

    choices = LinesField(help_text="For the type “Choice”: one value a line.")

    class Meta:
        model = Field
        fields = ("position", "name", "kind", "required", "choices", "help_text", "maps_to")
        widgets = {
            "position": forms.NumberInput(attrs={"class": "narrow"}),
            "name": forms.TextInput(attrs={"size": 18, "spellcheck": "false"}),
            "maps_to": forms.TextInput(attrs={"size": 16, "spellcheck": "false"}),
            "help_text": forms.TextInput(attrs={"size": 24}),
        }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        name, kind = cleaned.get("name", ""), cleaned.get("kind", "")
        for attribute, fault in field_faults(name, kind, cleaned.get("choices") or []).items():
            self.add_error(attribute, fault)
        return cleaned


class FieldFormSet(ScopedFormSet):
    """All fields of a flow together: no two map onto one lead field."""

    @cached_property
    def locked(self) -> bool:
        """Recorded feedback stands under the fields' names and types: they stay as they are."""
        flow = self.instance
        return bool(flow.pk) and flow.deliveries.filter(last_feedback_at__isnull=False).exists()

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        if form.instance.pk and "name" in form.fields and self.locked:
            form.fields["name"].disabled = form.fields["kind"].disabled = True

    def clean(self) -> None:
        super().clean()
        rows = [form for form in self.forms if form not in self.deleted_forms and form.is_valid()]
        pairs = [
            (row.cleaned_data["name"], row.cleaned_data.get("maps_to", ""))
            for row in rows
            if row.cleaned_data
        ]
        for name, fault in map_faults(pairs).items():
            raise ValidationError(f"{name}: {fault}")


class FieldInline(ScopedTabularInline[Field]):
    """The schema: which fields feedback may carry."""

    model = Field
    form = FieldForm
    formset: type[Any] = FieldFormSet
    fields = ("position", "name", "kind", "required", "choices", "help_text", "maps_to")
    ordering = ("position", "pk")
    classes = ("schema",)
    verbose_name_plural = "Feedback fields"
