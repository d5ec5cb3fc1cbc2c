"""How much memory the idle stack takes, shared pages counted once (PSS), and how soon it is ready."""

from __future__ import annotations

import contextlib
import time

import psutil

from benchmarks.figures import Figure
from benchmarks.stack import running

SETTLE_S = 15


def measure() -> list[Figure]:
    with running() as stack:
        time.sleep(SETTLE_S)
        total = sum(pss(process) for process in family(stack.pid))
        return [
            Figure("full stack idle, PostgreSQL and Valkey included", total / 2**20, "MiB PSS", target="<= 700 MB"),
            Figure("from start to every process answering", stack.seconds, "s", target="<= 20 s"),
        ]


def family(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def pss(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.NoSuchProcess):
        return int(process.memory_full_info().pss)
    return 0
