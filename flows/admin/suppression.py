"""Suppression lists and their entries in the admin."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
)
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html

from flows.admin.suppression_forms import EntryForm, ImportForm, ListForm
from flows.models import SuppressionEntry, SuppressionList
from flows.suppression import Origin, add_all, expire, in_force
from flows.suppression_files import Imported, import_values, list_csv, refused_csv
from portal.capped import CappedCount, capped
from portal.object_actions import ObjectAction
from portal.scoped_admin import ScopedModelAdmin, actor_of_request
from portal.spreadsheets import csv_file

MOST_SHOWN = 50
GONE = "may be bought again from now on"


def _said(found: Imported) -> str:
    said = (
        f"{found.added:,} new, {found.standing:,} on the list already, "
        f"{len(found.refused) - found.untimed:,} neither an e-mail address nor a phone number nor a source."
    )
    if found.repeated:
        said += f" {found.repeated:,} named more than once in the file."
    if found.over:
        said += f" {found.over:,} left out, as their time is over."
    if found.untimed:
        said += f" {found.untimed:,} with a time that cannot be read: write 2026-11-05 or 2026-11-05T14:00."
    return said


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
            return csv_file(refused_csv(found.refused), f"refused-{row.slug}.csv")
        if found and form.cleaned_data["do"] == "add":
            self.log_change(request, row, f"Imported {found.added:,} values from a file")
            self.message_user(request, f"{_said(found)}", messages.SUCCESS)
            return HttpResponseRedirect(self.address(row))
        context = {**self.admin_site.each_context(request), "title": "Import a file", "opts": self.opts}
        context |= {"form": form, "row": row, "back": self.address(row), "found": found}
        context |= {
            "said": _said(found) if found else "",
            "refused": found.refused[:MOST_SHOWN] if found else [],
        }
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
        return csv_file(list_csv(row), f"{row.slug}.csv")

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


class ExpiredFilter(admin.SimpleListFilter):
    """Whether an entry still holds."""

    title, parameter_name = "in force", "in_force"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return (("yes", "Yes"), ("no", "Expired"))

    def queryset(self, request: HttpRequest, queryset: QuerySet[SuppressionEntry]) -> QuerySet[Any]:
        if self.value() == "yes":
            return in_force(queryset)
        return queryset.filter(expires_at__lte=timezone.now()) if self.value() == "no" else queryset


def _expire(request: HttpRequest, entry: SuppressionEntry, answers: dict[str, Any]) -> str:
    expire(SuppressionEntry.objects.filter(pk=entry.pk))
    return f"Expired: {entry.value} {GONE}."


def _holds(entry: SuppressionEntry) -> bool:
    return entry.expires_at is None or entry.expires_at > timezone.now()


@admin.register(SuppressionEntry)
class SuppressionEntryAdmin(ScopedModelAdmin[SuppressionEntry]):
    """Single values. They are added, ended and removed, never rewritten."""

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
    actions = ("expire_many",)
    object_actions = (
        ObjectAction(
            "expire",
            "Expire now",
            "It holds no longer: leads with this value are bought again. It stays in sight for 30 days.",
            _expire,
            _holds,
            severe=True,
        ),
    )
    empty_hint = "Nothing is suppressed. Rules put returned contacts here; you add values on a list's page."

    def may_act(self, request: HttpRequest, row: Any) -> bool:
        return actor_of_request(request).may_configure

    def save_model(self, request: HttpRequest, obj: SuppressionEntry, form: Any, change: bool) -> None:
        """As every value comes onto a list: one who adds at a time, and endpoints are told."""
        value = (obj.kind, obj.value)
        add_all(obj.list, [value], reason=obj.reason, origin=Origin.PERSON, expires_at=obj.expires_at)
        obj.pk = obj.list.entries.values_list("pk", flat=True).get(kind=obj.kind, value=obj.value)

    @admin.action(description="Expire the selected entries now …", permissions=["delete"])
    def expire_many(self, request: HttpRequest, queryset: QuerySet[SuppressionEntry]) -> HttpResponse | None:
        """Ask, showing the first of them; then do it."""
        rows = in_force(SuppressionEntry.objects.filter(pk__in=queryset.values("pk"))).order_by("-pk")
        if "apply" in request.POST:
            count = expire(rows)
            self.message_user(request, f"Expired: {count:,}. What they name {GONE}.", messages.SUCCESS)
            return None
        context = {**self.admin_site.each_context(request), "title": "Expire entries now", "opts": self.opts}
        context |= {"count": rows.count(), "rows": rows[:MOST_SHOWN], "gone": GONE}
        context |= {
            "ticked": request.POST.getlist("_selected_action"),
            "all": request.POST.get("select_across"),
        }
        return TemplateResponse(request, "admin/flows/suppressionentry/expire.html", context)

    @admin.display(description="Until", ordering="expires_at")
    def until(self, row: SuppressionEntry) -> str:
        if row.expires_at is None:
            return "For good"
        day = date_format(timezone.localtime(row.expires_at), "j M Y")
        return f"Expired {day}" if row.expires_at <= timezone.now() else day
