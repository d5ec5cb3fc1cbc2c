"""When a waiting rating's request is looked for again; those of before are due at once."""

from __future__ import annotations

from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("traffic", "0023_wide_sums")]

    operations = [
        migrations.AddField("rating", "look_at", models.DateTimeField(db_default=Now())),
        migrations.AddIndex(
            "rating",
            models.Index(fields=["application", "look_at"], condition=models.Q(request_id=None), name="rating_look"),
        ),
    ]
