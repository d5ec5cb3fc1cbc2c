"""Counts of telemetry that is no request, by day, application and signal."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("traffic", "0008_reported_costs"),
    ]

    operations = [
        migrations.CreateModel(
            name="Unread",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField()),
                ("signal", models.CharField(max_length=10)),
                ("unread", models.BigIntegerField(default=0)),
                ("rejected", models.BigIntegerField(default=0)),
                ("reason", models.TextField(default="")),
                (
                    "application",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="traffic.application",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("day", "application", "signal"), name="traffic_unread_key", nulls_distinct=False
                    )
                ],
            },
        ),
    ]
