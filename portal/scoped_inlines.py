"""Rows on their parent's page, scoped like the pages themselves."""

from __future__ import annotations

from typing import Any, TypeVar

from django.contrib import admin
from django.db.models import ForeignKey, Model
from django.forms.models import BaseInlineFormSet, ModelChoiceField
from django.http import HttpRequest

from portal.scoped_admin import Scoped, ScopedForm, actor_of_request, sentence

M = TypeVar("M", bound=Model)


class ScopedFormSet(BaseInlineFormSet[Any, Any, Any]):
    """Refuses a row of another parent as it refuses one that does not exist; Django passes over the first.

    Each input says its column's name to who cannot see the column's head.
    """

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        form.fields["id"].queryset = self.get_queryset()
        for name, field in form.fields.items():
            widget = getattr(field.widget, "widget", field.widget)  # Django wraps the widget of a relation
            widget.attrs["aria-label"] = str(field.label or sentence(name.lower()))


class ScopedTabularInline(Scoped[M], admin.TabularInline[M, Any]):
    """Rows in a table on their parent's page."""

    extra = 0
    formset = ScopedFormSet
    offers_add = False
    form = ScopedForm  # type: ignore[assignment]  # generic in the stubs, one class at run time

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        formset: Any = super().get_formset(request, obj, **kwargs)
        formset.form.actor = actor_of_request(request)  # the class was made for this request
        return formset

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField[Any]:
        """Ask for the choices once, not once for each row."""
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        field.choices = list(field.choices)  # type: ignore[arg-type]
        return field


class ReadOnlyInline(ScopedTabularInline[M]):
    """Rows to look at on their parent's page."""

    may_add = may_change = may_delete = False
