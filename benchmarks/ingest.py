"""Requests a second over HTTP, durable and rolled up before the answer, beside a bare COPY of the same rows."""

from __future__ import annotations

import http.client
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import psycopg

from benchmarks.figures import Figure
from benchmarks.rows import bodies
from benchmarks.stack import running

BATCHES = 60
SIZE = 1000
CLIENTS = 2
WARM_UP = 4


def measure() -> list[Figure]:
    with running() as stack:
        key = stack.manage("create_key", "ingest", "--application", "bench")
        since = datetime.now(UTC) - timedelta(hours=8)
        sent = bodies(BATCHES + WARM_UP, SIZE, seed=1, since=since, span=timedelta(hours=7))
        url = stack.ready["url"]
        post(url, key, sent[:WARM_UP])
        started = time.perf_counter()
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(lambda part: post(url, key, part), [sent[WARM_UP + n :: CLIENTS] for n in range(CLIENTS)]))
        rate = BATCHES * SIZE / (time.perf_counter() - started)
        bare = bare_copy(stack.owner_url)
    return [
        Figure(
            f"native ingest, batches of {SIZE:,}, {CLIENTS} clients, rollups included", rate, "requests/s",
            bare, "bare COPY of the same rows", ">= 15,000/s",
        )
    ]  # fmt: skip


def post(url: str, key: str, parts: Sequence[bytes]) -> None:
    """Send bodies one after the other on one connection. Raises RuntimeError unless each row was accepted."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    for body in parts:
        connection.request("POST", "/api/v1/requests", body, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200 or b'"rejected": []' not in text:
            raise RuntimeError(f"{answer.status}: {text[:300]!r}")
    connection.close()


def bare_copy(database_url: str, size: int = SIZE) -> float:
    """Rows a second of COPY in batches of the same size into a table without indexes or rollups."""
    with psycopg.connect(database_url, autocommit=True) as conn:
        with conn.cursor().copy("COPY (SELECT * FROM traffic_request) TO STDOUT") as stream:
            lines = b"".join(bytes(part) for part in stream).splitlines(keepends=True)
        conn.execute("CREATE TABLE bench_copy (LIKE traffic_request INCLUDING DEFAULTS)")
        started = time.perf_counter()
        for start in range(0, len(lines), size):
            with conn.cursor().copy("COPY bench_copy FROM STDIN") as into:
                into.write(b"".join(lines[start : start + size]))
        seconds = time.perf_counter() - started
        conn.execute("DROP TABLE bench_copy")
    return len(lines) / seconds
