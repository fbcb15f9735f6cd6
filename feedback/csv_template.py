"""A file to begin with: the head that a flow takes, and one row that can be uploaded as it is."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from typing import Any

from django.utils.timezone import now as wall_clock

from feedback.schema import FieldSpec, compile_schema
from flows.examples import TEST_LEAD, example_value
from flows.models import Flow
from portal.spreadsheets import defused


def csv_template(flow: Flow, *, now: dt.datetime | None = None) -> str:
    """CSV text: ``lead_id`` and every field of the flow, then one example.

    The example speaks of the lead for trying out, so that a row which is left in records nothing.
    """
    fields = compile_schema(flow).fields
    moment = (now or wall_clock()).replace(microsecond=0)
    text = io.StringIO()
    write = csv.writer(text).writerow
    write(["lead_id", *(spec.name for spec in fields)])
    write([TEST_LEAD, *(defused(_cell(spec, flow, moment)) for spec in fields)])
    return text.getvalue()


def _cell(spec: FieldSpec, flow: Flow, moment: dt.datetime) -> str:
    """The example as a file's reader takes it."""
    value: Any = example_value(spec, flow, moment)
    if isinstance(value, list):
        return "; ".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
