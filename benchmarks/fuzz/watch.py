"""What must hold while requests come in: every `/healthz` answers in time, no process dies, none grows for good."""

from __future__ import annotations

import http.client
import statistics
import threading
import time
from dataclasses import dataclass, field

import psutil

PROBE_S, MEMORY_S = 0.25, 2.0
# By what stands on their command line; of several the sum, as a server's workers come and go.
PROCESSES = {
    "web": "dashboard.asgi",
    "gateway": "traffic.gateway.app",
    "worker": "dashboard worker",
    "beat": "dashboard beat",
}
WARM = 0.3  # of the time, in which caches and pools fill
GROWTH = 1.15
SLACK = 24 * 2**20  # bytes; an arena more or less


@dataclass
class Probe:
    """Seconds that one `/healthz` took, each time it was asked."""

    name: str
    port: int
    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def ask(self) -> None:
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/healthz")
            status = connection.getresponse().status
            if status != 200:
                self.failures.append(f"/healthz of {self.name}: {status}")
        except (OSError, http.client.HTTPException) as error:
            self.failures.append(f"/healthz of {self.name}: {error!r}")
        finally:
            connection.close()
        self.seconds.append(time.monotonic() - began)


class Watch:
    """Threads of their own beside the senders; `stop` ends them."""

    def __init__(self, pid: int, ports: dict[str, int]) -> None:
        self.pid = pid
        self.probes = [Probe(name, port) for name, port in ports.items()]
        self.memory: dict[str, list[int]] = {name: [] for name in PROCESSES}
        self.pids: dict[str, set[int]] = {name: set() for name in PROCESSES}
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._probe, args=(probe,), daemon=True) for probe in self.probes]
        self._threads.append(threading.Thread(target=self._measure, daemon=True))

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(15)

    def _probe(self, probe: Probe) -> None:
        while not self._stop.wait(PROBE_S):
            probe.ask()

    def _measure(self) -> None:
        while not self._stop.wait(MEMORY_S):
            sizes = dict.fromkeys(PROCESSES, 0)
            for name, process in running(self.pid):
                try:
                    sizes[name] += process.memory_info().rss
                    self.pids[name].add(process.pid)
                except psutil.NoSuchProcess:
                    continue
            for name, size in sizes.items():
                self.memory[name].append(size)

    def findings(self, slowest_s: float) -> list[str]:
        """What did not hold, each in a sentence."""
        findings = [failure for probe in self.probes for failure in probe.failures]
        findings += [
            f"/healthz of {probe.name} took {max(probe.seconds):.2f} s, more than {slowest_s:g} s."
            for probe in self.probes
            if max(probe.seconds, default=0) > slowest_s
        ]
        for name, pids in self.pids.items():
            alive = {process.pid for found, process in running(self.pid) if found == name}
            if gone := pids - alive:
                findings.append(f"{name}: {len(gone)} of its processes ended.")
        for name, sizes in self.memory.items():
            early, late = ends(sizes)
            if sizes and not any(sizes):
                findings.append(f"{name} was not there to be watched.")
            if grows(sizes):
                findings.append(f"{name} grew from {early / 2**20:.0f} to {late / 2**20:.0f} MiB after it was warm.")
        return findings


def running(pid: int) -> list[tuple[str, psutil.Process]]:
    """The processes of a stack that are watched, by name."""
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        try:
            line = " ".join(process.cmdline())
        except psutil.NoSuchProcess:
            continue
        found += [
            (name, process) for name, words in PROCESSES.items() if words in line and not line.startswith("/bin/sh")
        ]
    return found


def ends(sizes: list[int]) -> tuple[float, float]:
    """Bytes when it was warm and at the end, each the median of a tenth of the time."""
    if not sizes:
        return 0.0, 0.0
    tenth, warm = max(len(sizes) // 10, 1), int(len(sizes) * WARM)
    return statistics.median(sizes[warm : warm + tenth]), statistics.median(sizes[-tenth:])


def grows(sizes: list[int]) -> bool:
    early, late = ends(sizes)
    return late > early * GROWTH + SLACK
