"""Suppression lists and their entries in the admin."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.http import content_disposition_header

from flows.admin.forms import LinesField
from flows.models import Source, SuppressionEntry, SuppressionList
from flows.suppression import Origin, add_all, in_force, read_value
from flows.suppression_files import Imported, import_values, list_csv, refused_csv
from portal.access import visible_to
from portal.capped import CappedCount, capped
from portal.scoped_admin import ScopedForm, ScopedModelAdmin

MOST_LINES = 5_000
Kind = SuppressionEntry.Kind


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


class ImportForm(forms.Form):
    """A file of values, and what to do with it."""

    file = forms.FileField(
        help_text="CSV, or one value a line. A first line may name the columns email, phone or value."
    )
    reason = forms.CharField(required=False, max_length=255, help_text="Noted with each value.")
    expires_days = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=3650,
        label="For how many days",
        help_text="After them the values may be bought again. Empty: for good.",
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


def _said(found: Imported) -> str:
    return (
        f"{found.added:,} new, {found.standing:,} on the list already, "
        f"{len(found.refused):,} neither an e-mail address nor a phone number nor a source."
    )


def _as_file(lines: Iterable[str], name: str) -> StreamingHttpResponse:
    disposition = content_disposition_header(True, name) or "attachment"
    return StreamingHttpResponse(
        lines, content_type="text/csv; charset=utf-8", headers={"Content-Disposition": disposition}
    )


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
        if read:
            fresh = add_all(form.instance, read, reason=reason or "By hand", origin=Origin.PERSON)
            self.message_user(request, f"{fresh:,} added; {len(read) - fresh:,} stood there already.")

    def get_urls(self) -> Any:
        """Addresses of the file's two ways, before Django's own, which take any path for a key."""
        ways = (("import", self.import_page), ("export", self.export_file))
        return [
            path(
                f"<int:object_id>/{name}/",
                self.admin_site.admin_view(page),
                name=f"flows_suppressionlist_{name}",
            )
            for name, page in ways
        ] + super().get_urls()

    def buttons(self, request: HttpRequest, row: Any) -> list[dict[str, Any]]:
        if not self.has_change_permission(request, row):
            return []
        ways = (("Import a file", "import"), ("Export as CSV", "export"))
        files = [{"label": label, "url": self.address(row, way), "severe": False} for label, way in ways]
        return [*super().buttons(request, row), *files]

    def import_page(self, request: HttpRequest, object_id: int) -> HttpResponseBase:
        """Values from a file: looked over first, then added."""
        row = self._row(request, object_id)
        form = ImportForm(request.POST or None, request.FILES or None)
        found = None
        if request.method == "POST" and form.is_valid():
            found = self._read(form, row)
        if found and form.cleaned_data["do"] == "refused":
            return _as_file(refused_csv(found.refused), f"refused-{row.slug}.csv")
        if found and form.cleaned_data["do"] == "add":
            self.log_change(request, row, f"Imported {found.added:,} values from a file")
            self.message_user(request, f"{_said(found)}", messages.SUCCESS)
            return HttpResponseRedirect(self.address(row))
        context = {**self.admin_site.each_context(request), "title": "Import a file", "opts": self.opts}
        context |= {"form": form, "row": row, "back": self.address(row), "found": found}
        context |= {"said": _said(found) if found else "", "refused": found.refused[:50] if found else []}
        return TemplateResponse(request, "admin/flows/suppression_import.html", context)

    def _read(self, form: ImportForm, row: SuppressionList) -> Imported | None:
        sent = form.cleaned_data
        days, dry = sent["expires_days"], sent["do"] != "add"
        expires_at = timezone.now() + dt.timedelta(days=days) if days else None
        reason = sent["reason"] or f"From {sent['file'].name}"
        try:
            return import_values(row, sent["file"].file, reason=reason, expires_at=expires_at, dry=dry)
        except ValueError as error:
            form.add_error("file", f"{error} Nothing was added.")
            return None

    def export_file(self, request: HttpRequest, object_id: int) -> HttpResponseBase:
        """What stands on the list, as a file."""
        row = self._row(request, object_id)
        self.log_change(request, row, "Exported as a file")
        return _as_file(list_csv(row), f"{row.slug}.csv")

    def _row(self, request: HttpRequest, object_id: int) -> SuppressionList:
        row = self.get_object(request, str(object_id))
        if row is None:
            raise Http404("There is nothing here, or it is not yours to see.")
        if not self.has_change_permission(request, row):
            raise PermissionDenied("Your role does not allow this.")
        return row

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


class ExpiredFilter(admin.SimpleListFilter):
    """Whether an entry still holds."""

    title, parameter_name = "in force", "in_force"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return (("yes", "Yes"), ("no", "Expired"))

    def queryset(self, request: HttpRequest, queryset: QuerySet[SuppressionEntry]) -> QuerySet[Any]:
        if self.value() == "yes":
            return in_force(queryset)
        return queryset.filter(expires_at__lte=timezone.now()) if self.value() == "no" else queryset


@admin.register(SuppressionEntry)
class SuppressionEntryAdmin(ScopedModelAdmin[SuppressionEntry]):
    """Single values. They are added and removed, never rewritten."""

    list_display = ("value", "kind", "list", "reason", "origin", "added_at", "until")
    list_filter = ("list", "kind", "origin", ExpiredFilter)
    list_select_related = ("list",)
    search_fields = ("value__startswith",)
    search_help_text = "The beginning of the value, normalised: maria@… or +1512…"
    ordering = ("-pk",)
    sortable_by = ()
    form = EntryForm
    fields = ("list", "kind", "value", "reason", "expires_at")
    may_change = False
    may_delete_many = True
    empty_hint = "Nothing is suppressed. Rules put returned contacts here; you add values on a list's page."

    @admin.display(description="Until", ordering="expires_at")
    def until(self, row: SuppressionEntry) -> str:
        if row.expires_at is None:
            return "For good"
        day = date_format(timezone.localtime(row.expires_at), "j M Y")
        return f"Expired {day}" if row.expires_at <= timezone.now() else day
