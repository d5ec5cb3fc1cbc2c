"""Imports of files, and which of them brought a request; the index holds only the requests that a file brought."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

COLUMN = """
ALTER TABLE traffic_request ADD COLUMN import_id bigint;
CREATE INDEX traffic_request_import ON traffic_request (import_id, id) WHERE import_id IS NOT NULL;
"""
BACK = "DROP INDEX traffic_request_import; ALTER TABLE traffic_request DROP COLUMN import_id;"


class Migration(migrations.Migration):
    dependencies = [
        ("traffic", "0003_span_links"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(COLUMN, BACK),
        migrations.CreateModel(
            name="Import",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("file_name", models.CharField(max_length=200)),
                ("size", models.BigIntegerField()),
                ("sha256", models.CharField(max_length=64)),
                ("format", models.CharField(max_length=30)),
                ("options", models.JSONField(default=dict)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "not started"),
                            ("running", "being read"),
                            ("done", "done"),
                            ("failed", "stopped by an error"),
                            ("cancelled", "cancelled"),
                            ("undoing", "being taken back"),
                            ("undone", "taken back"),
                        ],
                        default="draft",
                        max_length=10,
                    ),
                ),
                ("offset", models.BigIntegerField(default=0)),
                ("line", models.BigIntegerField(default=0)),
                ("position", models.JSONField(default=dict)),
                ("accepted", models.BigIntegerField(default=0)),
                ("duplicates", models.BigIntegerField(default=0)),
                ("rejected", models.BigIntegerField(default=0)),
                ("skipped", models.BigIntegerField(default=0)),
                ("errors", models.JSONField(default=list)),
                ("removed", models.BigIntegerField(default=0)),
                ("first_day", models.DateField(null=True)),
                ("last_day", models.DateField(null=True)),
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
            ],
            options={
                "ordering": ["-created_at"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "undone"), _negated=True),
                        fields=("sha256",),
                        name="one_import_of_a_file",
                    )
                ],
            },
        ),
    ]
