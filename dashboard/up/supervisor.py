"""Restarts a process that ends after everything was ready; the other processes keep running."""

from __future__ import annotations

import signal
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from alerts.context.restarts import Restart, last_words, record
from dashboard.up.processes import Child, Processes
from dashboard.up.ready import Probe
from dashboard.up.refusal import Crashed
from lib.events import line_of

DEATHS, WITHIN_S = 5, 300.0  # this many deaths of one process within these seconds end the run
FIRST_WAIT_S = 1.0  # doubled with each death within that time
# Children of a dead process have this long to end their work; then they are killed, as they may hold its port.
ORPHANS_S = 2.0


@dataclass
class Fallen:
    """A process that has ended and waits for its restart; times are on the monotonic clock."""

    child: Child
    restart_at: float
    kill_at: float
    last_line: str
    killed: bool = False


class Supervisor:
    """Restarts processes; call `look` a few times a second. Raises Crashed if a process ends too often."""

    def __init__(
        self,
        processes: Processes,
        data: Path,
        probes: Mapping[str, Probe],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._processes = processes
        self._data = data
        self._probes = probes
        self._clock = clock
        self._deaths: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=DEATHS))
        self._fallen: dict[str, Fallen] = {}
        self._starting: dict[str, float] = {}  # restart time by name, until the process answers

    def look(self) -> None:
        for child in self._processes.children():
            self._count_workers(child)
            if child.name in self._fallen:
                self._attend(self._fallen[child.name])
            elif child.code is not None:
                self._bury(child)
        for name in list(self._starting):
            self._greet(name)

    def note(self, process: str, how: str, last_line: str) -> None:
        """Record a restart for the alert and the Overview."""
        try:
            record(self._data, Restart(process, datetime.now(UTC), how, last_line))
        except OSError as error:
            self._processes.say(f"that {process} was started again cannot be written down: {error}")

    def _bury(self, child: Child) -> None:
        obituary = self._processes.obituary(child)
        wait = self._count(child.name, obituary)
        self._processes.say(f"{obituary}\nIt is started again in {wait:.0f} s. The others go on.")
        now, last_line = self._clock(), last_words(child.last)
        self._processes.signal([child], signal.SIGTERM)
        self._fallen[child.name] = Fallen(child, now + wait, now + ORPHANS_S, last_line)
        self._starting.pop(child.name, None)

    def _count(self, name: str, obituary: str) -> float:
        """Count a death; returns the seconds until the restart. Raises Crashed with `obituary` at the limit."""
        now, deaths = self._clock(), self._deaths[name]
        deaths.append(now)
        lately = sum(now - death < WITHIN_S for death in deaths)
        if lately >= DEATHS:
            raise Crashed(f"{obituary}\nIt has ended {lately} times within {WITHIN_S / 60:.0f} minutes.")
        return FIRST_WAIT_S * 2.0 ** (lately - 1)

    def _attend(self, fallen: Fallen) -> None:
        """Restart a process at its time, once its children have ended or were killed (a zombie holds no port)."""
        child, now = fallen.child, self._clock()
        if not fallen.killed and now >= fallen.kill_at and self._processes.has_orphans(child):
            self._processes.signal([child], signal.SIGKILL)
            fallen.killed, fallen.restart_at = True, max(fallen.restart_at, now + 0.2)
        elif now >= fallen.restart_at and (fallen.killed or not self._processes.has_orphans(child)):
            del self._fallen[child.name]
            (self._data / "ready" / child.name).unlink(missing_ok=True)
            self._processes.restart(child)
            self._starting[child.name] = now
            self._processes.say(line_of("process_restarted", {"process": child.name, "how": child.end}))
            self.note(child.name, child.end, fallen.last_line)

    def _count_workers(self, child: Child) -> None:
        """Count workers that ended. Their server has replaced them, which costs less than restarting the server."""
        ended = child.worker_deaths - child.worker_deaths_told
        if not ended or child.code is not None:
            return
        child.worker_deaths_told += ended
        for _ in range(ended):
            self._count(child.name, self._processes.obituary(child))
            self.note(child.name, child.end, child.worker_words)
        self._processes.say(f"{child.name} {child.end} and has started another one")

    def _greet(self, name: str) -> None:
        probe = self._probes.get(name)
        if probe is None or probe.ask() is None:
            seconds = self._clock() - self._starting.pop(name)
            self._processes.say(f"{name} answers again {seconds:.1f} s after its start")
