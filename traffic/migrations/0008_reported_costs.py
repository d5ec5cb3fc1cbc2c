"""What a request is said to have cost by the tool that reported it, and the sums of it beside our own."""

from __future__ import annotations

from django.db import migrations

ADDED = {
    "traffic_request": {"reported_cost": "numeric(20, 12)"},
    **{
        table: {
            "told": "bigint NOT NULL DEFAULT 0",
            "told_otherwise": "bigint NOT NULL DEFAULT 0",
            "told_cost": "numeric(26, 12) NOT NULL DEFAULT 0",
            "told_ours": "numeric(26, 12) NOT NULL DEFAULT 0",
        }
        for table in ("traffic_usage_hour", "traffic_usage_day")
    },
}


def alter(change: str) -> str:
    return "".join(
        f"ALTER TABLE {table} {', '.join(change.format(name=name, kind=kind) for name, kind in columns.items())};"
        for table, columns in ADDED.items()
    )


class Migration(migrations.Migration):
    dependencies = [("traffic", "0007_redaction")]

    operations = [migrations.RunSQL(alter("ADD COLUMN {name} {kind}"), alter("DROP COLUMN {name}"))]
