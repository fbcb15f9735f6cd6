from __future__ import annotations

from typing import Any

from django.db import migrations, models


def limit_those_with_flows(apps: Any, schema_editor: Any) -> None:
    """Until now a key was limited when it named any flow."""
    apps.get_model("flows", "ApiKey").objects.filter(flows__isnull=False).update(all_flows=False)


class Migration(migrations.Migration):
    dependencies = [("flows", "0007_delivery_updated_at")]

    operations = [
        migrations.AddField(
            model_name="apikey",
            name="all_flows",
            field=models.BooleanField(default=True, editable=False, verbose_name="opens every flow"),
        ),
        migrations.RunPython(limit_those_with_flows, migrations.RunPython.noop),
    ]
