"""Deletions of an application's or a user's data."""

from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("traffic", "0010_key_scope_alerts"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [
        migrations.CreateModel(
            name="Erasure",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(choices=[("application", "an application"), ("user", "a user")], max_length=12),
                ),
                ("name", models.CharField(blank=True, max_length=100)),
                ("application_id", models.BigIntegerField(null=True)),
                ("user_hash", models.UUIDField(null=True)),
                ("mark", models.UUIDField(null=True)),
                ("expected", models.BigIntegerField(default=0)),
                ("erased", models.BigIntegerField(default=0)),
                ("created_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "by",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={"ordering": ["-created_at"]},
        ),
    ]
