"""Calls a second through the gateway, every one logged, beside the same calls straight to the upstream."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from urllib.parse import urlsplit

import orjson

from benchmarks.figures import Figure
from benchmarks.stack import running
from dashboard.embedded.servers import free_port

CLIENTS = 8
SECONDS = 6.0
CAPS = ("--cap-requests-per-day", "1000000000", "--cap-tokens-per-day", "1000000000000")  # never reached
BODY = orjson.dumps(
    {"model": "bench", "max_tokens": 20, "messages": [{"role": "user", "content": "How are you? " * 8}]}
)
SETUP = """
from providers.models import Deployment
from traffic.models import Route
own = Deployment.objects.create(
    slug="bench", name="Bench", provider="self", engine="vllm", url="{url}", local=True, model="bench", checked=False
)
Route.objects.all().delete()
Route.objects.create(order=1, slug="bench", name="Bench", deployment=own)
"""


def measure() -> list[Figure]:
    port = free_port()
    upstream = multiprocessing.get_context("spawn").Process(target=serve, args=(port,), daemon=True)
    upstream.start()
    try:
        with running() as stack:
            stack.python(SETUP.format(url=f"http://127.0.0.1:{port}"))
            key = stack.manage("create_key", "gateway", "--application", "bench")
            capped = stack.manage("create_key", "gateway", "--application", "bench", *CAPS)
            gateway_port = urlsplit(stack.ready["gateway_url"]).port or 0
            time.sleep(3)  # the gateway reads routes and keys every second
            straight, alone = (asyncio.run(load(port, n, SECONDS / 2, key)) for n in (CLIENTS, 1))
            asyncio.run(load(gateway_port, CLIENTS, 1, key))
            through, single = (asyncio.run(load(gateway_port, n, SECONDS, key)) for n in (CLIENTS, 1))
            held = asyncio.run(load(gateway_port, CLIENTS, SECONDS, capped))
            # In turns, so that what else the machine does falls on both.
            turns = [asyncio.run(load(gateway_port, 1, SECONDS / 6, k)) for _ in range(6) for k in (key, capped)]
    finally:
        upstream.terminate()
        upstream.join()
    return [
        Figure(
            f"gateway, one process, {CLIENTS} clients, every call logged", len(through) / SECONDS, "calls/s",
            len(straight) / (SECONDS / 2), "straight to the upstream", ">= 2,000/s",
        ),
        Figure(
            "added at the median with one client", (median(single) - median(alone)) * 1000, "ms", target="<= 0.8 ms"
        ),
        Figure(
            f"the same with hard caps of calls and tokens, {CLIENTS} clients", len(held) / SECONDS, "calls/s",
            len(through) / SECONDS, "without caps",
        ),
        added_by_caps(turns[::2], turns[1::2]),
    ]  # fmt: skip


def added_by_caps(without: list[list[float]], with_caps: list[list[float]]) -> Figure:
    """What caps add to a call with one client: the median over turns of the difference of their medians."""
    pairs = zip(without, with_caps, strict=True)
    added = median([median(capped) - median(plain) for plain, capped in pairs]) * 1000
    return Figure("added by hard caps at the median with one client", added, "ms", target="<= 0.3 ms")


def median(times: list[float]) -> float:
    return sorted(times)[len(times) // 2]


async def load(port: int, clients: int, seconds: float, key: str) -> list[float]:
    """Seconds of each call of so many clients, one after the other on a connection each. Raises on any but 200."""
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(BODY)}\r\n\r\n"
    ).encode()
    end = time.perf_counter() + seconds
    return [
        t for times in await asyncio.gather(*(client(port, head + BODY, end) for _ in range(clients))) for t in times
    ]


async def client(port: int, request: bytes, end: float) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    times = []
    while (started := time.perf_counter()) < end:
        writer.write(request)
        await read_message(reader, b"HTTP/1.1 200")
        times.append(time.perf_counter() - started)
    writer.close()
    return times


async def read_message(reader: asyncio.StreamReader, begins: bytes) -> bytes:
    """The body of a message that says its length. Raises RuntimeError where it begins otherwise."""
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(begins):
        raise RuntimeError(head.decode(errors="replace"))
    length = head.lower().split(b"content-length:")[1].split(b"\r\n")[0]
    return await reader.readexactly(int(length))


def serve(port: int) -> None:
    """An upstream that answers at once: what it takes itself is the reference."""
    asyncio.run(answer_all(port))


async def answer_all(port: int) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = 0
        try:
            while True:
                await read_message(reader, b"POST")
                number += 1
                body = answer_of(f"chatcmpl-{id(writer)}-{number:012d}")
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
                )
                writer.write(body)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port)
    await server.serve_forever()


def answer_of(identity: str) -> bytes:
    message = {"role": "assistant", "content": "Very well, thank you."}
    return orjson.dumps(
        {
            "id": identity, "object": "chat.completion", "created": 1, "model": "bench",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": 40, "completion_tokens": 6, "total_tokens": 46},
        }
    )  # fmt: skip
