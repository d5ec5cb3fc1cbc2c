"""Functions of both embedded servers: a free port, starting and waiting for a process, readable errors."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil


class ServerError(Exception):
    """A server cannot run here; the text is a sentence for a person."""


def free_port() -> int:
    """A TCP port of the loopback that is free now. Another program may take it before the caller listens on it.

    If possible it is below the range of ports for outgoing connections, because one of those could take it as well.
    """
    below = range(10_240, first_outgoing_port())
    for port in [*random.sample(below, k=min(50, len(below))), 0]:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            chosen: int = probe.getsockname()[1]
            return chosen
    raise ServerError("No TCP port of the loopback is free.")


def first_outgoing_port() -> int:
    """The first port of the system's range for outgoing connections; Linux' default if it cannot be read."""
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:
        return 32_768


def launch(command: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own, so that Ctrl-C in the terminal does not reach it."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, env=env
        )


def wait_until(
    answers: Callable[[], bool], process: subprocess.Popen[bytes], name: str, log: Path, seconds: float
) -> None:
    """Return when `answers()` is true. Raises ServerError if the process ends, or after `seconds`."""
    deadline = time.monotonic() + seconds
    while not answers():
        if process.poll() is not None:
            raise ServerError(f"{name} stopped while starting (exit {process.returncode}).\n{tail(log)}")
        if time.monotonic() > deadline:
            raise ServerError(f"{name} does not answer after {seconds:.0f} s.\n{tail(log)}")
        time.sleep(0.03)


def tail(log: Path, lines: int = 20) -> str:
    """The last lines of a log file; empty if there is none."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def gone(process: psutil.Process, seconds: float) -> bool:
    """Wait `seconds` at most for the end of a process, which need not be a child; returns whether it ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        try:
            process.wait(seconds)
        except psutil.TimeoutExpired:
            return False
    return True


def write_private(path: Path, text: str) -> None:
    """Write a file with a secret; it is readable by its owner only from the moment of its creation."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
