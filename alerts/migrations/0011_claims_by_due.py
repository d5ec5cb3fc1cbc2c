"""A claimed message is due again when its claim ends, so that one index in one order tells what is next."""

from __future__ import annotations

from django.db import migrations

TO_DUE = "UPDATE alerts_delivery SET due_at = claimed_until WHERE state = 'sending' AND claimed_until IS NOT NULL"
FROM_DUE = "UPDATE alerts_delivery SET claimed_until = due_at WHERE state = 'sending'"


class Migration(migrations.Migration):
    dependencies = [
        ("alerts", "0010_delivery_indexes"),
    ]

    operations = [
        migrations.RunSQL(TO_DUE, FROM_DUE),
        migrations.RemoveField(
            model_name="delivery",
            name="claimed_until",
        ),
    ]
