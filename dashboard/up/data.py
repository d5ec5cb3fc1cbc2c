"""The data directory: its lock, its folders, and the processes that an earlier start left behind."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

from dashboard.embedded.servers import write_private
from dashboard.up.refusal import Refused

MARK = "BREAKEVEN_RUN"
LEAST_FREE = 200 * 1024**2  # bytes for a new database, its write-ahead log and an hour of logs


class DataDirectory:
    """`root` with its lock, `run.json` for commands that join the run, and folders for servers and logs."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.postgres = self.root / "postgres"
        self.valkey = self.root / "valkey"
        self.logs = self.root / "logs"
        self.ready = self.root / "ready"
        self.run_file = self.root / "run.json"
        self.demo_file = self.root / "demo-ready.json"
        self.token = secrets.token_hex(16)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the directory; the kernel unlocks it however the process ends. Raises Refused if that fails."""
        self._prepare()
        with (self.root / "up.lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Refused(self._who_holds(lock.name), code=2) from None
            lock.seek(0)
            earlier = _parse(lock.read()).get("run", "")
            self.remove_run_files()
            if earlier:
                stop_marked(earlier)
            lock.truncate(0)
            lock.write(json.dumps({"pid": os.getpid(), "run": self.token}))
            lock.flush()
            try:
                yield
            finally:
                lock.truncate(0)

    def announce(self, environment: Mapping[str, str]) -> None:
        """Write the variables with which other commands join this run, readable by the owner only."""
        replace_private(self.run_file, json.dumps(environment, indent=1))

    def remove_run_files(self) -> None:
        """Remove the files that say that something runs here."""
        for path in (self.run_file, self.demo_file, *self.ready.iterdir()):
            path.unlink(missing_ok=True)

    def _prepare(self) -> None:
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self.postgres, self.valkey, self.logs, self.ready):
                folder.mkdir(mode=0o700, exist_ok=True)
            trial = self.root / f".trial-{self.token}"
            trial.write_bytes(b"0" * 4096)
            trial.unlink()
        except OSError as error:
            raise Refused(self._unusable(error)) from error
        free = shutil.disk_usage(self.root).free
        if free < LEAST_FREE:
            raise Refused(
                f"The disk of the data directory {self.root} has {free // 1024**2} MB free and Breakeven needs "
                f"{LEAST_FREE // 1024**2} MB to start: make room, or pass another directory with --data."
            )

    def _unusable(self, error: OSError) -> str:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        why = "is on a full disk" if full else f"cannot be written ({error.strerror}: {error.filename})"
        advice = "make room" if full else "mend its permissions"
        return f"The data directory {self.root} {why}: {advice}, or pass another directory with --data."

    def _who_holds(self, lock: str) -> str:
        pid = _parse(Path(lock).read_text()).get("pid", "?")
        url = read_run(self.run_file).get("BREAKEVEN_URL", "still starting")
        return (
            f"Breakeven already runs in {self.root} (process {pid}, {url}): "
            "stop that one first, or pass another directory with --data."
        )


def replace_private(path: Path, text: str) -> None:
    """Write `path` atomically with mode 0600, so that a process that waits for it never reads half of it."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    write_private(draft, text)
    draft.replace(path)


def read_run(path: Path) -> dict[str, str]:
    """The variables of a running `up`; empty if none runs."""
    try:
        return _parse(path.read_text())
    except OSError:
        return {}


def stop_marked(token: str, patience: float = 5) -> None:
    """Stop every process that the run with this token started, also those whose parent has ended.

    They are found by a variable in their environment: unlike a process id, no other process can have it later.
    """
    processes = marked(token)
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, stubborn = psutil.wait_procs(processes, timeout=patience)
    for process in {*stubborn, *marked(token)}:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=patience)


def marked(token: str) -> list[psutil.Process]:
    """The running processes with the token in their environment."""
    processes = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == token and process.pid != os.getpid():
                processes.append(process)
    return processes


def _parse(text: str) -> dict[str, str]:
    """A flat JSON object; empty for a text that a crash left incomplete."""
    try:
        content = json.loads(text)
    except ValueError:
        return {}
    return {str(key): str(value) for key, value in content.items()} if isinstance(content, dict) else {}
