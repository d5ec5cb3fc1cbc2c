"""Load on every way in, by ids of its own, and what was acknowledged, kept by the fault during which it was."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count, pairwise
from typing import Any
from urllib.parse import urlsplit

import orjson

from benchmarks.chaos.upstream import MODEL
from benchmarks.rows import row
from benchmarks.spans import export

ROWS = 5  # of one post
PACE_S = 0.1
PROBE_EVERY_S = 0.15
EXPORTER_S = 10.0  # the time-out of an exporter of OpenTelemetry
CALL_S = 30.0
SERVICES = ("web", "intake", "gateway")


@dataclass
class Tally:
    """What was acknowledged, by id and fault; when each service answered; posts that were refused, and calls of the
    gateway that were cut or failed."""

    fault: str = ""
    acknowledged: dict[str, str] = field(default_factory=dict)
    answered: dict[str, list[float]] = field(default_factory=lambda: {name: [time.monotonic()] for name in SERVICES})
    cut: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def acknowledge(self, ids: list[str]) -> None:
        self.acknowledged.update(dict.fromkeys(ids, self.fault))

    def longest_gap(self, service: str, since: float, until: float) -> float:
        """Seconds, between two answers that were good."""
        times = [since, *(at for at in self.answered[service] if since < at < until), until]
        return max(later - earlier for earlier, later in pairwise(times))

    def answers(self, service: str, since: float) -> bool:
        return self.answered[service][-1] > since


@dataclass(frozen=True)
class Target:
    """Where the stack is and the keys to it."""

    web: str
    gateway: str
    ingest_key: str
    gateway_key: str


class Load:
    """Threads that send until `stop`; each post is repeated until it is taken, as an exporter does."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.tally = Tally()
        self._numbers = count()
        self._lock = threading.Lock()
        self._sending, self._probing = threading.Event(), threading.Event()
        work: list[Callable[[], None]] = [
            *[self._native] * 2, *[self._otlp] * 2, *[self._call] * 3, *[self._stream] * 4
        ]  # fmt: skip
        self._senders = [threading.Thread(target=self._again, args=(step,), daemon=True) for step in work]
        probes: list[Callable[[], None]] = [
            lambda: self._probe("web", f"{target.web}/login/"),
            lambda: self._probe("gateway", f"{target.gateway}/healthz"),
            self._probe_intake,
        ]
        self._probes = [threading.Thread(target=self._watch, args=(probe,), daemon=True) for probe in probes]

    def start(self) -> None:
        for thread in (*self._senders, *self._probes):
            thread.start()

    def stop(self) -> None:
        """Once everything that was sent is taken or refused for good."""
        self._sending.set()
        for thread in self._senders:
            thread.join(120)
        self._probing.set()
        for thread in self._probes:
            thread.join(EXPORTER_S + 1)

    def _again(self, step: Callable[[], None]) -> None:
        while not self._sending.wait(PACE_S):
            step()

    def _watch(self, probe: Callable[[], None]) -> None:
        while not self._probing.wait(PROBE_EVERY_S):
            probe()

    def _probe(self, service: str, url: str) -> None:
        status, _body = exchange("GET", url, timeout=2)
        if status == 200:
            self.tally.answered[service].append(time.monotonic())

    def _probe_intake(self) -> None:
        if self._post_native(self._rows("p", 1), repeat=False):
            self.tally.answered["intake"].append(time.monotonic())

    def _rows(self, way: str, size: int) -> list[dict[str, Any]]:
        rows = []
        for _ in range(size):
            with self._lock:
                identity = f"cx-{way}-{next(self._numbers):08d}"
            # Too short to be found by its response id: only our own identity keeps it from being stored twice.
            rows.append({**row(random.Random(identity), identity, datetime.now(UTC)), "response_id": identity})
        return rows

    def _native(self) -> None:
        self._post_native(self._rows("n", ROWS), repeat=True)

    def _post_native(self, rows: list[dict[str, Any]], *, repeat: bool) -> bool:
        body = orjson.dumps({"requests": rows})
        return self._post("/api/v1/requests", body, "application/json", [row["id"] for row in rows], repeat=repeat)

    def _otlp(self) -> None:
        rows = self._rows("o", ROWS)
        self._post("/v1/traces", export(rows), "application/x-protobuf", [row["id"] for row in rows], repeat=True)

    def _post(self, path: str, body: bytes, kind: str, ids: list[str], *, repeat: bool) -> bool:
        headers = {"authorization": f"Bearer {self.target.ingest_key}", "content-type": kind}
        while True:
            status, _text = exchange("POST", self.target.web + path, body, headers, timeout=EXPORTER_S)
            if status == 200:
                self.tally.acknowledge(ids)
                return True
            self.tally.refused[self.tally.fault] += 1
            if not repeat or self._probing.is_set():
                return False
            time.sleep(random.uniform(0.2, 0.6))

    def _call(self) -> None:
        status, text = self._complete(stream=False)
        if status == 200 and text.endswith(b"}"):
            self.tally.acknowledge([orjson.loads(text)["id"]])
        else:
            self._broken(status)

    def _stream(self) -> None:
        status, text = self._complete(stream=True)
        if status == 200 and text.rstrip().endswith(b"[DONE]"):
            self.tally.acknowledge([orjson.loads(text.split(b"\n", 1)[0].removeprefix(b"data: "))["id"]])
        else:
            self._broken(status)

    def _broken(self, status: int) -> None:
        """A call whose answer had begun is cut; one that never got a good one has failed."""
        (self.tally.cut if status == 200 else self.tally.failed)[self.tally.fault] += 1

    def _complete(self, *, stream: bool) -> tuple[int, bytes]:
        asked = {"model": MODEL, "stream": stream, "messages": [{"role": "user", "content": "How are you?"}]}
        headers = {"authorization": f"Bearer {self.target.gateway_key}", "content-type": "application/json"}
        url = f"{self.target.gateway}/v1/chat/completions"
        return exchange("POST", url, orjson.dumps(asked), headers, timeout=CALL_S)


def exchange(
    method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None, *, timeout: float
) -> tuple[int, bytes]:
    """Status and body, on a connection of its own; 0 where no answer began, and what came where it broke off."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=timeout)
    status, parts = 0, b""
    try:
        connection.request(method, address.path, body, headers or {})
        answer = connection.getresponse()
        status = answer.status
        while part := answer.read1(65536):
            parts += part
    except (OSError, http.client.HTTPException):
        pass  # what is missing at the end tells
    finally:
        connection.close()
    return status, parts
