"""The file to begin with: its head is the flow's, its row is valid, and nothing in it is a formula."""

from __future__ import annotations

import csv
import io

import pytest
from django.core.files.base import ContentFile
from django.urls import reverse
from django.utils.timezone import now

from feedback.csv_template import csv_template
from feedback.models import Feedback, Upload
from feedback.schema import Clean, compile_schema
from feedback.uploads import receive, run
from flows.models import Field
from flows.presets import PRESETS, set_up_flow
from tests import factories as make


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("currency", ["USD", "JPY"])
def test_head_and_row_fit_the_flow(db, preset, currency):
    flow = make.FlowFactory(currency=currency)
    set_up_flow(flow, preset)
    schema = compile_schema(flow)
    (row,) = csv.DictReader(io.StringIO(csv_template(flow)))
    assert list(row) == ["lead_id", *schema.by_name]
    assert isinstance(schema.validate(schema.from_texts(row), now=now()), Clean)


def test_every_kind_of_field_has_an_example(db):
    flow = make.FlowFactory()
    for kind in set(Field.Kind.values) - {"outcome"}:
        Field.objects.create(flow=flow, name=f"own_{kind}", kind=kind, choices=["é, ü"] * (kind == "choice"))
    schema = compile_schema(flow)
    (row,) = csv.DictReader(io.StringIO(csv_template(flow)))
    assert all(row.values())
    assert isinstance(schema.validate(schema.from_texts(row), now=now()), Clean)


def test_a_choice_that_looks_like_a_formula_is_defused(db):
    flow = make.FlowFactory()
    Field.objects.create(flow=flow, name="plan", kind="choice", choices=["=HYPERLINK()"])
    (row,) = csv.DictReader(io.StringIO(csv_template(flow)))
    assert row["plan"] == "'=HYPERLINK()"


def test_uploaded_as_it_is_it_records_nothing(world, as_user, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    answer = as_user(world.manager).get(reverse("upload-template", args=[world.flow.public_id]))
    assert answer.content.startswith(b"\xef\xbb\xbflead_id,")
    upload = receive(world.actor(world.manager), world.flow, ContentFile(answer.content, "template.csv"))
    run(upload.pk)
    upload.refresh_from_db()
    assert (upload.status, upload.rows, upload.rejected) == (Upload.Status.DONE, 1, 0)
    assert not Feedback.objects.exists()
