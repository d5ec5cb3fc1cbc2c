"""Starts and stops the processes of the Procfile together; each line of their output gets the process's name."""

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
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, TextIO

from honcho.colour import get_colours
from honcho.environ import parse_procfile
from honcho.printer import Message, Printer
from honcho.process import Popen

from alerts.context.restarts import last_words
from dashboard.up.refusal import Crashed

LAST_LINES = 20
PATIENCE_UNTOLD = 2.0  # seconds of waiting at a stop before it is reported
LOG_BYTES = 10 * 1024**2  # largest log file; one older file is kept
# The line of granian for a worker that ended by itself; granian starts another one.
WORKER_ENDED = "Unexpected exit from worker"


def procfile(path: Path, names: Collection[str]) -> dict[str, str]:
    """The commands of the processes `names`, in the order of the Procfile."""
    commands: dict[str, str] = parse_procfile(path.read_text()).processes
    return {name: command for name, command in commands.items() if name in names}


class LogFile(RotatingFileHandler):
    """A log file that ignores a full disk; the terminal has its lines too."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Ignore the error: a message for each line that cannot be written would hide the log's own lines."""


@dataclass(eq=False)
class Child:
    """One command with its process, its log file and its last lines of output."""

    name: str
    command: str
    popen: Any
    colour: str
    file: LogFile
    last: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))
    reader: threading.Thread | None = None
    worker_deaths: int = 0  # how many of its own workers ended and were replaced by it
    worker_deaths_told: int = 0
    worker_words: str = ""  # the last line before the newest of these deaths

    @property
    def code(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        code: int | None = self.popen.poll()
        return code

    @property
    def end(self) -> str:
        """How it ended, as the rest of a sentence that begins with its name."""
        if self.code is None:
            return "lost its worker"
        name = signal.Signals(-self.code).name if self.code < 0 else ""
        return f"was ended by {name}" if name else f"ended with exit code {self.code}"


class Processes:
    """A group of processes with a common output. `check` reports a crash, `stop` ends all of them."""

    def __init__(self, logs: Path, environment: Mapping[str, str], cwd: Path, output: TextIO = sys.stdout) -> None:
        self.environment = dict(environment)
        self._cwd = cwd
        self._logs = logs
        self._colours = get_colours()
        self._printer = Printer(output, width=8)
        self._printing = threading.Lock()
        self._children: dict[str, Child] = {}

    def start(self, name: str, command: str, secrets: Mapping[str, str] | None = None) -> None:
        """Start a command in a session of its own; a thread reads its output. Only this command gets `secrets`."""
        file = LogFile(self._logs / f"{name}.log", maxBytes=LOG_BYTES, backupCount=1, delay=True)
        file.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        self._launch(name, command, next(self._colours), file, secrets)

    def restart(self, child: Child) -> None:
        """Start an ended command again with the same log file and colour."""
        self._launch(child.name, child.command, child.colour, child.file)

    def _launch(
        self, name: str, command: str, colour: str, file: LogFile, secrets: Mapping[str, str] | None = None
    ) -> None:
        popen = Popen(command, env={**self.environment, **(secrets or {})}, cwd=str(self._cwd))
        child = self._children[name] = Child(name, command, popen, colour, file)
        child.reader = threading.Thread(target=self._read, args=(child,), daemon=True, name=f"log of {name}")
        child.reader.start()

    def children(self) -> list[Child]:
        """The newest process of each command, running or not."""
        return list(self._children.values())

    def run(self, name: str, command: str, secrets: Mapping[str, str] | None = None) -> None:
        """Run one command to its end. Raises Crashed unless it succeeds."""
        self.start(name, command, secrets)
        while self._children[name].code is None:
            time.sleep(0.02)
        self.check(may_end={name})
        del self._children[name]

    def check(self, may_end: Collection[str] = ()) -> None:
        """Raises Crashed if a process or a worker of one has ended; those in `may_end` may end with success."""
        for child in self._children.values():
            if child.code or (child.code == 0 and child.name not in may_end) or child.worker_deaths:
                raise Crashed(self.obituary(child))

    def say(self, text: str) -> None:
        """Print a line of our own between those of the processes."""
        self._print("up", "", text)

    def stop(
        self, patience: float, longer: Mapping[str, float] | None = None, hurried: Callable[[], bool] = bool
    ) -> None:
        """Ask all processes to end, and after `patience` seconds kill those that remain with all that they started.

        A process in `longer` has that many seconds instead, until `hurried` returns True.
        """
        self.signal(self._alive(), signal.SIGTERM)
        began, announced = time.monotonic(), False
        while alive := self._alive():
            if not announced and time.monotonic() - began > PATIENCE_UNTOLD:
                announced = True
                self.say(f"waiting for {', '.join(child.name for child in alive)}. Ctrl-C again cuts calls under way")
            for child in alive:
                seconds = patience if hurried() else (longer or {}).get(child.name, patience)
                if time.monotonic() - began >= seconds:
                    self.say(f"{child.name} did not stop within {seconds:.0f} s and is killed")
                    self.signal([child], signal.SIGKILL)
                    child.popen.wait()
            time.sleep(0.05)
        # The signal goes to the whole session of each process: that reaches workers whose server has ended already.
        self.signal(self._children.values(), signal.SIGKILL)
        for child in self._children.values():
            if child.reader:
                child.reader.join(1)
            child.file.close()

    def _alive(self) -> list[Child]:
        return [child for child in self._children.values() if child.code is None]

    def signal(self, children: Iterable[Child], number: signal.Signals) -> None:
        """Send a signal to each process and all that it started, even if it has ended itself."""
        for child in children:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.popen.pid, number)

    def has_orphans(self, child: Child) -> bool:
        """Whether something that an ended process started still runs, which may keep the port of its successor."""
        try:
            os.killpg(child.popen.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    def obituary(self, child: Child) -> str:
        """A text that says how a process ended, with its last lines and the path of its log."""
        if child.reader:
            child.reader.join(0.3)  # its last lines may not have been read yet
        last = "\n".join(f"  {line}" for line in child.last)
        return (
            f"{child.name} {child.end}. Its last lines:\n{last or '  (none)'}\nIts whole log: {child.file.baseFilename}"
        )

    def _read(self, child: Child) -> None:
        for raw in iter(child.popen.stdout.readline, b""):
            line = raw.decode(errors="replace").rstrip()
            if WORKER_ENDED in line:
                child.worker_words = last_words(child.last)
                child.worker_deaths += 1
            child.last.append(line)
            self._print(child.name, child.colour, line)
            child.file.emit(logging.makeLogRecord({"msg": line, "created": time.time()}))

    def _print(self, name: str, colour: str, text: str) -> None:
        now = dt.datetime.now().astimezone()
        # Errors of a closed terminal are ignored: else nobody would read the output, and the processes would block.
        with self._printing, contextlib.suppress(OSError, ValueError):
            self._printer.write(Message(type="line", data=text, time=now, name=name, colour=colour))
