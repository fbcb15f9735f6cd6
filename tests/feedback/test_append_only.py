"""Feedback on record cannot be rewritten."""

import pytest
from django.db import DatabaseError, connection, transaction

from feedback.models import Feedback

pytestmark = pytest.mark.django_db


@pytest.fixture
def event(api, lead):
    api.post({"lead_id": lead, "outcome": "converted"})
    return Feedback.objects.get()


def test_the_model_refuses(event):
    event.values = {}
    for rewrite in (
        event.save,
        event.delete,
        Feedback.objects.all().delete,
        lambda: Feedback.objects.update(values={}),
        lambda: Feedback.objects.bulk_update([event], ["values"]),
    ):
        with pytest.raises(TypeError, match="append-only"):
            rewrite()
    assert Feedback.objects.get().values == {"outcome": "converted"}


@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="the trigger is PostgreSQL's")
@pytest.mark.parametrize(
    "sql", ["UPDATE feedback_feedback SET schema_version = 9", "DELETE FROM feedback_feedback"]
)
def test_the_database_refuses(event, sql):
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql)
    assert Feedback.objects.get().schema_version == event.schema_version
