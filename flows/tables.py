"""What a line of the decisions and of the alerts shows."""

from __future__ import annotations

from typing import Any

import django_tables2 as tables
from django.utils.html import format_html

from flows.models import Alert
from portal.tables import Table


class DecisionTable(Table):
    """A rule's decisions, newest first."""

    what = tables.TemplateColumn(
        template_name="flows/_decision.html", verbose_name="Decision", orderable=False
    )
    change = tables.TemplateColumn(
        template_name="flows/_change.html", verbose_name="Before → after", orderable=False
    )
    rule = tables.Column(accessor="rule_name", verbose_name="Rule")
    decided_at = tables.TemplateColumn("{% load ui %}{% ago record.decided_at %}", verbose_name="When")
    status = tables.TemplateColumn(
        template_name="flows/_decision_status.html",
        attrs={"td": {"class": "card-corner"}},
    )

    caption = "Decisions of rules"
    row_header = "what"
    empty_title = "No rule has decided anything yet"
    empty_hint = (
        "When a source's numbers meet a rule's condition, what the rule did shows here with the numbers it "
        "was done on, and can be taken back."
    )

    class Meta(Table.Meta):
        sequence = ("what", "change", "rule", "decided_at", "status")


class AlertTable(Table):
    """What the team should know: first what still stands, then the newest."""

    what = tables.TemplateColumn(template_name="flows/_alert.html", verbose_name="Alert", orderable=False)
    about = tables.Column(empty_values=(), orderable=False, attrs={"td": {"class": "about"}})
    created_at = tables.TemplateColumn("{% load ui %}{% ago record.created_at %}", verbose_name="When")
    read_at = tables.TemplateColumn(
        template_name="flows/_alert_read.html",
        verbose_name="Read",
        orderable=False,
        attrs={"td": {"class": "card-corner"}},
    )

    caption = "Alerts"
    row_header = "what"
    empty_title = "No alerts"
    empty_hint = (
        "When a rule acts on one of your sources or something needs you, it shows here and comes by e-mail."
    )

    class Meta(Table.Meta):
        sequence = ("what", "about", "created_at", "read_at")
        row_attrs: dict[str, Any] = {"class": lambda record: "" if record.read_at else "unread"}

    def render_about(self, record: Alert) -> str:
        """The source with its flow under it, as far as there are such."""
        if record.source:
            both = '<span>{}<span class="cell-sub">{}</span></span>'
            return format_html(both, record.source, record.flow or "")
        return str(record.flow or "")
