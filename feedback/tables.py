"""What the lists of the buyer's desk show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import django_tables2 as tables
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString

from feedback.columns import ALWAYS, FIELD, WIDE, further_fields
from feedback.deadlines import deadlines
from feedback.desk import STATUS_FIELDS, Desk, Sheet
from feedback.edit_cells import EditCell, cell_of
from feedback.models import Upload
from feedback.schema import FieldSpec
from feedback.wording import NOTHING, money, short_day, when
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


class FieldColumn(tables.Column):
    """A field of feedback as a control."""

    def __init__(self, spec: FieldSpec) -> None:
        numeric = {"class": "number"} if spec.kind in ("money", "integer", "decimal") else {}
        attrs = {"th": numeric, "td": numeric}
        super().__init__(spec.label, empty_values=EMPTY, accessor="pk", orderable=False, attrs=attrs)
        self.spec_name = spec.name

    def render(self, record: Delivery, table: LeadTable) -> SafeString:
        return table.cell(record, self.spec_name)


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
    phone = tables.Column("Phone", empty_values=EMPTY, accessor="pk", orderable=False, attrs=_td("nowrap"))
    delivered = tables.Column("Delivered", accessor="delivered_at", attrs=_td("nowrap card-hide"))
    price = NumberColumn("Paid", orderable=False)
    outcome = tables.Column("Outcome", empty_values=EMPTY, orderable=False, attrs=_td("card-corner"))
    quality = tables.Column(
        "Quality", empty_values=EMPTY, accessor="quality_score", attrs=_td("card-bare lead-quality")
    )
    revenue = NumberColumn("Revenue", empty_values=EMPTY)
    due = tables.Column(
        "Time left", empty_values=EMPTY, accessor="delivered_at", attrs=_td("nowrap card-bare lead-due")
    )

    class Meta(Table.Meta):
        row_attrs = {
            "id": lambda record: f"lead-{record.public_id}",
            "data-lead": lambda record: record.public_id,
        }

    def __init__(
        self, *args: Any, desk: Desk, columns: Sequence[str], token: str, here: str, **kwargs: Any
    ) -> None:
        """``columns``: those to show beside `ALWAYS`; ``token`` and ``here`` go into each row's form: the
        CSRF token, and where to go back to."""
        shown = [*ALWAYS, *columns]
        further = [(f"{FIELD}{spec.name}", FieldColumn(spec)) for spec in further_fields(desk)]
        names = [*self.base_columns, *(name for name, _ in further)]
        super().__init__(
            *args,
            exclude=[name for name in names if name not in shown],
            extra_columns=further,
            sequence=[*(name for name in names if name in shown and name != "due"), "due"],
            **kwargs,
        )
        self.several = len(desk.flows) > 1  # flows: then each source names its own
        self.desk, self.form = desk, {"token": token, "here": here}
        self.only_sort("lead", desk.all_contacts_shown)
        self.only_sort("source", desk.all_sources_shown)
        currencies = {flow.currency for flow in desk.flows}
        self.currency = currencies.pop() if len(currencies) == 1 else ""
        for name in ("revenue", f"{FIELD}commission"):
            if self.currency and name in self.columns:
                column = self.columns[name].column
                column.verbose_name = f"{column.verbose_name}, {self.currency}"

    def only_sort(self, name: str, if_so: bool) -> None:
        """Whether the list can be sorted by a column, if it is shown."""
        if name in self.columns:
            self.columns[name].column.orderable = if_so

    @property
    def is_wide(self) -> bool:
        return len(self.columns) > WIDE

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

    def render_phone(self, record: Delivery) -> SafeString:
        shown = self.sheet(record).agreement.shows_contact
        return format_html("{}", record.lead.phone or NOTHING) if shown else NO_FIELD

    def render_delivered(self, record: Delivery) -> SafeString:
        moment = record.delivered_at
        return format_html('<time title="{}">{}</time>', when(moment), short_day(moment, self.desk.now))

    def render_price(self, record: Delivery) -> str | SafeString:
        sheet = self.sheet(record)
        return money(record.price, sheet.flow) if sheet.agreement.shows_price else NO_FIELD

    def render_outcome(self, record: Delivery) -> SafeString:
        spec = self.sheet(record).status_field
        return self.cell(record, spec.name if spec else STATUS_FIELDS[0])

    def render_quality(self, record: Delivery) -> SafeString:
        return self.cell(record, "quality_score")

    def render_revenue(self, record: Delivery) -> SafeString:
        return self.cell(record, "revenue")

    def render_due(self, record: Delivery) -> SafeString:
        sheet = self.sheet(record)
        context = {"sheet": sheet, "deadlines": deadlines(sheet), **self.form}
        return render_to_string("feedback/cells/form.html", context)

    def cell(self, record: Delivery, name: str) -> SafeString:
        """The control of a field; a dash where the lead's flow has none of this name."""
        sheet = self.sheet(record)
        cell: EditCell | None = cell_of(sheet, name)
        if cell is None:
            return NO_FIELD
        if self.currency or cell.spec.kind != "money":
            return cell.render()
        return format_html('{}<span class="cell-sub">{}</span>', cell.render(), sheet.flow.currency)


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
