"""Calls a second through the gateway, every one logged, beside the same calls straight to the upstream and through a
bare relay of aiohttp, which neither reads nor logs anything.

The ways are loaded in turns, so that what else the machine does falls on all of them. The load comes from `wrk` where
that is installed (Debian has it), else from a client of Python.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
import orjson
import psutil
from aiohttp import web

from benchmarks.figures import Figure
from benchmarks.memory import family, pss
from benchmarks.stack import Stack, environment, running
from dashboard.embedded.servers import free_port

CLIENTS = 8
ROUNDS = 5
TURN_S = 3.0
CAPS = ("--cap-requests-per-day", "1000000000", "--cap-tokens-per-day", "1000000000000")  # never reached
BODY = orjson.dumps(
    {"model": "bench", "max_tokens": 20, "messages": [{"role": "user", "content": "How are you? " * 8}]}
)
MODELS = orjson.dumps({"object": "list", "data": [{"id": "bench", "object": "model"}]})  # which LiteLLM asks for
SETUP = """
from providers.models import Deployment
from traffic.models import Route
own = Deployment.objects.create(
    slug="bench", name="Bench", provider="self", engine="vllm", url="{url}", local=True, model="{model}", checked=False
)
Route.objects.all().delete()
Route.objects.create(order=1, slug="bench", name="Bench", deployment=own)
"""
SCRIPT = """
wrk.method = "POST"
wrk.body = io.open("{body}", "rb"):read("*a")
{headers}
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format("\\n%d %d %f %f %d", summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(99), errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""
STRAIGHT, RELAY, OURS, CAPPED, TWO = "straight", "relay", "ours", "capped", "two"


@dataclass(frozen=True)
class Way:
    """Where calls are sent, with which key and what more of headers, and by which processes they are passed on."""

    port: int
    key: str
    pids: tuple[int, ...]
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def headers(self) -> dict[str, str]:
        return {"content-type": "application/json", "authorization": f"Bearer {self.key}", **self.more}

    def processor_s(self) -> float:
        """Processor time of them and their children so far."""
        times = [process.cpu_times() for pid in self.pids for process in family(pid)]
        return sum(time.user + time.system for time in times)


@dataclass(frozen=True)
class Turn:
    """One load: calls a second, the ms that a call took, and those of one processor that it took of its way."""

    rate: float
    median_ms: float
    p99_ms: float
    processor_ms: float = 0.0


Peers = Callable[[int], AbstractContextManager[Mapping[str, Way]]]


def measure(peers: Peers = lambda upstream: nullcontext({})) -> list[Figure]:
    """With other gateways in front of the same upstream, where there are some, by name."""
    port, relay_port = free_port(), free_port()
    with ExitStack() as things:
        upstream = things.enter_context(process_of(serve, port))
        relaying = things.enter_context(process_of(relay, relay_port, port))
        stack = things.enter_context(running())
        stack.python(SETUP.format(url=f"http://127.0.0.1:{port}", model="bench"))
        key = stack.manage("create_key", "gateway", "--application", "bench")
        capped = stack.manage("create_key", "gateway", "--application", "bench", *CAPS)
        ours, alone = things.enter_context(gateways(stack, 1))
        two, both = things.enter_context(gateways(stack, 2))
        others = things.enter_context(peers(port))
        time.sleep(3)  # the gateway reads routes and keys every second
        ways = {
            STRAIGHT: Way(port, key, (upstream,)),
            RELAY: Way(relay_port, key, (relaying,)),
            OURS: Way(ours, key, alone),
            CAPPED: Way(ours, capped, alone),
            TWO: Way(two, key, both),
            **others,
        }
        for way in ways.values():
            warm_up(way)
        many = in_turns(ways, CLIENTS)
        del ways[TWO]
        few = in_turns(ways, 1)
        return [*throughput(many), *latency(few), *of_others(others, many, few)]


def by_the_minute(minutes: int, seconds: float = 60.0) -> Iterator[Figure]:
    """One load without a break: of each minute the calls a second and the 99th percentile of what they took, and the
    memory at its end, beside those of the first. Each when it is over."""
    port = free_port()
    with ExitStack() as things:
        things.enter_context(process_of(serve, port))
        stack = things.enter_context(running())
        stack.python(SETUP.format(url=f"http://127.0.0.1:{port}", model="bench"))
        key = stack.manage("create_key", "gateway", "--application", "bench")
        ours, alone = things.enter_context(gateways(stack, 1))
        time.sleep(3)  # the gateway reads routes and keys every second
        yield from each_minute(Way(ours, key, alone), minutes, seconds)


def each_minute(way: Way, minutes: int, seconds: float) -> Iterator[Figure]:
    first: tuple[float, float, float] | None = None
    for number in range(1, minutes + 1):
        turn = load(way, CLIENTS, seconds)
        memory = sum(pss(process) for pid in way.pids for process in family(pid)) / 2**20
        first = first or (turn.rate, turn.p99_ms, memory)
        what = f"every call logged, {CLIENTS} clients", "99th percentile of its calls", "memory of the gateway"
        units = "calls/s", "ms", "MiB PSS"
        for words, value, unit, beside in zip(what, (turn.rate, turn.p99_ms, memory), units, first, strict=True):
            yield Figure(f"minute {number}: {words}", value, unit, beside, "minute 1")


def in_turns(ways: dict[str, Way], clients: int) -> dict[str, list[Turn]]:
    turns: dict[str, list[Turn]] = {name: [] for name in ways}
    for _round in range(ROUNDS):
        for name, way in ways.items():
            turns[name].append(load(way, clients, TURN_S))
    return turns


def throughput(turns: dict[str, list[Turn]]) -> list[Figure]:
    rates = {way: statistics.median(turn.rate for turn in of_way) for way, of_way in turns.items()}

    def figure(what: str, way: str, beside: str, words: str, target: str = "") -> Figure:
        return Figure(f"{what}, {CLIENTS} clients", rates[way], "calls/s", rates[beside], words, target)

    processor = {way: statistics.median(turn.processor_ms for turn in of_way) for way, of_way in turns.items()}
    return [
        figure("bare relay of aiohttp, no call logged", RELAY, STRAIGHT, "straight to the upstream"),
        figure("gateway, one process, every call logged", OURS, RELAY, "the bare relay", ">= 0.6 of the relay"),
        figure("the same with hard caps of calls and tokens", CAPPED, OURS, "without caps"),
        figure("gateway, two processes on one port", TWO, OURS, "one process"),
        Figure(
            "processor time of a call in the gateway, its row included",
            processor[OURS],
            "ms",
            processor[RELAY],
            "of the bare relay, no row",
        ),
        Figure("the same with hard caps", processor[CAPPED], "ms", processor[OURS], "without caps"),
        Figure("load of the machine meanwhile", os.getloadavg()[0], "processes ready to run"),
    ]


def latency(turns: dict[str, list[Turn]]) -> list[Figure]:
    """Of one client, as the median over the rounds."""
    ours, relayed = (added(turns, way, STRAIGHT) for way in (OURS, RELAY))
    tail, its_tail = (statistics.median(turn.p99_ms for turn in turns[way]) for way in (OURS, RELAY))
    by_caps = added(turns, CAPPED, OURS)
    return [
        Figure("added at the median, one client", ours, "ms", relayed, "by the bare relay", "<= 2 times the relay's"),
        Figure("99th percentile, one client", tail, "ms", its_tail, "the bare relay", "<= 3 ms"),
        Figure("added by hard caps at the median, one client", by_caps, "ms", target="<= 0.3 ms"),
    ]


def of_others(names: Iterable[str], many: dict[str, list[Turn]], alone: dict[str, list[Turn]]) -> Iterator[Figure]:
    """The same of each other gateway, beside ours."""
    for name in names:
        rate, processor, tail = (
            [statistics.median(getattr(turn, what) for turn in turns[way]) for way in (name, OURS)]
            for turns, what in ((many, "rate"), (many, "processor_ms"), (alone, "p99_ms"))
        )
        yield Figure(
            f"{name}, no call logged, {CLIENTS} clients", rate[0], "calls/s", rate[1], "ours, every call logged"
        )
        yield Figure(f"{name}: processor time of a call", processor[0], "ms", processor[1], "ours, its row included")
        extra = [added(alone, way, STRAIGHT) for way in (name, OURS)]
        yield Figure(f"{name}: added at the median, one client", extra[0], "ms", extra[1], "by ours")
        yield Figure(f"{name}: 99th percentile, one client", tail[0], "ms", tail[1], "ours")


def added(turns: dict[str, list[Turn]], way: str, beside: str) -> float:
    """Milliseconds: the median over the rounds of the difference of the two medians of a round."""
    pairs = zip(turns[way], turns[beside], strict=True)
    return statistics.median(turn.median_ms - other.median_ms for turn, other in pairs)


def warm_up(way: Way) -> None:
    """A load that is not counted, after one call that may take its time: LiteLLM's first takes more than a second.

    Raises RuntimeError on any but 200.
    """
    asyncio.run(by_python(way, 1, 0))
    load(way, CLIENTS, 1)


def load(way: Way, clients: int, seconds: float) -> Turn:
    """So many clients, each with one connection and one call after the other. Raises RuntimeError on any but 200."""
    before = way.processor_s()
    if shutil.which("wrk"):
        turn = by_wrk(way, clients, seconds)
    else:
        times = sorted(asyncio.run(by_python(way, clients, seconds)))
        median, tail = (times[len(times) * part // 100] * 1000 for part in (50, 99))
        turn = Turn(len(times) / seconds, median, tail)
    return replace(turn, processor_ms=(way.processor_s() - before) * 1000 / (turn.rate * seconds))


def by_wrk(way: Way, clients: int, seconds: float) -> Turn:
    with tempfile.TemporaryDirectory() as folder:
        body, script = Path(folder) / "body.json", Path(folder) / "calls.lua"
        body.write_bytes(BODY)
        headers = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in way.headers.items())
        script.write_text(SCRIPT.format(body=body, headers=headers))
        command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds:.0f}s", "-s", str(script)]
        url = f"http://127.0.0.1:{way.port}/v1/chat/completions"
        output = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    calls, micros, median, tail, errors = map(float, output.splitlines()[-1].split())
    if errors or not calls:
        raise RuntimeError(output)
    return Turn(calls / micros * 1e6, median / 1000, tail / 1000)


async def by_python(way: Way, clients: int, length_s: float) -> list[float]:
    """Seconds of each call, of which every client makes one at least."""
    headers = "".join(f"{name}: {value}\r\n" for name, value in way.headers.items())
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\n{headers}content-length: {len(BODY)}\r\n\r\n"
    request, end = head.encode() + BODY, time.perf_counter() + length_s
    return [
        t for times in await asyncio.gather(*(client(way.port, request, end) for _ in range(clients))) for t in times
    ]


async def client(port: int, request: bytes, end: float) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    times: list[float] = []
    while not times or time.perf_counter() < end:
        started = time.perf_counter()
        writer.write(request)
        await read_message(reader, b"HTTP/1.1 200")
        times.append(time.perf_counter() - started)
    writer.close()
    return times


async def read_message(reader: asyncio.StreamReader, *begins: bytes) -> bytes:
    """The body of a message, empty where it says no length. Raises RuntimeError where it begins with none of these."""
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(begins):
        raise RuntimeError(head.decode(errors="replace"))
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return await reader.readexactly(int(length or 0))


@contextmanager
def process_of(work: Callable[..., None], *arguments: object) -> Iterator[int]:
    """A server in a process of its own; its id."""
    process = multiprocessing.get_context("spawn").Process(target=work, args=arguments, daemon=True)
    process.start()
    try:
        yield process.pid or 0
    finally:
        process.terminate()
        process.join()


@contextmanager
def gateways(stack: Stack, number: int) -> Iterator[tuple[int, tuple[int, ...]]]:
    """So many more processes of the gateway on one port of their own, beside that of the stack; the port and their
    ids."""
    port = free_port()
    command = [sys.executable, "-m", "traffic.gateway.serve", "--port", str(port)]
    processes = [subprocess.Popen(command, env=environment(stack.data)) for _ in range(number)]
    try:
        for process in processes:
            until_listening(process.pid)
        yield port, tuple(process.pid for process in processes)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(60)


def until_listening(pid: int, patience_s: float = 60.0) -> None:
    """Raises TimeoutError."""
    end = time.monotonic() + patience_s
    while not any(each.status == psutil.CONN_LISTEN for each in psutil.Process(pid).net_connections("tcp")):
        if time.monotonic() > end:
            raise TimeoutError(f"the gateway of process {pid} does not listen")
        time.sleep(0.1)


def serve(port: int) -> None:
    """An upstream that answers at once: what it takes itself is the reference."""
    asyncio.run(answer_all(port))


async def answer_all(port: int) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = 0
        try:
            while True:
                call = await read_message(reader, b"POST", b"GET")
                number += 1
                body = answer_of(f"chatcmpl-{id(writer)}-{number:012d}") if call else MODELS
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
                )
                writer.write(body)
        except (asyncio.IncompleteReadError, ConnectionError, RuntimeError):
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


def relay(port: int, upstream: int) -> None:
    """The least that a gateway of Python does: aiohttp's server passes each call to aiohttp's client."""
    url = f"http://127.0.0.1:{upstream}/v1/chat/completions"

    async def application() -> web.Application:
        session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), auto_decompress=False)

        async def pass_on(request: web.Request) -> web.Response:
            headers = {"content-type": request.headers["content-type"]}
            async with session.post(url, data=await request.read(), headers=headers) as answer:
                return web.Response(body=await answer.read(), status=answer.status, headers=answer.headers)

        relaying = web.Application()
        relaying.router.add_post("/v1/chat/completions", pass_on)
        return relaying

    web.run_app(application(), host="127.0.0.1", port=port, print=None, access_log=None)
