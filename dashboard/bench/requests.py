"""The Requests page over few and many rows: every filter's server time, and the plan that the same read has in both.

`BENCH_REQUESTS_ROWS` says how many rows are made (10,000,000 is the real run); without it a million. They are made by
one statement, their indexes after them, and the rollups from them: what is left is as ingest leaves it.
"""

from __future__ import annotations

import json
import os
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from dashboard.bench.figures import Figure
from dashboard.bench.pages import USER, p95
from dashboard.bench.stack import running

FEW = 100_000
MANY = int(os.environ.get("BENCH_REQUESTS_ROWS", "1000000"))
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
        found: list[tuple[dict[str, float], dict[str, str]]] = []
        for rows in (FEW, MANY):
            began = time.monotonic()
            stack.python(f"from dashboard.bench.requests import fill; fill({rows})")
            filled = time.monotonic() - began
            times = {name: p95(stack, f"/requests/?live=0&{query}") for name, query in FILTERS.items()}
            told = stack.python("from dashboard.bench.requests import tell; tell()")
            found.append((times, json.loads(told.splitlines()[-1])))
    (few, plans), (many, large) = found
    different = [name for name in plans if plans[name] != large[name]]
    return [
        *(Figure(f"/requests/ {name}: p95 over {MANY:,} requests ({large[name]})", many[name], "ms", few[name],
                 f"over {FEW:,}", "<= 50 ms") for name in FILTERS),
        Figure(f"{MANY:,} requests with their rollups made for it", filled, "s"),
        Figure(f"reads with another plan over {MANY:,} than over {FEW:,} {different or ''}", len(different), "plans",
               target="0"),
    ]  # fmt: skip


def fill(rows: int) -> None:
    """Rows over the last days, with the rollups that they make, instead of what was there."""
    from django.db import connection

    from providers.partitions import make_partitions
    from traffic.models import Application
    from traffic.rebuild import Rollup
    from traffic.services import raw_connection

    now = datetime.now(UTC)
    start = now - timedelta(days=DAYS)
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
    """Print the shape of the plan of each filter's read, as JSON."""
    from django.http import QueryDict

    from traffic.queries import RequestQuery

    wanted = {name: RequestQuery.model_validate(asked(QueryDict(query))).wanted() for name, query in FILTERS.items()}
    shapes = {name: shape(one) for name, one in wanted.items()}
    print(json.dumps(shapes))  # noqa: T201  # the bench reads it


def asked(query: Any) -> dict[str, Any]:
    lists = {"provider", "model", "application", "task", "deployment", "outcome"}
    return {name: values if name in lists else values[0] for name, values in query.lists()}


def shape(wanted: Any) -> str:
    """The plan of the first statement, without its numbers and the day of its partition."""
    from traffic.requests import days_of, portions_of, statement

    days = wanted.days(*days_of(wanted, 400))
    portion = next(iter(portions_of(wanted, days, None, 51)), None)
    if portion is None:
        return "nothing is read"
    plan = statement(wanted, portion[0])[:51].explain()
    nodes = re.findall(r"(?:->\s*)?([A-Z][A-Za-z ]+?)(?: using (\S+))? on traffic_request_\d+", plan)
    found = [f"{node.strip()} {re.sub('[0-9]{8}', '*', index)}".strip() for node, index in nodes]
    return "; ".join(dict.fromkeys(found))
