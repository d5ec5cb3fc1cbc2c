"""Failed requests counted by what went wrong, by hour and by day; filled from the requests that are stored."""

from __future__ import annotations

from django.db import migrations, models

KEY = "application_id bigint NOT NULL, deployment_id bigint NOT NULL, provider text NOT NULL, model text NOT NULL, task text NOT NULL"
KIND = "coalesce(CASE WHEN error_type ~ '^[[:alnum:]_.:/-]{1,60}$' THEN error_type END, http_status::text, outcome)"
TIMES = {
    "hour": ("timestamptz", "date_trunc('hour', started_at, 'UTC')"),
    "day": ("date", "(started_at AT TIME ZONE 'UTC')::date"),
}


def table(period: str) -> str:
    kind, moment = TIMES[period]
    return f"""
CREATE TABLE traffic_error_{period} ({period} {kind} NOT NULL, {KEY}, kind text NOT NULL, n bigint NOT NULL,
    PRIMARY KEY ({period}, application_id, deployment_id, provider, model, task, kind)) WITH (fillfactor = 80);
INSERT INTO traffic_error_{period}
SELECT {moment}, coalesce(application_id, 0), coalesce(deployment_id, 0), provider, model, task,
    {KIND}, count(*)
FROM traffic_request WHERE outcome IN ('error', 'timeout') GROUP BY 1, 2, 3, 4, 5, 6, 7;
"""


def primary_key(period: str) -> models.CompositePrimaryKey:
    names = (period, "application", "deployment", "provider", "model", "task", "kind")
    return models.CompositePrimaryKey(*names, blank=True, editable=False, primary_key=True, serialize=False)


class Migration(migrations.Migration):
    dependencies = [("traffic", "0013_tiers")]

    operations = [
        *(migrations.RunSQL(table(period), f"DROP TABLE traffic_error_{period};") for period in TIMES),
        migrations.CreateModel(
            name="ErrorDay",
            fields=[
                ("provider", models.TextField()),
                ("model", models.TextField()),
                ("task", models.TextField()),
                ("pk", primary_key("day")),
                ("day", models.DateField()),
                ("kind", models.TextField()),
                ("n", models.BigIntegerField()),
            ],
            options={"db_table": "traffic_error_day", "managed": False},
        ),
        migrations.CreateModel(
            name="ErrorHour",
            fields=[
                ("provider", models.TextField()),
                ("model", models.TextField()),
                ("task", models.TextField()),
                ("pk", primary_key("hour")),
                ("hour", models.DateTimeField()),
                ("kind", models.TextField()),
                ("n", models.BigIntegerField()),
            ],
            options={"db_table": "traffic_error_hour", "managed": False},
        ),
    ]
