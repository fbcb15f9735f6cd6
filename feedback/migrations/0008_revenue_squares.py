"""The sum of squared revenues in each cell, for the interval of the revenue per lead.

Cells with revenue are marked stale, so that a worker recomputes them; until then `verify` counts them as waiting.
"""

from django.db import migrations, models
from django.db.models import Min

CHUNK = 2000


def mark_stale(apps, schema_editor):
    Delivery, StaleMark = apps.get_model("flows", "Delivery"), apps.get_model("feedback", "StaleMark")
    cells = (
        Delivery.objects.filter(revenue__isnull=False)
        .order_by()
        .values_list("source_id", "delivered_on")
        .annotate(first=Min("pk"))
    )
    StaleMark.objects.bulk_create(
        [StaleMark(source_id=source, day=day, delivery_id=first) for source, day, first in cells],
        batch_size=CHUNK,
    )


class Migration(migrations.Migration):
    dependencies = [
        ("feedback", "0007_upload_wizard"),
        ("flows", "0009_rules_alerts_and_endpoints"),
    ]

    operations = [
        migrations.AddField(
            model_name="sourceday",
            name="revenue_squares",
            field=models.FloatField(db_default=0, default=0),
        ),
        migrations.RunPython(mark_stale, migrations.RunPython.noop),
    ]
