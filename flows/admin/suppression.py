"""Suppression lists and their entries in the admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import OuterRef, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from flows.admin.forms import LinesField
from flows.models import Source, SuppressionEntry, SuppressionList
from flows.suppression import add, normalise_email, normalise_phone
from portal.access import visible_to
from portal.capped import CappedCount, capped
from portal.scoped_admin import ScopedForm, ScopedModelAdmin

MOST_LINES = 5_000
Kind = SuppressionEntry.Kind


def read_value(text: str, country: str) -> tuple[str, str]:
    """``(kind, normalised value)`` of an e-mail address or a phone number; ValidationError where neither."""
    if "@" in text:
        value = normalise_email(text)
        validate_email(value)
        return Kind.EMAIL.value, value
    number = normalise_phone(text, country)
    if not number:
        raise ValidationError("neither an e-mail address nor a phone number")
    return Kind.PHONE.value, number


class ListForm(ScopedForm[SuppressionList]):
    """The list, and values to put on it."""

    values = LinesField(
        rows=8,
        label="Add to the list",
        help_text=f"E-mail addresses and phone numbers, one a line, at most {MOST_LINES:,} at a time. "
        "(512) 555-1212 and +15125551212 are one.",
    )
    reason = forms.CharField(required=False, max_length=255, help_text="Noted with each of them.")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        lines = cleaned.get("values") or []
        if len(lines) > MOST_LINES:
            self.add_error("values", f"{len(lines):,} lines. Give at most {MOST_LINES:,} at a time.")
        else:
            cleaned["read"] = self._read(lines, cleaned.get("country") or "US")
        return cleaned

    def _read(self, lines: list[str], country: str) -> list[tuple[str, str]]:
        read, wrong = [], []
        for line in lines:
            try:
                read.append(read_value(line, country))
            except ValidationError:
                wrong.append(line[:60])
        if wrong:
            shown = ", ".join(wrong[:5]) + (" …" if len(wrong) > 5 else "")
            self.add_error(
                "values", f"Neither an e-mail address nor a phone number: {shown}. Nothing was added."
            )
        return read


@admin.register(SuppressionList)
class SuppressionListAdmin(ScopedModelAdmin[SuppressionList]):
    """Values that are not to be bought again."""

    list_display = ("name", "slug", "country", "entries", "created_at")
    search_fields = ("name", "slug")
    ordering = ("name",)
    form = ListForm
    fixed_after_add = ("seller", "slug")  # rules and clients name the list by it
    empty_hint = (
        "Leads whose e-mail or phone is on a list are refused. A new flow brings “Returns” and “Bad Sources”."
    )

    def get_fieldsets(self, request: HttpRequest, obj: SuppressionList | None = None) -> Any:
        shown = ("look_through",) if obj else ()
        fields = self._without_seller(request, ("seller", "name", "slug", "country", *shown))
        return ((None, {"fields": fields}), ("Add values", {"fields": ("values", "reason")}))

    def get_readonly_fields(self, request: HttpRequest, obj: SuppressionList | None = None) -> Any:
        return (*super().get_readonly_fields(request, obj), "look_through")

    def get_prepopulated_fields(self, request: HttpRequest, obj: SuppressionList | None = None) -> Any:
        return {} if obj else {"slug": ("name",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[SuppressionList]:
        standing = SuppressionEntry.objects.filter(list=OuterRef("pk"))
        return super().get_queryset(request).annotate(standing=CappedCount(standing))

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        read, reason = form.cleaned_data["read"], form.cleaned_data["reason"]
        fresh = sum(add(form.instance, kind, value, reason=reason or "By hand") for kind, value in read)
        if read:
            self.message_user(request, f"{fresh:,} added; {len(read) - fresh:,} stood there already.")

    def why_kept(self, row: SuppressionList) -> str:
        if row.entries.exists():
            return "There are values on this list: leads with them would be bought again. Remove them first."
        return ""

    @admin.display(description="Entries")
    def entries(self, row: Any) -> str:
        return capped(row.standing)

    @admin.display(description="On the list")
    def look_through(self, row: SuppressionList) -> str:
        url = reverse("admin:flows_suppressionentry_changelist")
        return format_html('<a href="{}?list__id__exact={}">{} entries</a>', url, row.pk, self.entries(row))


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


@admin.register(SuppressionEntry)
class SuppressionEntryAdmin(ScopedModelAdmin[SuppressionEntry]):
    """Single values. They are added and removed, never rewritten."""

    list_display = ("value", "kind", "list", "reason", "added_at")
    list_filter = ("list", "kind")
    list_select_related = ("list",)
    search_fields = ("value__startswith",)
    search_help_text = "The beginning of the value, normalised: maria@… or +1512…"
    ordering = ("-pk",)
    sortable_by = ()
    form = EntryForm
    fields = ("list", "kind", "value", "reason")
    may_change = False
    may_delete_many = True
    empty_hint = "Nothing is suppressed. Rules put returned contacts here; you add values on a list's page."
