"""The partitioned table of checks; its daily partitions are attached ahead by beat and on first need."""

from __future__ import annotations

from django.db import migrations

CHECK = """
CREATE TABLE providers_check (
    at timestamptz NOT NULL,
    deployment_id bigint NOT NULL,
    latency_ms double precision,
    ttft_ms double precision,
    day date NOT NULL,
    ok boolean NOT NULL,
    step text NOT NULL,
    cause text NOT NULL DEFAULT '',
    PRIMARY KEY (day, deployment_id, at)
) PARTITION BY RANGE (day)
"""


class Migration(migrations.Migration):
    dependencies = [("providers", "0001_initial")]

    operations = [migrations.RunSQL(CHECK, "DROP TABLE providers_check")]
