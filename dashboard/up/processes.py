"""The processes of the Procfile: started together, one prefixed log, stopped together."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, TextIO

from honcho.colour import get_colours
from honcho.environ import parse_procfile
from honcho.printer import Message, Printer
from honcho.process import Popen

from dashboard.up.refusal import Crashed

LAST_LINES = 20
LOG_BYTES = 10 * 1024**2  # of one log file; one older file is kept beside it


def procfile(path: Path, names: Collection[str]) -> dict[str, str]:
    """The commands of `names`, in the Procfile's order."""
    commands: dict[str, str] = parse_procfile(path.read_text()).processes
    return {name: command for name, command in commands.items() if name in names}


class LogFile(RotatingFileHandler):
    """A log file that a full disk does not stop: what it cannot hold is on the terminal."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Says nothing: a complaint per line would drown the log that it complains about."""


@dataclass
class Child:
    """One running command, its log file and the last lines it said."""

    name: str
    popen: Any
    colour: str
    file: LogFile
    last: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))
    reader: threading.Thread | None = None


class Processes:
    """A group of processes with one log. `check` tells of a crash, `stop` leaves none of them."""

    def __init__(self, logs: Path, environment: Mapping[str, str], cwd: Path, output: TextIO = sys.stdout) -> None:
        self.environment = dict(environment)
        self._cwd = cwd
        self._logs = logs
        self._colours = get_colours()
        self._printer = Printer(output, width=8)
        self._printing = threading.Lock()
        self._children: dict[str, Child] = {}

    def start(self, name: str, command: str) -> None:
        """Starts one command in a session of its own; a thread passes on what it says."""
        popen = Popen(command, env=self.environment, cwd=str(self._cwd))
        file = LogFile(self._logs / f"{name}.log", maxBytes=LOG_BYTES, backupCount=1, delay=True)
        file.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        child = self._children[name] = Child(name, popen, next(self._colours), file)
        child.reader = threading.Thread(target=self._read, args=(child,), daemon=True, name=f"log of {name}")
        child.reader.start()

    def run(self, name: str, command: str) -> None:
        """Runs one command to its end; raises Crashed unless it succeeds."""
        self.start(name, command)
        while self._children[name].popen.poll() is None:
            time.sleep(0.02)
        self.check(may_end={name})
        del self._children[name]

    def check(self, may_end: Collection[str] = ()) -> None:
        """Raises Crashed when a process has ended; those of `may_end` may do so with success."""
        for child in self._children.values():
            code = child.popen.poll()
            if code or (code == 0 and child.name not in may_end):
                raise Crashed(self._obituary(child, code))

    def say(self, text: str) -> None:
        """Our own lines among theirs."""
        self._print("up", "", text)

    def stop(self, patience: float) -> None:
        """Asks all to end, and after `patience` seconds kills what is left with everything it started."""
        self._signal(self._alive(), signal.SIGTERM)
        deadline = time.monotonic() + patience
        while self._alive() and time.monotonic() < deadline:
            time.sleep(0.05)
        for child in self._alive():
            self.say(f"{child.name} did not stop within {patience:.0f} s and is killed")
        # The session of each: workers of a server are reached also when it has died before them.
        self._signal(self._children.values(), signal.SIGKILL)
        for child in self._children.values():
            if child.reader:
                child.reader.join(1)
            child.file.close()

    def _alive(self) -> list[Child]:
        return [child for child in self._children.values() if child.popen.poll() is None]

    def _signal(self, children: Collection[Child], number: signal.Signals) -> None:
        for child in children:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.popen.pid, number)

    def _obituary(self, child: Child, code: int) -> str:
        if child.reader:
            child.reader.join(1)  # its last words may still be on their way
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        last = "\n".join(f"  {line}" for line in child.last)
        return f"{child.name} {how}. Its last lines:\n{last or '  (none)'}\nIts whole log: {child.file.baseFilename}"

    def _read(self, child: Child) -> None:
        for raw in iter(child.popen.stdout.readline, b""):
            line = raw.decode(errors="replace").rstrip()
            child.last.append(line)
            self._print(child.name, child.colour, line)
            child.file.emit(logging.makeLogRecord({"msg": line, "created": time.time()}))

    def _print(self, name: str, colour: str, text: str) -> None:
        now = dt.datetime.now().astimezone()
        # A closed terminal must not block the processes, whose output nobody would read then.
        with self._printing, contextlib.suppress(OSError, ValueError):
            self._printer.write(Message(type="line", data=text, time=now, name=name, colour=colour))
