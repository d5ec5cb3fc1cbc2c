"""Repricings with the memory of what each changed request cost before, and the discount that a request was costed with."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

MEMORY = """
ALTER TABLE traffic_request ADD COLUMN discount_id bigint;
CREATE TABLE traffic_repriced (
    id uuid NOT NULL,
    repricing_id bigint NOT NULL,
    old_price_id bigint,
    new_price_id bigint,
    old_discount_id bigint,
    new_discount_id bigint,
    day date NOT NULL,
    old_cost numeric(20, 12),
    new_cost numeric(20, 12),
    old_cost_reason text,
    new_cost_reason text,
    PRIMARY KEY (day, repricing_id, id)
) PARTITION BY RANGE (day);
"""
BACK = "DROP TABLE traffic_repriced; ALTER TABLE traffic_request DROP COLUMN discount_id;"


class Migration(migrations.Migration):
    dependencies = [
        ("traffic", "0004_imports"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(MEMORY, BACK),
        migrations.CreateModel(
            name="Repricing",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("since", models.DateField()),
                ("until", models.DateField()),
                ("provider", models.CharField(blank=True, max_length=40)),
                ("model", models.CharField(blank=True, max_length=200)),
                ("why", models.CharField(blank=True, max_length=300)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("previewing", "being worked out"),
                            ("previewed", "not started"),
                            ("running", "at work"),
                            ("done", "done"),
                            ("failed", "stopped by an error"),
                            ("cancelled", "cancelled"),
                            ("undoing", "being taken back"),
                            ("undone", "taken back"),
                        ],
                        max_length=10,
                    ),
                ),
                ("total", models.BigIntegerField(default=0)),
                ("at_day", models.DateField(null=True)),
                ("at_id", models.UUIDField(null=True)),
                ("read", models.BigIntegerField(default=0)),
                ("changed", models.BigIntegerField(default=0)),
                ("restored", models.BigIntegerField(default=0)),
                ("kept", models.BigIntegerField(default=0)),
                ("problem", models.TextField(blank=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("claimed_until", models.DateTimeField(null=True)),
                (
                    "by",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "undone_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at"],
            },
        ),
        migrations.CreateModel(
            name="RepricedDay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("planned", models.BooleanField()),
                ("day", models.DateField()),
                ("provider", models.TextField()),
                ("model", models.TextField()),
                ("requests", models.BigIntegerField()),
                ("before", models.DecimalField(decimal_places=12, max_digits=26)),
                ("after", models.DecimalField(decimal_places=12, max_digits=26)),
                ("unknown_before", models.BigIntegerField()),
                ("unknown_after", models.BigIntegerField()),
                (
                    "repricing",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="days", to="traffic.repricing"
                    ),
                ),
            ],
            options={
                "ordering": ["day", "provider", "model"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("repricing", "planned", "day", "provider", "model"),
                        name="one_difference_of_a_day_and_model",
                    )
                ],
            },
        ),
    ]
