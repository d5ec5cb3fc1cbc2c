"""For how many days requests and bodies are kept, where somebody has said so; else the environment says it."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("traffic", "0014_errors")]

    operations = [
        migrations.AddField("installation", "request_days", models.PositiveIntegerField(null=True)),
        migrations.AddField("installation", "body_days", models.PositiveIntegerField(null=True)),
    ]
