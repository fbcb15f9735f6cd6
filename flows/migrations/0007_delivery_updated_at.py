from django.db import migrations, models
from django.utils.timezone import now


class Migration(migrations.Migration):

    dependencies = [
        ("flows", "0006_request_log_and_schedule"),
    ]

    operations = [
        migrations.AddField(
            model_name="delivery",
            name="updated_at",
            field=models.DateTimeField(default=now, editable=False),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(fields=["buyer", "flow", "updated_at"], name="delivery_by_update"),
        ),
    ]
