"""Spans a second over OTLP/HTTP, durable and rolled up before the answer, beside a bare COPY of the same rows."""

from __future__ import annotations

import http.client
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import psutil

from benchmarks.figures import Figure
from benchmarks.ingest import bare_copy
from benchmarks.spans import exports
from benchmarks.stack import Stack, running

BATCHES = 160
SIZE = 512
CLIENTS = 10  # as a small fleet has; their batches meet
WARM_UP = 16
PROTOBUF = "application/x-protobuf"


def measure() -> list[Figure]:
    with running() as stack:
        key = stack.manage("create_key", "ingest", "--application", "bench")
        since = datetime.now(UTC) - timedelta(hours=8)
        sent = exports(BATCHES + WARM_UP, SIZE, seed=2, since=since, span=timedelta(hours=7))
        url = stack.ready["url"]
        post(url, key, sent[:WARM_UP])
        before, started = cpu_of_web(stack), time.perf_counter()
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(lambda part: post(url, key, part), [sent[WARM_UP + n :: CLIENTS] for n in range(CLIENTS)]))
        rate = BATCHES * SIZE / (time.perf_counter() - started)
        burnt = (cpu_of_web(stack) - before) / (BATCHES * SIZE) * 1e6
        memory = max(process.memory_info().rss for process in web(stack)) / 2**20
        bare = bare_copy(stack.owner_url, SIZE)
    return [
        Figure(
            f"OTLP ingest, protobuf, batches of {SIZE}, {CLIENTS} exporters, rollups included", rate, "spans/s",
            bare, "bare COPY of the same rows", ">= 20,000/s",
        ),
        Figure("of that the web process, for each span", burnt, "µs of one core", target="<= 50 µs"),
        Figure("its memory at the end", memory, "MiB", target="<= 200 MB"),
    ]  # fmt: skip


def web(stack: Stack) -> list[psutil.Process]:
    """The processes that serve the web: granian's own and its worker."""
    found = psutil.Process(stack.pid).children(recursive=True)
    return [process for process in found if "dashboard.asgi" in " ".join(process.cmdline())]


def cpu_of_web(stack: Stack) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in web(stack))


def post(url: str, key: str, parts: Sequence[bytes]) -> None:
    """Send bodies one after the other on one connection. Raises RuntimeError unless each span was taken."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": PROTOBUF}
    for body in parts:
        connection.request("POST", "/v1/traces", body, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200 or text:
            raise RuntimeError(f"{answer.status}: {text[:300]!r}")
    connection.close()
