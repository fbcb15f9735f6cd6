"""What the list of leads filters and sorts by. Built without holding up writes."""

from django.db import migrations, models

from portal.online import AddIndexOnline

INDEXES = (
    models.Index(fields=["buyer", "outcome", "-delivered_at", "-id"], name="delivery_by_outcome"),
    models.Index(fields=["buyer", "conversion_status", "-delivered_at", "-id"], name="delivery_by_status"),
    models.Index(fields=["buyer", "source", "-delivered_at", "-id"], name="delivery_by_source"),
    models.Index(fields=["buyer", "quality_score", "id"], name="delivery_by_quality"),
    models.Index(fields=["buyer", "revenue", "id"], name="delivery_by_revenue"),
    models.Index(
        fields=["buyer", "flow", "delivered_at", "id"],
        name="delivery_waiting",
        condition=models.Q(feedback_count=0),
    ),
    models.Index(
        fields=["buyer", "-delivered_at", "-id"],
        name="delivery_told",
        condition=models.Q(feedback_count__gt=0),
    ),
)


class Migration(migrations.Migration):
    atomic = False  # PostgreSQL builds an index beside the work only outside of a transaction

    dependencies = [("flows", "0012_source_change")]

    operations = [AddIndexOnline(model_name="delivery", index=index) for index in INDEXES]
