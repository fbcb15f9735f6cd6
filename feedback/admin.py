"""What came back, in the admin: to read. Events are append-only, so nothing here is edited."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from feedback.models import ChangeSet, Feedback, Upload
from flows.admin.forms import as_json, pill
from flows.admin.supply import DeliveryAdmin
from portal.scoped_admin import ReadOnlyAdmin
from portal.scoped_inlines import ReadOnlyInline

UPLOAD_TONES = {"queued": "info", "running": "info", "done": "good", "failed": "bad", "undone": "warn"}


class EventColumns:
    """What a list of events says of each beside its own columns."""

    @admin.display(description="By")
    def door(self, row: Feedback) -> str:
        return row.change_set.get_door_display()

    @admin.display(description="Values")
    def given(self, row: Feedback) -> SafeString:
        return as_json(row.values)


class HistoryInline(EventColumns, ReadOnlyInline[Feedback]):
    """A delivery's events, oldest first."""

    model = Feedback
    verbose_name_plural = "History of feedback"
    fields = ("public_id", "occurred_at", "received_at", "door", "given")
    readonly_fields = ("door", "given")
    ordering = ("occurred_at", "pk")
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Feedback]:
        return super().get_queryset(request).select_related("change_set")


@admin.register(Feedback)
class FeedbackAdmin(EventColumns, ReadOnlyAdmin[Feedback]):
    """Single events."""

    list_display = ("public_id", "delivery", "occurred_at", "received_at", "door", "given")
    list_select_related = ("delivery", "change_set")
    search_fields = ("public_id__exact", "delivery__public_id__exact")
    search_help_text = "The whole id of the feedback (fbk_…) or of the delivery (evt_…)"
    ordering = ("-pk",)
    sortable_by = ()
    fields = ("public_id", "delivery", "change_set", "occurred_at", "received_at", "given", "schema_version")
    readonly_fields = ("given",)
    empty_hint = "Feedback appears here as buyers send it: by API, as a file, or in their portal."


@admin.register(ChangeSet)
class ChangeSetAdmin(ReadOnlyAdmin[ChangeSet]):
    """Calls, edits and uploads: what came in together."""

    list_display = ("public_id", "door", "flow", "buyer", "who", "created_at")
    list_filter = ("door", "flow", "buyer")
    list_select_related = ("flow", "buyer", "user", "api_key")
    search_fields = ("public_id__exact", "request_id__exact")
    search_help_text = "The whole id (chg_…) or request id"
    ordering = ("-pk",)
    sortable_by = ()
    fields = ("public_id", "door", "flow", "buyer", "who", "upload", "request_id", "created_at")
    readonly_fields = ("who", "created_at")
    empty_hint = "Each call, edit and upload of feedback is listed here."

    @admin.display(description="Sent by")
    def who(self, row: ChangeSet) -> str:
        """A person, else the key's name: never more of a key than that."""
        return str(row.user or row.api_key or "–")


@admin.register(Upload)
class UploadAdmin(ReadOnlyAdmin[Upload]):
    """Files of feedback. The file itself stays with the buyer's own page."""

    list_display = (
        "public_id",
        "filename",
        "buyer",
        "flow",
        "state",
        "recorded",
        "unchanged",
        "rejected",
        "created_at",
    )
    list_filter = ("status", "flow", "buyer")
    list_select_related = ("flow", "buyer")
    search_fields = ("public_id__exact", "filename")
    search_help_text = "Id (upl_…) or name of the file"
    ordering = ("-pk",)
    sortable_by = ()
    fieldsets = (
        (None, {"fields": ("public_id", "filename", "flow", "buyer", "user", "created_at")}),
        ("How it was read", {"fields": ("bytes_shown", "encoding", "delimiter_shown", "error")}),
        ("What it did", {"fields": ("state", "rows", "recorded", "unchanged", "rejected", "finished_at")}),
    )
    readonly_fields = ("bytes_shown", "delimiter_shown", "state", "created_at")
    empty_hint = "Files that buyers upload are listed here with what became of their rows."

    @admin.display(description="Status")
    def state(self, row: Upload) -> SafeString:
        return pill(UPLOAD_TONES[row.status], row.get_status_display())

    @admin.display(description="Size")
    def bytes_shown(self, row: Upload) -> str:
        return f"{row.size:,} bytes"

    @admin.display(description="Delimiter")
    def delimiter_shown(self, row: Any) -> str:
        return str({"\t": "tab", ";": "semicolon", ",": "comma"}.get(row.delimiter, row.delimiter))


DeliveryAdmin.inlines = [HistoryInline]
