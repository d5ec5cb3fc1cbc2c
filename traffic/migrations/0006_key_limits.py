"""Limits of keys, what came in with each, and which key replaces which."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("traffic", "0005_repricings")]

    operations = [
        migrations.AddField("key", "per_minute", models.PositiveIntegerField(blank=True, null=True)),
        migrations.AddField(
            "key", "quota", models.DecimalField(blank=True, decimal_places=2, max_digits=20, null=True)
        ),
        migrations.AddField(
            "key",
            "quota_period",
            models.CharField(choices=[("day", "day"), ("month", "month")], default="month", max_length=10),
        ),
        migrations.AddField(
            "key",
            "quota_unit",
            models.CharField(
                choices=[("requests", "requests"), ("tokens", "tokens"), ("usd", "USD")],
                default="requests",
                max_length=10,
            ),
        ),
        migrations.AddField(
            "key",
            "replaces",
            models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="replaced_by",
                to="traffic.key",
            ),
        ),
        migrations.CreateModel(
            name="KeyUse",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField()),
                ("requests", models.BigIntegerField()),
                ("tokens", models.BigIntegerField()),
                ("cost", models.DecimalField(decimal_places=12, max_digits=20)),
                (
                    "key",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="use", to="traffic.key"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("key", "day"), name="one_use_of_a_key_and_day")],
            },
        ),
    ]
