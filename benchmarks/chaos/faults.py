"""What is done to a running stack: one function for each fault, which returns once the fault is over."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from benchmarks.stack import Stack
from dashboard.embedded.postgres import Postgres

FROZEN_S = 10.0
FULL_S = 8.0


def parts(stack: Stack) -> dict[str, psutil.Process]:
    """The processes that `up` started, by what they are."""
    words = {"web": "dashboard.", "gateway": "traffic.gateway", "worker": "worker", "beat": "beat"}
    parts: dict[str, psutil.Process] = {}
    for process in psutil.Process(stack.pid).children():
        with suppress(psutil.NoSuchProcess):
            line = process.cmdline()
            for name, word in words.items():
                if any(argument.startswith(word) for argument in line):
                    parts.setdefault(name, process)
    return parts


def kill(name: str) -> Callable[[Stack], None]:
    return lambda stack: parts(stack)[name].kill()


def web_worker(stack: Stack) -> psutil.Process:
    """granian's own process that serves."""
    return next(child for child in parts(stack)["web"].children() if child.children() or child.num_threads() > 1)


def postgres(stack: Stack) -> psutil.Process:
    pid = Postgres(stack.data / "postgres").pid()
    if pid is None:
        raise RuntimeError("PostgreSQL does not run")
    return psutil.Process(pid)


def kill_postgres(stack: Stack) -> None:
    postgres(stack).kill()


def kill_valkey(stack: Stack) -> None:
    psutil.Process(int((stack.data / "valkey" / "valkey.pid").read_text())).kill()


def kill_both(stack: Stack) -> None:
    kill_postgres(stack)
    kill_valkey(stack)


def freeze_postgres(stack: Stack) -> None:
    server = postgres(stack)
    with frozen([server, *server.children()]):
        time.sleep(FROZEN_S)


def freeze_web(stack: Stack) -> None:
    with frozen([web_worker(stack)]):
        time.sleep(FROZEN_S)


@contextmanager
def frozen(processes: list[psutil.Process]) -> Iterator[None]:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)


def restart_gateway(stack: Stack) -> None:
    """As an operator does, with streams under way."""
    parts(stack)["gateway"].terminate()


def fill_disk(stack: Stack) -> None:
    """Only where the data directory is a small disk of its own."""
    filler = stack.data / "filler"
    try:
        fill(filler)
        time.sleep(FULL_S)
    finally:
        filler.unlink(missing_ok=True)


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"0" * 65536)


FAULTS: dict[str, Callable[[Stack], None]] = {
    "nothing": lambda stack: None,
    "web server killed": kill("web"),
    "web worker killed": lambda stack: web_worker(stack).kill(),
    "gateway killed": kill("gateway"),
    "gateway restarted (SIGTERM)": restart_gateway,
    "worker killed": kill("worker"),
    "beat killed": kill("beat"),
    "Postgres killed": kill_postgres,
    "Valkey killed": kill_valkey,
    "Postgres and Valkey killed": kill_both,
    "Postgres frozen 10 s": freeze_postgres,
    "web worker frozen 10 s": freeze_web,
    "disk full 8 s": fill_disk,
}
