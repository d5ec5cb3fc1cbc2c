"""Rows a second of a file read as the worker reads it, and the memory that a file many times as big takes.

`BENCH_IMPORT_MB` says how big the file is (10,000 is the real run, and takes twice that on disk); without it 60 MB.
`BENCH_IMPORT_NOTE` says how many characters of text stand beside each request's figures; without it 400, as labels do.
Files of a proxy that keeps messages have thousands.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.stack import MANAGE, Stack, environment, running

MB = 10**6
SMALL = 7 * MB  # bytes
BIG = int(os.environ.get("BENCH_IMPORT_MB", "60")) * MB
COLUMNS = "started_at,request_id,provider,model,latency_ms,ttft_ms,input_tokens,cached_tokens,output_tokens,note\n"
NOTE = "x" * int(os.environ.get("BENCH_IMPORT_NOTE", "400"))
LINE = 100 + len(NOTE)  # bytes of a line, and a little more
DAYS = 20
MODELS = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-4-5")


def measure() -> list[Figure]:
    with running() as stack:
        before = bring_in(stack, write(stack.data / "small.csv", SMALL, "s"))
        after = bring_in(stack, write(stack.data / "big.csv", BIG, "b"))
    rows, seconds, memory = after
    return [
        Figure(
            f"import of a CSV of {BIG // MB:,} MB, {rows:,} requests, rollups included", rows / seconds, "requests/s",
            before[0] / before[1], f"of {SMALL // MB} MB", ">= 5,000/s",
        ),
        Figure("10 GB at this pace", 10_000 * MB / BIG * seconds / 3600, "hours"),
        Figure(
            f"memory at most of the process that reads it ({BIG // SMALL} times the file of the reference)",
            memory / 2**20, "MiB RSS", before[2] / 2**20, f"a file of {SMALL // MB} MB", "<= 200 MB",
        ),
    ]  # fmt: skip


def write(path: Path, size: int, prefix: str) -> Path:
    """A file of that many bytes as another tool would export it, in the order of time over some days."""
    since = datetime.now(UTC).replace(microsecond=0) - timedelta(days=DAYS)
    step = timedelta(days=DAYS - 1) / (size // LINE)
    with path.open("w") as file:
        written, n = file.write(COLUMNS), 0
        while written < size:
            at = (since + n * step).isoformat()
            read = n % 900
            written += file.write(
                f"{at},{prefix}{n:020d},anthropic,{MODELS[n % 3]},{900 + n % 4099},{90 + n % 700},{read + n % 1999},"
                f"{read},{n % 600},{NOTE}\n"
            )
            n += 1
    return path


def bring_in(stack: Stack, path: Path) -> tuple[int, float, int]:
    """The rows, the seconds that reading took, and the most memory that a process of its own took, in bytes."""
    started = time.monotonic()
    command = [sys.executable, str(MANAGE), "import", str(path)]
    most = 0
    with subprocess.Popen(command, env=environment(stack.data), stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            most = max(most, most_memory(process.pid))
            time.sleep(0.05)
        output = process.stdout.read() if process.stdout else ""
    done = re.search(r"import \d+: ([0-9,]+) new, 0 here before, 0 left out, 0 with an error", output)
    if process.returncode or done is None:
        raise RuntimeError(f"the import went wrong: {output[-500:]}")
    path.unlink()
    return int(done[1].replace(",", "")), time.monotonic() - started, most


def most_memory(pid: int) -> int:
    """The most that a process has had so far, in bytes; what its parent had before it began is not its own.

    The kernel's figure at a process's end would be the parent's where that is larger.
    """
    try:
        return int(re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[0]) * 1024
    except (OSError, IndexError):
        return 0  # it has just ended
