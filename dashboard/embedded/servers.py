"""What both embedded servers need: a free port, a process that outlives no one, a readable failure."""

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
    """A server cannot run here; the text is the sentence to show."""


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on now; a racing taker is the caller's to survive.

    Below the range from which the system gives ports to outgoing connections, where it can be: one of them could take
    the port before the server that it is meant for listens.
    """
    below = range(10_240, first_outgoing_port())
    for port in [*random.sample(below, k=min(50, len(below))), 0]:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            chosen: int = probe.getsockname()[1]
            return chosen
    raise ServerError("No TCP port of the loopback is free.")


def first_outgoing_port() -> int:
    """Where the system's range of ports for outgoing connections begins; Linux' default where it cannot be read."""
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:
        return 32_768


def launch(command: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Starts `command` in a session of its own, so that Ctrl-C in the terminal reaches only who started it."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, env=env
        )


def wait_until(
    answers: Callable[[], bool], process: subprocess.Popen[bytes], name: str, log: Path, seconds: float
) -> None:
    """Returns when `answers()` does with true; raises ServerError when the process ends or `seconds` have passed."""
    deadline = time.monotonic() + seconds
    while not answers():
        if process.poll() is not None:
            raise ServerError(f"{name} stopped while starting (exit {process.returncode}).\n{tail(log)}")
        if time.monotonic() > deadline:
            raise ServerError(f"{name} does not answer after {seconds:.0f} s.\n{tail(log)}")
        time.sleep(0.03)


def tail(log: Path, lines: int = 20) -> str:
    """The last lines of a log file, empty where there is none."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def gone(process: psutil.Process, seconds: float) -> bool:
    """Whether the process has ended within `seconds`, be it a child of ours or not."""
    with contextlib.suppress(psutil.NoSuchProcess):
        try:
            process.wait(seconds)
        except psutil.TimeoutExpired:
            return False
    return True


def write_private(path: Path, text: str) -> None:
    """Writes a file that holds a secret, readable by its owner alone from its first moment."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
