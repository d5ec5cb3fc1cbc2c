"""The Requests page over many rows and a tenth of them: each filter's server time, and the plan and rows of its read.

`BENCH_REQUESTS_ROWS` says how many rows are made (10,000,000 is the real run); without it a million. They are made by
one statement, their indexes after them, and the rollups from them: what is left is as ingest leaves it.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.figures import Figure
from benchmarks.pages import USER, p95
from benchmarks.stack import running
from traffic.requests.hour_reads import READ_MOST

MANY = int(os.environ.get("BENCH_REQUESTS_ROWS", "1000000"))
FEW = MANY // 10
DAYS = 60
FILTERS = {
    "all": "", "model and task": "model=claude-opus-5-5&task=code", "application": "application=bench",
    "a model that nobody uses": "model=none", "failed": "outcome=error", "refused": "outcome=refused",
    "unpriced": "unpriced=1", "usage unknown": "unknown_usage=1", "dear": "cost_from=1", "slow": "latency_from=30000",
    "slow first token, one task": "ttft_from=5000&task=qa", "rated": "rated=1",
}  # fmt: skip

# Rows straight into the day's partitions, and the rollups from them as ingest makes them: as many days of a like mix.
MAKE = """
INSERT INTO traffic_request (id, started_at, received_at, application_id, latency_ms, ttft_ms, uncached_input,
    cache_read, cache_write_5m, cache_write_1h, output, reasoning, day, http_status, streamed, batch, cost, cost_reason,
    provider, model, task, outcome, error_type, external_id, source, raw)
SELECT gen_random_uuid(), at, at, %(application)s, exp(7.2 + n %% 97 / 60.0), exp(5.7 + n %% 89 / 80.0),
    CASE WHEN n %% 503 > 0 THEN n %% 2000 END, n %% 4000, 0, 0, n %% 600, 0, at::date, 200, true, false,
    CASE WHEN n %% 503 > 0 AND n %% 401 > 0 THEN n %% 1000 / 100000.0 END,
    CASE WHEN n %% 503 = 0 THEN 'unknown_usage' WHEN n %% 401 = 0 THEN 'unknown_model' END,
    'anthropic', (ARRAY['claude-sonnet-5-5', 'claude-haiku-4-5', 'claude-opus-5-5'])[1 + n %% 3],
    (ARRAY['rag', 'qa', 'code', 'chat'])[1 + n / 3 %% 4],
    CASE WHEN n %% 211 = 0 THEN 'error' WHEN n %% 9973 = 0 THEN 'refused' ELSE 'ok' END,
    CASE WHEN n %% 211 = 0 THEN 'overloaded_error' END, '', 'native', '{"usage": {"input_tokens": 7}}'
