"""In which tier or region a request was served, where it is not the standard."""

from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("traffic", "0012_request_indexes"), ("providers", "0014_unit_prices")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE traffic_request ADD COLUMN tier text", "ALTER TABLE traffic_request DROP COLUMN tier"
        )
    ]
