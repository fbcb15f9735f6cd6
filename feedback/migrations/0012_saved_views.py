import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models
from django.db.models.functions import Lower


class Migration(migrations.Migration):
    dependencies = [
        ("feedback", "0011_returns"),
        ("portal", "0002_name_people"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="SavedView",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=60)),
                ("query", models.TextField(blank=True)),
                ("columns", models.JSONField(blank=True, default=list)),
                ("shared", models.BooleanField(default=False)),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
                (
                    "buyer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="saved_views",
                        to="portal.buyer",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="saved_views",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ("-shared", Lower("name"), "pk"),
                "constraints": [
                    models.UniqueConstraint(
                        models.F("buyer"),
                        Lower("name"),
                        condition=models.Q(("shared", True)),
                        name="shared_view_name_once",
                    ),
                    models.UniqueConstraint(
                        models.F("buyer"),
                        models.F("user"),
                        Lower("name"),
                        condition=models.Q(("shared", False)),
                        name="own_view_name_once",
                    ),
                ],
            },
        ),
    ]
