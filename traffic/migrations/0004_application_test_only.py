"""Applications that do not count when our own GPUs are compared with the API: the playground from the start."""

from __future__ import annotations

from typing import Any

from django.db import migrations, models


def leave_out_playground(apps: Any, schema_editor: Any) -> None:
    apps.get_model("traffic", "Application").objects.filter(slug="playground").update(test_only=True)


class Migration(migrations.Migration):
    dependencies = [("traffic", "0003_from_before_0_1_0")]

    operations = [
        migrations.AddField("application", "test_only", models.BooleanField(db_default=False, default=False)),
        migrations.RunPython(leave_out_playground, migrations.RunPython.noop),
    ]
