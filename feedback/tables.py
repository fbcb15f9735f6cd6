"""What the lists of the buyer's desk show."""

from __future__ import annotations

from typing import Any

import django_tables2 as tables
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString

from feedback.desk import STATUS_FIELDS, Desk, Sheet
from feedback.edit_cells import EditCell, cell_of
from feedback.models import Upload
from feedback.wording import NOTHING, short_day, when
from flows.models import Delivery
from portal.formats import number
from portal.tables import NumberColumn, SelectColumn, Table

EMPTY: tuple[Any, ...] = ()  # draw the cell whatever the value
NO_FIELD = format_html('<span class="muted">{}</span>', NOTHING)


def _td(css: str) -> dict[str, dict[str, str]]:
    return {"td": {"class": css}}


def _column(name: str, more: str = "") -> dict[str, dict[str, str]]:
    """A class on head and cells, by which a narrow list leaves the column out."""
    return {"th": {"class": name}, "td": {"class": f"{name} card-hide {more}".strip()}}


class LeadTable(Table):
    """Delivered leads, with the values that a row can set as its controls."""

    caption = "Delivered leads"
    row_header = "lead"
    empty_title = "No leads yet"
    empty_hint = "Leads that are delivered to you appear here. Then you say what became of each."

    select = SelectColumn("Select", empty_values=EMPTY, attrs=_td("card-bare lead-select"))
    lead = tables.Column(
        "Lead",
        empty_values=EMPTY,
        order_by=("lead__last_name", "lead__first_name"),
        attrs=_td("lead-name"),
    )
    id = tables.Column("ID", accessor="public_id", orderable=False, attrs=_column("lead-id"))
    flow = tables.Column("Flow", orderable=False, attrs=_column("lead-source"))
    source = tables.Column("Source", accessor="source__name", attrs=_column("lead-source"))
    delivered = tables.Column("Delivered", accessor="delivered_at", attrs=_td("nowrap card-hide"))
    outcome = tables.Column("Outcome", empty_values=EMPTY, attrs=_td("card-corner"))
    quality = tables.Column(
        "Quality", empty_values=EMPTY, accessor="quality_score", attrs=_td("card-bare lead-quality")
    )
    revenue = NumberColumn("Revenue", empty_values=EMPTY)
    due = tables.Column(
        "Feedback due",
        empty_values=EMPTY,
        accessor="delivered_at",
        orderable=False,
        attrs=_td("nowrap card-bare lead-due"),
    )

    class Meta(Table.Meta):
        row_attrs = {
            "id": lambda record: f"lead-{record.public_id}",
            "data-lead": lambda record: record.public_id,
        }
        order_by = ("-delivered",)

    def __init__(self, *args: Any, desk: Desk, token: str, here: str, **kwargs: Any) -> None:
        """``token`` and ``here`` go into each row's form: the CSRF token, and where to go back to."""
        several = len(desk.flows) > 1
        absent = ["flow"] if desk.source_flows else ["source"] if several else ["source", "flow"]
        super().__init__(*args, exclude=absent, **kwargs)
        self.several = several  # flows: then each source names its own
        self.desk, self.form = desk, {"token": token, "here": here}
        self.columns["lead"].column.orderable = desk.all_contacts_shown
        if "source" in self.columns:
            self.columns["source"].column.orderable = desk.all_sources_shown
        currencies = {flow.currency for flow in desk.flows}
        self.currency = currencies.pop() if len(currencies) == 1 else ""
        if self.currency:
            self.columns["revenue"].column.verbose_name = f"Revenue, {self.currency}"

    def sheet(self, record: Delivery) -> Sheet:
        sheet: Sheet | None = record.__dict__.get("sheet")
        if sheet is None:
            sheet = record.__dict__["sheet"] = Sheet.of(record, self.desk)
        return sheet

    def render_select(self, record: Delivery) -> SafeString:
        return render_to_string("feedback/cells/select.html", {"sheet": self.sheet(record)})

    def render_lead(self, record: Delivery) -> SafeString:
        return render_to_string("feedback/cells/lead.html", {"sheet": self.sheet(record)})

    def render_id(self, record: Delivery) -> SafeString:
        return render_to_string("feedback/cells/id.html", {"sheet": self.sheet(record)})

    def render_source(self, record: Delivery, value: str) -> SafeString:
        sheet = self.sheet(record)
        name = value if sheet.agreement.shows_source else NOTHING
        flow = format_html('<span class="cell-sub">{}</span>', sheet.flow.name) if self.several else ""
        return format_html("{}{}", name, flow)

    def render_flow(self, record: Delivery) -> str:
        return self.sheet(record).flow.name

    def render_delivered(self, record: Delivery) -> SafeString:
        moment = record.delivered_at
        return format_html('<time title="{}">{}</time>', when(moment), short_day(moment, self.desk.now))

    def render_outcome(self, record: Delivery) -> SafeString:
        spec = self.sheet(record).status_field
        return self._cell(record, spec.name if spec else STATUS_FIELDS[0])

    def render_quality(self, record: Delivery) -> SafeString:
        return self._cell(record, "quality_score")

    def render_revenue(self, record: Delivery) -> SafeString:
        cell = self._cell(record, "revenue")
        if self.currency or cell is NO_FIELD:
            return cell
        return format_html('{}<span class="cell-sub">{}</span>', cell, self.sheet(record).flow.currency)

    def render_due(self, record: Delivery) -> SafeString:
        context = {"sheet": self.sheet(record), **self.form}
        return render_to_string("feedback/cells/form.html", context)

    def _cell(self, record: Delivery, name: str) -> SafeString:
        cell: EditCell | None = cell_of(self.sheet(record), name)
        return cell.render() if cell else NO_FIELD


UPLOAD_TONES = {
    "draft": "neutral",
    "checking": "info",
    "checked": "warn",
    "queued": "info",
    "running": "info",
    "done": "good",
    "failed": "bad",
    "undone": "warn",
}


def upload_words(upload: Upload) -> dict[str, Any]:
    """The upload with its status in words, the tone of it, and whether a person is to go on with it."""
    return {
        "upload": upload,
        "label": "Draft" if upload.status == Upload.Status.DRAFT else upload.get_status_display(),
        "tone": UPLOAD_TONES[upload.status],
        "goes_on": upload.status in Upload.PREPARING,
    }


class UploadTable(Table):
    """The buyer's uploads and what became of them."""

    caption = "Uploads"
    row_header = "file"
    empty_title = "No uploads yet"
    empty_hint = "Send feedback on many leads at once: a CSV file with a row for each lead."

    file = tables.Column("File", accessor="filename")
    uploaded = tables.Column("Uploaded", accessor="created_at", attrs=_td("nowrap"))
    status = tables.Column(attrs=_td("card-corner"))
    rows = NumberColumn(default=NOTHING)
    recorded = NumberColumn()
    unchanged = NumberColumn()
    rejected = NumberColumn("Refused")

    class Meta(Table.Meta):
        order_by = ("-uploaded",)

    def render_file(self, record: Upload) -> SafeString:
        return render_to_string("feedback/cells/upload.html", {"upload": record})

    def render_uploaded(self, value: Any) -> str:
        return when(value)

    def render_status(self, record: Upload) -> SafeString:
        return render_to_string("feedback/cells/upload_status.html", upload_words(record))

    def render_rows(self, value: int) -> str:
        return number(value)

    render_recorded = render_unchanged = render_rejected = render_rows
