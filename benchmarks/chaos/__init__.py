"""Faults under load: each part of a stack is killed or frozen while rows come in every way, and each row that was
acknowledged is looked for afterwards by an identity of its own.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from benchmarks.chaos.faults import FAULTS, parts
from benchmarks.chaos.load import SERVICES, Load, Tally, Target
from benchmarks.chaos.upstream import MODEL, serve
from benchmarks.stack import Stack, running
from dashboard.embedded.servers import free_port

SECONDS = 15.0
CALM_S = 2.0
BACK_S = 90.0  # after which a service that is still away is taken to stay so
SETTLE_S = 60.0  # for rows in spools
FULL_DISK = "disk full 8 s"
BOTH = "Postgres and Valkey killed"  # on a stack of its own: `up` stops at the third death of servers in a minute
DISK_MB = 1200
SETUP = """
from providers.models import Deployment
from traffic.models import Route
own = Deployment.objects.create(
    slug="chaos", name="Chaos", provider="self", engine="vllm", url="{url}", local=True, model="{model}", checked=False
)
Route.objects.all().delete()
Route.objects.create(order=1, slug="chaos", name="Chaos", deployment=own)
"""


@dataclass(frozen=True)
class Outcome:
    """One fault. Seconds are the longest that a service gave no good answer; `worker_mib` is resident memory after."""

    fault: str
    acknowledged: int
    lost: int
    doubled: int
    web_s: float
    intake_s: float
    gateway_s: float
    cut: int
    failed: int
    refused: int
    worker_mib: float


@dataclass(frozen=True)
class Report:
    """The outcomes, what was left out and why, and whether the rollups add up to the rows."""

    outcomes: list[Outcome]
    left_out: list[str]
    audit: str


@dataclass(frozen=True)
class Window:
    """From a moment before a fault until every service answered again; on the monotonic clock."""

    fault: str
    since: float
    until: float
    worker_mib: float


def measure(seconds: float = SECONDS, only: Collection[str] = ()) -> Report:
    """Every fault, or those of `only`, for at least so many seconds each."""
    names = [name for name in FAULTS if not only or name in only]
    outcomes, left_out, audits = [], [], []
    usual = [name for name in names if name not in (FULL_DISK, BOTH)]
    for together in filter(None, (usual, [BOTH] if BOTH in names else [])):
        part, audit = _on_a_stack(together, seconds, None)
        outcomes += part
        audits.append(audit)
    if FULL_DISK in names:
        with small_disk() as folder:
            if folder is None:
                left_out.append(f"{FULL_DISK}: a small disk cannot be mounted on this machine")
            else:
                part, audit = _on_a_stack([FULL_DISK], seconds, folder)
                outcomes += part
                audits.append(audit)
    return Report(outcomes, left_out, "; ".join(dict.fromkeys(audits)))


def _on_a_stack(names: Sequence[str], seconds: float, folder: Path | None) -> tuple[list[Outcome], str]:
    port = free_port()
    upstream = multiprocessing.get_context("spawn").Process(target=serve, args=(port,), daemon=True)
    upstream.start()
    try:
        with running(folder=folder) as stack:
            load = Load(_target(stack, port))
            load.start()
            windows = [_inflict(stack, load.tally, name, seconds) for name in names]
            load.stop()
            counts = _settled(stack, load.tally)
            return [_outcome(window, load.tally, counts) for window in windows], _audit(stack)
    finally:
        upstream.terminate()
        upstream.join()


def _target(stack: Stack, port: int) -> Target:
    stack.python(SETUP.format(url=f"http://127.0.0.1:{port}", model=MODEL))
    ingest = stack.manage("create_key", "ingest", "--application", "chaos")
    # With a cap that is never reached, so that every call asks Valkey.
    gateway = stack.manage("create_key", "gateway", "--application", "chaos", "--cap-requests-per-day", "1000000000")
    time.sleep(3)  # the gateway reads routes and keys every second
    return Target(stack.ready["url"], stack.ready["gateway_url"], ingest, gateway)


def _inflict(stack: Stack, tally: Tally, name: str, seconds: float) -> Window:
    tally.fault = name
    time.sleep(CALM_S)
    since = time.monotonic()
    FAULTS[name](stack)
    over = time.monotonic()
    time.sleep(max(seconds - (over - since), 0))
    asked = time.monotonic()
    while not all(tally.answers(service, asked) for service in SERVICES):
        if time.monotonic() - over > BACK_S:
            break
        time.sleep(0.1)
    worker = parts(stack).get("worker")
    resident = worker.memory_info().rss / 2**20 if worker else 0.0
    return Window(name, since, time.monotonic(), resident)


def _settled(stack: Stack, tally: Tally) -> Counter[str]:
    """How often each id is stored, once all are or the spools had time enough."""
    deadline = time.monotonic() + SETTLE_S
    while True:
        with psycopg.connect(stack.ready["database_url"]) as connection:
            rows = connection.execute(
                "SELECT response_id, count(*) FROM traffic_request"
                " WHERE day >= current_date - 1 AND response_id LIKE 'cx-%' GROUP BY 1"
            ).fetchall()
        counts = Counter({str(identity): int(number) for identity, number in rows})
        if tally.acknowledged.keys() <= counts.keys() or time.monotonic() > deadline:
            return counts
        time.sleep(1)


def _outcome(window: Window, tally: Tally, counts: Counter[str]) -> Outcome:
    ids = [identity for identity, fault in tally.acknowledged.items() if fault == window.fault]
    gaps = [tally.longest_gap(service, window.since, window.until) for service in SERVICES]
    return Outcome(
        window.fault,
        acknowledged=len(ids),
        lost=sum(not counts[identity] for identity in ids),
        doubled=sum(counts[identity] > 1 for identity in ids),
        web_s=gaps[0],
        intake_s=gaps[1],
        gateway_s=gaps[2],
        cut=tally.cut[window.fault],
        failed=tally.failed[window.fault],
        refused=tally.refused[window.fault],
        worker_mib=window.worker_mib,
    )


def _audit(stack: Stack) -> str:
    """Whether rollups and ledger add up to the raw rows, by `manage.py audit`."""
    try:
        stack.manage("audit")
    except subprocess.CalledProcessError as error:
        return f"a difference: {error.stdout.strip()[-500:]}"
    return "no difference."


@contextmanager
def small_disk() -> Iterator[Path | None]:
    """A folder on a disk that can be filled without harm; None where this machine gives none."""
    folder = Path(tempfile.mkdtemp(prefix="breakeven-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=0700", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        yield folder if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=False)
        folder.rmdir()


HEADS = (
    "fault", "acknowledged", "lost", "doubled", "web away, s", "intake away, s", "gateway away, s", "calls cut",
    "calls failed", "worker, MiB",
)  # fmt: skip


def table(report: Report) -> str:
    """Markdown; what a person must look at stands below it."""
    lines = [f"| {' | '.join(HEADS)} |", f"|---|{'---:|' * (len(HEADS) - 1)}", *map(_line, report.outcomes)]
    notes = [f"Left out: {sentence}." for sentence in report.left_out]
    return "\n".join([*lines, "", f"Afterwards `manage.py audit`: {report.audit}", *notes])


def _line(row: Outcome) -> str:
    away = (f"{seconds:.1f}" for seconds in (row.web_s, row.intake_s, row.gateway_s))
    rows = (f"{row.acknowledged:,}", str(row.lost), str(row.doubled))
    return f"| {' | '.join((row.fault, *rows, *away, str(row.cut), str(row.failed), f'{row.worker_mib:.0f}'))} |"
