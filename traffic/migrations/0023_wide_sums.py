"""Sums of money with room for whatever rows may plausibly add; Postgres rewrites no table for more digits."""

from __future__ import annotations

from django.db import migrations, models

SUMS = ("cost", "told_cost", "told_ours")
TABLES = ("traffic_usage_hour", "traffic_usage_day")


def alter(digits: int) -> str:
    return "".join(
        f"ALTER TABLE {table} {', '.join(f'ALTER COLUMN {name} TYPE numeric({digits}, 12)' for name in SUMS)};"
        for table in TABLES
    )


def wide(model: str, name: str) -> migrations.AlterField:
    return migrations.AlterField(model, name, models.DecimalField(decimal_places=12, max_digits=30))


class Migration(migrations.Migration):
    dependencies = [("traffic", "0022_dead_keys")]

    operations = [
        wide("keyuse", "cost"),
        wide("repricedday", "before"),
        wide("repricedday", "after"),
        migrations.RunSQL(alter(30), alter(26)),
    ]
