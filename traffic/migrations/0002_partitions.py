"""The request log, its bodies and its rollups: what `traffic.ingest` writes with plain SQL.

Columns are ordered by width so that a row carries no padding. The rollups' keys have no NULL: 0 is "none".
"""

from __future__ import annotations

from django.db import migrations

REQUEST = """
CREATE TABLE traffic_request (
    id uuid NOT NULL,
    response_hash uuid,
    user_hash uuid,
    started_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    application_id bigint,
    deployment_id bigint,
    price_id bigint,
    latency_ms double precision,
    ttft_ms double precision,
    uncached_input bigint,
    cache_read bigint,
    cache_write_5m bigint,
    cache_write_1h bigint,
    output bigint,
    reasoning bigint,
    day date NOT NULL,
    http_status smallint,
    streamed boolean NOT NULL,
    batch boolean NOT NULL,
    cost numeric(20, 12),
    cost_reason text,
    provider text NOT NULL,
    model text NOT NULL,
    task text NOT NULL,
    outcome text NOT NULL,
    error_type text,
    response_id text,
    external_id text NOT NULL,
    source text NOT NULL,
    route text,
    raw jsonb,
    PRIMARY KEY (day, id)
) PARTITION BY RANGE (day);
CREATE UNIQUE INDEX traffic_request_response ON traffic_request (day, response_hash);
CREATE INDEX traffic_request_started ON traffic_request (started_at, id);
CREATE TABLE traffic_request_body (
    request_id uuid NOT NULL,
    day date NOT NULL,
    prompt text,
    answer text,
    PRIMARY KEY (day, request_id)
) PARTITION BY RANGE (day);
"""

KEY = """
    application_id bigint NOT NULL,
    deployment_id bigint NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    task text NOT NULL,
"""

SUMS = """
    requests bigint NOT NULL,
    errors bigint NOT NULL,
    unpriced bigint NOT NULL,
    unknown_usage bigint NOT NULL,
    leased bigint NOT NULL,
    batched bigint NOT NULL,
    uncached_input bigint NOT NULL,
    cache_read bigint NOT NULL,
    cache_write_5m bigint NOT NULL,
    cache_write_1h bigint NOT NULL,
    output bigint NOT NULL,
    reasoning bigint NOT NULL,
    cost numeric(26, 12) NOT NULL,
    latency_us bigint NOT NULL,
    timed bigint NOT NULL,
    generated bigint NOT NULL,
    generating_us bigint NOT NULL,
"""

BUCKETS = """
    metric smallint NOT NULL,
    bucket smallint NOT NULL,
    n bigint NOT NULL,
"""

ROLLUPS = f"""
CREATE TABLE traffic_usage_hour (hour timestamptz NOT NULL, {KEY} {SUMS}
    PRIMARY KEY (hour, application_id, deployment_id, provider, model, task)) WITH (fillfactor = 70);
CREATE TABLE traffic_usage_day (day date NOT NULL, {KEY} {SUMS}
    PRIMARY KEY (day, application_id, deployment_id, provider, model, task)) WITH (fillfactor = 70);
CREATE TABLE traffic_latency_hour (hour timestamptz NOT NULL, {KEY} {BUCKETS}
    PRIMARY KEY (hour, application_id, deployment_id, provider, model, task, metric, bucket)) WITH (fillfactor = 80);
CREATE TABLE traffic_latency_day (day date NOT NULL, {KEY} {BUCKETS}
    PRIMARY KEY (day, application_id, deployment_id, provider, model, task, metric, bucket)) WITH (fillfactor = 80);
"""

TABLES = (
    "traffic_request",
    "traffic_request_body",
    "traffic_usage_hour",
    "traffic_usage_day",
    "traffic_latency_hour",
    "traffic_latency_day",
)


class Migration(migrations.Migration):
    dependencies = [("traffic", "0001_initial"), ("providers", "0002_partitions")]

    operations = [migrations.RunSQL(REQUEST + ROLLUPS, "".join(f"DROP TABLE {table};" for table in TABLES))]
