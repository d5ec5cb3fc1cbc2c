"""How much memory the web process takes beneath the largest batches that it accepts, of two applications at once."""

from __future__ import annotations

import gzip
import http.client
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import orjson
import psutil

from benchmarks.figures import Figure
from benchmarks.otlp import PROTOBUF, web
from benchmarks.spans import exports
from benchmarks.stack import running
from traffic.ingest.otlp.wire import framed

SECONDS, QUIET_S, LOOK_S = 60.0, 60.0, 0.1
SENDERS = 6  # of each application
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Export:
    """A body, and the headers that tell how it is to be read."""

    body: bytes
    headers: dict[str, str]


@dataclass
class Memory:
    """Resident bytes of the web's largest process, looked at ten times a second until the block ends."""

    processes: list[psutil.Process]
    sizes: list[int] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Memory:
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(LOOK_S):
            self.sizes.append(max(process.memory_info().rss for process in self.processes))


def measure() -> list[Figure]:
    bodies = list(large())
    with running() as stack:
        keys = [stack.manage("create_key", "ingest", "--application", name) for name in ("first", "second")]
        answers: Counter[int | str] = Counter()
        until = time.monotonic() + SECONDS
        senders = [
            threading.Thread(target=send, args=(stack.ready["url"], key, bodies, number, until, answers))
            for number, key in enumerate(keys * SENDERS)
        ]
        with Memory(web(stack)) as memory:
            time.sleep(1)
            idle = memory.sizes[-1]
            for sender in senders:
                sender.start()
            for sender in senders:
                sender.join()
            time.sleep(QUIET_S)
    tally = ", ".join(f"{count} × {status}" for status, count in sorted(answers.items(), key=str))
    what = f"web process under {len(senders)} senders of batches of 8 to 64 MiB ({tally})"
    return [
        Figure("web process, idle", idle / MIB, "MiB"),
        Figure(what, max(memory.sizes) / MIB, "MiB", target="<= 600 MB"),
        Figure("the same a minute later", memory.sizes[-1] / MIB, "MiB", target="<= 200 MB"),
    ]  # fmt: skip


def large() -> Iterator[Export]:
    """Exports as they come and such as are made to take memory: many spans, many attributes, long texts."""
    now = datetime.now(UTC)
    parts = exports(6, 16_000, seed=3, since=now - timedelta(hours=2), span=timedelta(hours=1))  # 9 MB each
    plain = {"Content-Type": PROTOBUF}
    for times in (1, 2, 4, 6):
        yield Export(b"".join(parts[:times]), plain)
    yield Export(gzip.compress(b"".join(parts), 1), {**plain, "Content-Encoding": "gzip"})
    for spans, attributes, text in (
        (200, 1_900, "1"),
        (380, 1_900, "1"),
        (12_000, 15, "a value"),
        (600, 20, "x" * 5_000),
    ):
        written = json_export(spans, attributes, text, now)
        yield Export(written, {"Content-Type": "application/json"})
        yield Export(gzip.compress(written, 1), {"Content-Type": "application/json", "Content-Encoding": "gzip"})
    pairs = b"".join(framed(9, framed(1, b"a%d" % n) + framed(2, b"\x18\x01")) for n in range(1_900))
    calls = b"".join(framed(2, framed(1, n.to_bytes(16)) + framed(2, n.to_bytes(8)) + pairs) for n in range(1, 2_000))
    yield Export(framed(1, framed(2, calls)), plain)


def json_export(spans: int, attributes: int, text: str, now: datetime) -> bytes:
    ns = int(now.timestamp()) * 10**9
    facts = {"operation.name": "chat", "provider.name": "openai", "request.model": "gpt-4o"}
    own = [{"key": f"gen_ai.{name}", "value": {"stringValue": value}} for name, value in facts.items()]
    own += [{"key": f"a{number}", "value": {"stringValue": f"{text}{number}"}} for number in range(attributes)]
    calls = [
        {
            "traceId": f"{number:032x}", "spanId": f"{number:016x}", "name": "chat", "attributes": own,
            "startTimeUnixNano": str(ns - 10**9), "endTimeUnixNano": str(ns),
        }
        for number in range(1, spans + 1)
    ]  # fmt: skip
    return orjson.dumps({"resourceSpans": [{"scopeSpans": [{"spans": calls}]}]})


def send(url: str, key: str, bodies: list[Export], seed: int, until: float, answers: Counter[int | str]) -> None:
    """One after the other, in an order of one's own, and at once again whatever is answered."""
    chance, address = random.Random(seed), urlsplit(url)
    while time.monotonic() < until:
        export = chance.choice(bodies)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=120)
        try:
            connection.request("POST", "/v1/traces", export.body, {**export.headers, "Authorization": f"Bearer {key}"})
            answers[connection.getresponse().status] += 1
        except OSError as error:
            answers[type(error).__name__] += 1
            time.sleep(0.2)
        finally:
            connection.close()
