"""The request log, its bodies and its rollups: what `traffic.ingest` writes with plain SQL.

Columns are ordered by width so that a row carries no padding. The rollups' keys have no NULL: 0 is "none".
"""

from __future__ import annotations

from django.db import migrations

REQUEST = r"""
CREATE TABLE traffic_request (
    id uuid NOT NULL,
    response_hash uuid,
    user_hash uuid,
    started_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    application_id bigint,
    deployment_id bigint,
    price_id bigint,
    discount_id bigint,
    import_id bigint,
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
    reported_cost numeric(20, 12),
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
    tier text,
    raw jsonb,
    PRIMARY KEY (day, id)
) PARTITION BY RANGE (day);
CREATE UNIQUE INDEX traffic_request_response ON traffic_request (day, response_hash);
CREATE INDEX traffic_request_started ON traffic_request (started_at, id);
CREATE INDEX traffic_request_import ON traffic_request (import_id, id) WHERE import_id IS NOT NULL;
-- The filters by outcome, missing price and unknown usage find their rows here. The key is the moment in UTC and not the
-- moment itself, so that only this index offers the order that such a list asks for: on a fresh partition, which has no
-- statistics, the planner would else read everything by time.
CREATE INDEX traffic_request_odd ON traffic_request ((started_at AT TIME ZONE 'UTC'), id)
WHERE outcome <> 'ok' OR uncached_input IS NULL
   OR (cost IS NULL AND cost_reason IN ('unknown_model', 'unknown_rate'));
-- The short response ids, which have no hash: feedback finds the newest request that bears one. The key begins as no other
-- index does and ends with the moment in UTC, for the reason above.
CREATE INDEX traffic_request_short ON traffic_request
((coalesce(application_id, 0)), response_id, (started_at AT TIME ZONE 'UTC')) WHERE length(response_id) < 20;
CREATE TABLE traffic_request_body (
    request_id uuid NOT NULL,
    day date NOT NULL,
    prompt text,
    answer text,
    PRIMARY KEY (day, request_id)
) PARTITION BY RANGE (day);
-- `simple`, because people and models write in any language. The texts are cut, as a tsvector holds one megabyte at most,
-- and their words are: PostgreSQL reads a word in the square of its length, 100,000 characters for more than half a minute.
CREATE INDEX traffic_request_body_words ON traffic_request_body USING gin (to_tsvector('simple', regexp_replace(
    left(coalesce(prompt, ''), 100000) || ' ' || left(coalesce(answer, ''), 100000), '(\S{60})', '\1 ', 'g')));
-- Which spans lie below which: so that spans of one call which come in different exports become one row.
CREATE TABLE traffic_span_link (
    child uuid NOT NULL,
    parent uuid NOT NULL,
    day date NOT NULL,
    PRIMARY KEY (day, child)
) PARTITION BY RANGE (day);
CREATE INDEX traffic_span_link_parent ON traffic_span_link (day, parent);
-- What each request cost before and after a repricing, so that it can be taken back.
CREATE TABLE traffic_repriced (
    id uuid NOT NULL,
    repricing_id bigint NOT NULL,
    old_price_id bigint,
    new_price_id bigint,
    old_discount_id bigint,
    new_discount_id bigint,
    day date NOT NULL,
    old_cost numeric(20, 12),
    new_cost numeric(20, 12),
    old_cost_reason text,
    new_cost_reason text,
    PRIMARY KEY (day, repricing_id, id)
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
    cost numeric(30, 12) NOT NULL,
    latency_us bigint NOT NULL,
    timed bigint NOT NULL,
    generated bigint NOT NULL,
    generating_us bigint NOT NULL,
    cost_reports bigint NOT NULL DEFAULT 0,
    cost_mismatches bigint NOT NULL DEFAULT 0,
    reported_cost numeric(30, 12) NOT NULL DEFAULT 0,
    computed_cost numeric(30, 12) NOT NULL DEFAULT 0,
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
CREATE TABLE traffic_error_hour (hour timestamptz NOT NULL, {KEY} kind text NOT NULL, n bigint NOT NULL,
    PRIMARY KEY (hour, application_id, deployment_id, provider, model, task, kind)) WITH (fillfactor = 80);
CREATE TABLE traffic_error_day (day date NOT NULL, {KEY} kind text NOT NULL, n bigint NOT NULL,
    PRIMARY KEY (day, application_id, deployment_id, provider, model, task, kind)) WITH (fillfactor = 80);
"""


class Migration(migrations.Migration):
    dependencies = [("traffic", "0001_initial"), ("providers", "0002_partitions")]

    operations = [migrations.RunSQL(REQUEST), migrations.RunSQL(ROLLUPS)]
