"""The run itself: senders side by side, every answer judged, and what was found."""

from __future__ import annotations

import itertools
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from benchmarks.fuzz import cases, wire
from benchmarks.fuzz.actors import Cast
from benchmarks.fuzz.watch import Watch, ends

SENDERS = 6
SLOWEST_S = 1.0  # of any `/healthz`
FITS = 503  # the one 5xx that is a promise: come again
# The gateway's own words of an engine that did not answer; what the engine itself answered has no such word.
UPSTREAM = b"upstream-"
SHOWN = 40  # findings that are printed; more of the same teach nothing


@dataclass(frozen=True, slots=True)
class Finding:
    """What one case showed; `number` repeats it."""

    number: int
    what: str
    kind: str
    actor: str
    line: str

    def __str__(self) -> str:
        return f"case {self.number} ({self.kind}, {self.actor}): {self.what}   {self.line}"


@dataclass
class Campaign:
    """A seed's cases against one stack; `answers` counts status codes by kind of case."""

    seed: int
    ground: cases.Ground
    cast: Cast
    ports: dict[str, int]
    findings: list[Finding] = field(default_factory=list)
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    slow: list[float] = field(default_factory=list)

    def run(self, seconds: float, say: Callable[[str], None], *, first: int = 0, most: int | None = None) -> None:
        """Send until the time is over or `most` cases are through; a person shut out signs in again."""
        numbers, until = itertools.count(first), time.monotonic() + seconds
        lock = threading.Lock()

        def work() -> None:
            while time.monotonic() < until:
                with lock:
                    number = next(numbers)
                if most is not None and number >= first + most:
                    return
                self.one(number)

        threads = [threading.Thread(target=work, name=f"sender {n}") for n in range(SENDERS)]
        for thread in threads:
            thread.start()
        reported_at = time.monotonic()
        while any(thread.is_alive() for thread in threads):
            time.sleep(0.2)
            if time.monotonic() - reported_at > 60:
                reported_at = time.monotonic()
                say(f"{sum(self.answers.values())} cases, {len(self.findings)} findings")
                self._restore(say)

    def one(self, number: int) -> wire.Answer:
        """Send one case and judge what came back."""
        case = cases.make(self.seed, number, self.ground, self.cast.actors, self.ports)
        patience = wire.PATIENCE_S if case.request.whole else wire.PATIENCE_LIED_S
        answer = wire.exchange(self.ports[case.to], case.request.octets(), source=case.actor.source, patience=patience)
        self.answers[case.kind, str(answer.status)] += 1
        self.slow.append(answer.seconds)
        if what := judge(case.request, answer):
            line = f"{case.to} {case.request.method} {case.request.target[:160]!r}"
            self.findings.append(Finding(number, what, case.kind, case.actor.name, line))
        return answer

    def _restore(self, say: Callable[[str], None]) -> None:
        """What the cases did to their own senders is undone."""
        try:
            self.cast.restore()
        except Exception as error:
            say(f"The senders could not be made anew: {error}")


def judge(request: wire.Request, answer: wire.Answer) -> str:
    """What is wrong with an answer in words, empty where nothing is."""
    if answer.status is None:
        return f"no answer within {answer.seconds:.0f} s" if request.whole and not answer.hung_up else _cut(request)
    if answer.status >= 500 and answer.status != FITS and not of_an_engine(answer):
        return f"status {answer.status}"
    if answer.status == FITS and not of_an_engine(answer) and not answer.header(b"retry-after"):
        return "503 without Retry-After"
    return ""


def of_an_engine(answer: wire.Answer) -> bool:
    """Whether the gateway passes an engine's own error on, or says that the engine gave none."""
    said = answer.header(b"x-breakeven-error")
    return said.startswith(UPSTREAM) if said else bool(answer.header(b"x-breakeven-deployment"))


def _cut(request: wire.Request) -> str:
    """A whole and small request is answered; one that is not may be hung up on."""
    return "hung up without an answer" if request.whole and len(request.octets()) < 60_000 else ""


def table(campaign: Campaign, watch: Watch) -> str:
    """Answers by kind, the slowest `/healthz`, and each process's memory."""
    kinds = sorted({kind for kind, _status in campaign.answers})
    statuses = sorted({status for _kind, status in campaign.answers})
    lines = ["| case | " + " | ".join(statuses) + " |", "|---" * (len(statuses) + 1) + "|"]
    rows = ([kind, *(str(campaign.answers[kind, status] or "") for status in statuses)] for kind in kinds)
    lines += [f"| {' | '.join(row)} |" for row in rows]
    lines += ["", "| /healthz | asked | median ms | slowest ms |", "|---|---|---|---|"]
    for probe in watch.probes:
        middle, slowest = statistics.median(probe.seconds or [0]) * 1e3, max(probe.seconds, default=0) * 1e3
        lines.append(f"| {probe.name} | {len(probe.seconds)} | {middle:.1f} | {slowest:.0f} |")
    lines += ["", "| process | warm MiB | at the end MiB | most MiB |", "|---|---|---|---|"]
    for name, sizes in watch.memory.items():
        early, late = ends(sizes)
        lines.append(f"| {name} | {early / 2**20:.0f} | {late / 2**20:.0f} | {max(sizes, default=0) / 2**20:.0f} |")
    return "\n".join(lines)


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None, "the ready file's addresses name their ports"
    return port
