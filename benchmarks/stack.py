"""A whole Breakeven of the bench's own, started as people start it and stopped when the measurement is done."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from dashboard.embedded.servers import free_port

READY_S, DEMO_READY_S = 180, 900
MANAGE = Path(settings.BASE_DIR) / "manage.py"


@dataclass(frozen=True)
class Stack:
    """Where it is; `seconds` from its start until every process answered."""

    pid: int
    data: Path
    ready: dict[str, Any]
    seconds: float
    variables: dict[str, str]

    @property
    def owner_url(self) -> str:
        """Of the role that may make a table to compare with."""
        url: str = json.loads((self.data / "run.json").read_text())["DATABASE_OWNER_URL"]
        return url

    def manage(self, *arguments: str) -> str:
        """The output of another command that joins this stack."""
        done = subprocess.run(
            [sys.executable, str(MANAGE), *arguments],
            env=environment(self.data) | self.variables,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def python(self, program: str) -> str:
        return self.manage("shell", "--no-imports", "--command", program)


def environment(data: Path) -> dict[str, str]:
    """Nothing of a stack that may be running beside this one."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "LC_ALL")}
    return {**kept, "BREAKEVEN_DATA": str(data)}


@contextmanager
def running(*options: str, folder: Path | None = None, **variables: str) -> Iterator[Stack]:
    """With more options of `up` and variables, its data under `folder`. Raises RuntimeError with the log's end where it
    does not come up."""
    patience = DEMO_READY_S if "--demo" in options else READY_S
    home = Path(tempfile.mkdtemp(prefix="breakeven-bench-", dir=folder))
    data, ready, log = home / "data", home / "ready.json", home / "up.log"
    ports = ["--port", str(free_port()), "--gateway-port", str(free_port())]
    command = [sys.executable, str(MANAGE), "up", "--data", str(data), "--ready-file", str(ready), *ports, *options]
    started = time.monotonic()
    with log.open("wb") as file:
        process = subprocess.Popen(command, env=environment(data) | variables, stdout=file, stderr=file)
    try:
        while not ready.exists():
            if process.poll() is not None or time.monotonic() - started > patience:
                raise RuntimeError(f"the stack did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.05)
        yield Stack(process.pid, data, json.loads(ready.read_text()), time.monotonic() - started, variables)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def serving(module: str) -> Iterator[str]:
    """The address of what a module's `serve(port)` serves in a process of its own, once it has printed a line."""
    port = free_port()
    command = [sys.executable, "-c", f"from {module} import serve; serve({port})"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)