FROM (SELECT n, %(start)s::timestamptz + n * %(step)s::interval AS at FROM generate_series(1, %(rows)s) AS n) AS made
"""


def measure() -> list[Figure]:
    with running() as stack:
        stack.python(USER)
        stack.manage("create_key", "ingest", "--application", "bench")
        found: list[tuple[dict[str, float], dict[str, tuple[str, int]]]] = []
        for rows in (FEW, MANY):
            began = time.monotonic()
            stack.python(f"from benchmarks.requests import fill; fill({rows})")
            filled = time.monotonic() - began
            times = {name: p95(stack, f"/requests/?live=0&{query}") for name, query in FILTERS.items()}
            told = stack.python("from benchmarks.requests import tell; tell()")
            found.append((times, json.loads(told.splitlines()[-1])))
    (few, plans), (many, large) = found
    most = max(FILTERS, key=lambda name: large[name][1])
    return [
        *(Figure(f"/requests/ {name}: p95 over {MANY:,} requests", many[name], "ms", few[name], f"over {FEW:,}",
                 "<= 50 ms, <= 1.2 times") for name in FILTERS),
        *(Figure(f"{name}: read for a page by {large[name][0]}", large[name][1], "rows", plans[name][1],
                 f"over {FEW:,}, {plans[name][0]}", f"<= {READ_MOST * 2:,}") for name in FILTERS),
        Figure(f"the most that one of them reads ({most})", large[most][1], "rows", target=f"<= {READ_MOST * 2:,}"),
        Figure(f"{MANY:,} requests with their rollups made for it", filled, "s"),
    ]  # fmt: skip


def fill(rows: int) -> None:
    """Rows over the last days, with the rollups that they make, instead of what was there."""
    from django.db import connection

    from dashboard.backup.database_roles import as_owner
    from lib.partitions import make_partitions
    from traffic.ingest.context import raw_connection
    from traffic.models import Application
    from traffic.usage.rebuild import Rollup

    now = datetime.now(UTC)
    start = now - timedelta(days=DAYS)
    with as_owner():  # it empties tables and builds their indexes anew
        with raw_connection() as own:
            make_partitions(own, "traffic_request", [start.date() + timedelta(days=n) for n in range(DAYS + 1)])
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE traffic_request, " + ", ".join(rollup.table for rollup in Rollup.all()))
            application = Application.objects.get(slug="bench").pk
            given: dict[str, Any] = {"application": application, "start": start, "rows": rows}
            given["step"] = (now - start) / (rows + 1)
            cursor.execute("SET synchronous_commit = off; SET work_mem = '256MB'; SET maintenance_work_mem = '256MB'")
            cursor.execute("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s", ["traffic_request"])
            indexes = {name: made for name, made in cursor.fetchall() if not name.endswith("_pkey")}
            for name in indexes:
                cursor.execute(f"DROP INDEX {name}")
            cursor.execute(MAKE, given)
            for made in indexes.values():
                cursor.execute(made.replace(" ON ONLY ", " ON ", 1))
            for rollup in Rollup.all():
                columns = ", ".join((*rollup.key, *rollup.sums))
                cursor.execute(f"INSERT INTO {rollup.table} ({columns}) {rollup.right('traffic_request')}")
            cursor.execute("ANALYZE")


def tell() -> None:
    """Print as JSON, for each filter, the plan of what reads a page, and how many rows that takes in."""
    from django.http import QueryDict

    from traffic.requests.query_params import RequestQuery

    wanted = {
        name: RequestQuery.model_validate(asked(QueryDict(query))).request_filter() for name, query in FILTERS.items()
    }
    print(json.dumps({name: read_by(one) for name, one in wanted.items()}))  # noqa: T201  # the bench reads it


def asked(query: Any) -> dict[str, Any]:
    lists = {"provider", "model", "application", "task", "deployment", "outcome"}
    return {name: values if name in lists else values[0] for name, values in query.lists()}


def read_by(wanted: Any) -> tuple[str, int]:
    """The plan of the first statement's spans without the day of their partitions, and the rows that they read."""
    from django.db import connection

    from traffic.requests.queries import days_of, portions_of, statement

    days = wanted.days(*days_of(wanted, 400))
    plans: dict[str, None] = {}
    rows = 0
    for span in next(iter(portions_of(wanted, days, None, 51)), ()):
        query, parameters = statement(wanted, span)[:51].query.sql_with_params()
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", parameters)
            found = cursor.fetchone()
            assert found is not None, "EXPLAIN answers"
        told = found[0] if isinstance(found[0], list) else json.loads(found[0])
        for node in nodes_of(told[0]["Plan"]):
            if str(node.get("Relation Name", "")).startswith("traffic_request_"):
                index = re.sub("[0-9]{8}", "*", node.get("Index Name", ""))
                plans[f"{node['Node Type']} {index}".strip()] = None
                rows += int(node["Actual Rows"] * node["Actual Loops"]) + node.get("Rows Removed by Filter", 0)
    return "; ".join(plans) or "nothing is read", rows


def nodes_of(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for part in node.get("Plans", ()):
        yield from nodes_of(part)
