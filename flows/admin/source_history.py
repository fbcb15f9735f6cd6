"""What became of sources, in the admin: to read."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString

from flows.change_wording import change_words, who_words
from flows.models import Source, SourceChange
from portal.scoped_admin import ReadOnlyAdmin, change_url

SHOWN = 10  # on a source's page; the list has all


def latest(source: Source) -> Sequence[SourceChange]:
    """What became of the source lately, the latest first."""
    return list(source.changes.select_related("buyer", "user", "decision")[:SHOWN])


@admin.register(SourceChange)
class SourceChangeAdmin(ReadOnlyAdmin[SourceChange]):
    """Each change of a source's status, cap or price."""

    list_display = ("at", "source", "what", "change", "who", "reason")
    list_filter = ("source", "column", "by")
    list_select_related = ("source", "buyer", "user", "decision")
    ordering = ("-pk",)
    sortable_by = ()
    fields = ("at", "source", "what", "change", "who", "reason", "why")
    readonly_fields = ("what", "change", "who", "why")
    empty_hint = "Each change of a source's status, cap or price is written here, with who made it."

    @admin.display(description="What")
    def what(self, row: SourceChange) -> str:
        return f"{row.get_column_display()} for {row.buyer}" if row.buyer else row.get_column_display()

    @admin.display(description="Change")
    def change(self, row: SourceChange) -> str:
        return change_words(row)

    @admin.display(description="Who")
    def who(self, row: SourceChange) -> str:
        words = who_words(row)
        return words[:1].upper() + words[1:]

    @admin.display(description="Decision", empty_value="–")
    def why(self, row: SourceChange) -> SafeString | None:
        if row.decision is None:
            return None
        return format_html('<a href="{}">{}</a>', change_url(row.decision), row.decision)
