"""What is taken out of an application's texts before they are stored."""

from __future__ import annotations

import django.contrib.postgres.fields
from django.db import migrations, models

import traffic.models.applications

KINDS = [
    ("email", "e-mail addresses"),
    ("phone", "phone numbers"),
    ("card", "card numbers"),
    ("secret", "secrets: API keys, tokens, private keys"),
]


class Migration(migrations.Migration):
    dependencies = [("traffic", "0006_key_limits")]

    operations = [
        migrations.AddField(
            "application",
            "redact",
            django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(choices=KINDS, max_length=10),
                blank=True,
                default=traffic.models.applications.all_kinds,
                size=None,
            ),
        ),
        migrations.AddField(
            "application",
            "redact_patterns",
            django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=200), blank=True, default=list, size=None
            ),
        ),
    ]
