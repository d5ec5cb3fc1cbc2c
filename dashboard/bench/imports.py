"""Rows a second of a file read as the worker reads it, and the memory that a file eight times as big takes."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dashboard.bench.figures import Figure
from dashboard.bench.rows import batches
from dashboard.bench.stack import MANAGE, Stack, environment, running

SIZE = 1_000
SMALL, BIG = 12, 96  # batches
COLUMNS = ("started_at", "request_id", "provider", "model", "latency_ms", "ttft_ms", "input_tokens", "cached_tokens",
           "output_tokens", "note")  # fmt: skip
NOTE = "x" * 400


def measure() -> list[Figure]:
    with running() as stack:
        small, big = (write(stack.data / f"{count}.csv", count) for count in (SMALL, BIG))
        before, _seconds = bring_in(stack, small)
        after, seconds = bring_in(stack, big)
    return [
        Figure(
            f"import of a CSV of {big.name.split('.')[0]},000 requests, rollups included", BIG * SIZE / seconds,
            "requests/s", target=">= 5,000/s",
        ),
        Figure(
            f"memory at most of the process that reads it ({BIG // SMALL} times the file of the reference)",
            after / 2**20, "MiB RSS", before / 2**20, f"a file of {SMALL},000 requests", "<= 200 MB",
        ),
    ]  # fmt: skip


def write(path: Path, count: int) -> Path:
    """A file as another tool would export it."""
    since = datetime.now(UTC) - timedelta(hours=8)
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for rows in batches(count, SIZE, seed=count, since=since, span=timedelta(hours=7)):
            for row in rows:
                tokens = row["tokens"]
                table.writerow(
                    [row["started_at"], row["response_id"], row["provider"], row["model"], row["latency_ms"],
                     row["ttft_ms"], tokens["uncached_input"] + tokens["cache_read"], tokens["cache_read"],
                     tokens["output"], NOTE]
                )  # fmt: skip
    return path


def bring_in(stack: Stack, path: Path) -> tuple[int, float]:
    """The most memory that a process of its own took, in bytes, and the seconds that reading took it."""
    started = datetime.now(UTC)
    command = [sys.executable, str(MANAGE), "import", str(path)]
    with subprocess.Popen(command, env=environment(stack.data), stdout=subprocess.PIPE, text=True) as process:
        output = process.stdout.read() if process.stdout else ""
        _pid, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode or " 0 with an error" not in output:
        raise RuntimeError(f"the import went wrong: {output[-500:]}")
    return used.ru_maxrss * 1024, (datetime.now(UTC) - started).total_seconds()
