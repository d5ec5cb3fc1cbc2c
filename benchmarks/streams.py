"""Short streams through the gateway and straight to the engine by the clock of their client, beside what the rows say;
and the memory that many streams at once take.
"""

from __future__ import annotations

import asyncio
import http.client
import os
import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import urlsplit

import orjson
import psycopg

from benchmarks.chaos.faults import parts
from benchmarks.chaos.upstream import MODEL, serve
from benchmarks.figures import Figure
from benchmarks.gateway import SETUP, process_of
from benchmarks.memory import family, pss
from benchmarks.stack import Stack, running
from dashboard.embedded.servers import free_port

STREAMS = 200
PAUSE_S = 0.005  # between two words
AT_ONCE = 500
SETTLE_S = 30.0
BODY = orjson.dumps({"model": MODEL, "stream": True, "messages": [{"role": "user", "content": "How are you?"}]})
ROWS = """
SELECT response_id, ttft_ms, latency_ms FROM traffic_request
WHERE day >= current_date - 1 AND response_id = ANY(%s) AND ttft_ms IS NOT NULL
"""


@dataclass(frozen=True)
class Times:
    """Of one stream, in ms: to its first token and to its end."""

    first: float
    whole: float


def measure() -> list[Figure]:
    port, slow = free_port(), free_port()
    with ExitStack() as things:
        things.enter_context(process_of(serve, port, PAUSE_S))
        things.enter_context(process_of(serve, slow))
        stack = things.enter_context(running())
        stack.python(SETUP.format(url=f"http://127.0.0.1:{port}", model=MODEL))
        key = stack.manage("create_key", "gateway", "--application", "bench")
        gateway = urlsplit(stack.ready["gateway_url"]).port or 0
        time.sleep(3)  # the gateway reads routes and keys every second
        figures = clocks(stack, port, gateway, key)
        stack.python(MOVE.format(url=f"http://127.0.0.1:{slow}"))
        time.sleep(3)
        return [*figures, memory(stack, gateway, key)]


MOVE = """
from providers.models import Deployment
Deployment.objects.update(url="{url}")
"""


def clocks(stack: Stack, port: int, gateway: int, key: str) -> list[Figure]:
    """The streams go through the gateway and straight in turns, one at a time."""
    ways = [http.client.HTTPConnection("127.0.0.1", at, timeout=30) for at in (port, gateway)]
    timed = [(stream(ways[0], key), stream(ways[1], key)) for _ in range(STREAMS + 5)][5:]
    through = {identity: times for _straight, (identity, times) in timed}
    rows = stored(stack, list(through))
    off = {
        "time to the first token": [through[name].first - row.first for name, row in rows.items()],
        "latency": [through[name].whole - row.whole for name, row in rows.items()],
    }
    added = [ours.first - straight.first for (_one, straight), (_other, ours) in timed]
    first = statistics.median(straight.first for (_one, straight), _ours in timed)
    return [
        Figure(f"{word}: clock of the client minus row, {part} of {len(rows)} streams", at(values, share), "ms",
               target="<= 5 ms" if part == "p95" else "")
        for word, values in off.items()
        for part, share in (("p50", 0.5), ("p95", 0.95), ("most", 1.0))
    ] + [
        Figure("first token later than straight, median", statistics.median(added), "ms", first, "straight", "<= 1 ms"),
        Figure("load of the machine meanwhile", os.getloadavg()[0], "processes ready to run"),
    ]  # fmt: skip


def at(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def stream(connection: http.client.HTTPConnection, key: str) -> tuple[str, Times]:
    """The id of one answer and its times. Raises RuntimeError where it is none."""
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    began = time.perf_counter()
    connection.request("POST", "/v1/chat/completions", BODY, headers)
    answer = connection.getresponse()
    text, first = b"", 0.0
    while piece := answer.read1(65536):
        text += piece
        if not first and b'"content"' in text:
            first = time.perf_counter()
    ended = time.perf_counter()
    if answer.status != 200 or not text.rstrip().endswith(b"[DONE]"):
        raise RuntimeError(text.decode(errors="replace"))
    identity = orjson.loads(text.split(b"\n", 1)[0].removeprefix(b"data: "))["id"]
    return identity, Times((first - began) * 1000, (ended - began) * 1000)


def stored(stack: Stack, identities: list[str]) -> dict[str, Times]:
    """What the rows say, once all are stored. Raises RuntimeError where some are not."""
    deadline = time.monotonic() + SETTLE_S
    while True:
        with psycopg.connect(stack.ready["database_url"]) as connection:
            rows = connection.execute(ROWS, [identities]).fetchall()
        if len(rows) == len(identities):
            return {identity: Times(first, whole) for identity, first, whole in rows}
        if time.monotonic() > deadline:
            raise RuntimeError(f"{len(rows)} of {len(identities)} rows are stored")
        time.sleep(0.5)


def memory(stack: Stack, port: int, key: str) -> Figure:
    """Of the gateway's processes, while all streams are under way."""
    processes = family(parts(stack)["gateway"].pid)

    def taken() -> float:
        return sum(map(pss, processes)) / 2**20

    async def work() -> float:
        begun: list[None] = []
        streams = [asyncio.create_task(long_stream(port, key, begun)) for _ in range(AT_ONCE)]
        while len(begun) < AT_ONCE and not any(task.done() for task in streams):
            await asyncio.sleep(0.05)
        if len(begun) < AT_ONCE:
            raise RuntimeError(f"only {len(begun)} of {AT_ONCE} streams were under way at once")
        most = await asyncio.to_thread(taken)
        await asyncio.gather(*streams)
        return most

    before = taken()
    what = f"memory of the gateway with {AT_ONCE} streams at once"
    return Figure(what, asyncio.run(work()), "MiB PSS", before, "before them", "<= 250 MB")


async def long_stream(port: int, key: str, begun: list[None]) -> None:
    """Raises RuntimeError where the stream is not whole."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"authorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {len(BODY)}"
    writer.write(f"POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\n{head}\r\n\r\n".encode() + BODY)
    await reader.readuntil(b'"content"')
    begun.append(None)
    text = await reader.readuntil(b"0\r\n\r\n")
    writer.close()
    if b"[DONE]" not in text:
        raise RuntimeError(text.decode(errors="replace"))
