"""When the first feedback came in, of deliveries on which an undo took something back.

It stayed that of the event taken back. What counts is what no retraction names: until now nothing restored.
"""

from django.db import migrations
from django.db.models import Min, OuterRef, Subquery


def tell_anew(apps, schema_editor):
    Delivery, Feedback = apps.get_model("flows", "Delivery"), apps.get_model("feedback", "Feedback")
    counts = Feedback.objects.filter(delivery=OuterRef("pk"), retracts=None, retraction=None)
    first = counts.order_by().values("delivery").annotate(first=Min("received_at")).values("first")
    mended = Feedback.objects.filter(retracts__isnull=False).values("delivery")
    Delivery.objects.filter(pk__in=mended).update(first_feedback_at=Subquery(first))


class Migration(migrations.Migration):
    dependencies = [
        ("feedback", "0008_revenue_squares"),
        ("flows", "0009_rules_alerts_and_endpoints"),
    ]

    operations = [migrations.RunPython(tell_anew, migrations.RunPython.noop)]
