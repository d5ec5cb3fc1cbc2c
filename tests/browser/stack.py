"""A whole Breakeven for the browser: `manage.py up` with simulated vendors and a mailbox, or one that runs already."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from dashboard.embedded.servers import free_port
from sandbox.testing import running_sandbox
from tests.browser import seed
from tests.servers import free_environment

BASE = Path(__file__).resolve().parent.parent.parent
START_S, STOP_S = 300, 300  # a stack is ten programs: on a machine with other work their start takes minutes


@dataclass(frozen=True)
class Site:
    """Where it is, and what opens it."""

    url: str
    username: str
    password: str
    api_key: str
    rate_key: str
    seeded: bool  # False: a demo that lives, so that figures move

    def api(self, path: str, **query: str) -> Any:
        """A read of the JSON API."""
        headers = {"authorization": f"Bearer {self.api_key}"}
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=query, headers=headers, timeout=120)
        answer.raise_for_status()
        return answer.json()


@contextmanager
def site(folder: Path, database: str) -> Iterator[Site]:
    """The stack that the file in BREAKEVEN_READY tells of (a demo), else one of our own until the block ends.

    `database` is the URL of one that has its tables already: the stack needs no server of its own, and no migration.
    """
    if known := os.environ.get("BREAKEVEN_READY"):
        ready = json.loads(Path(known).read_text())
        yield Site(ready["url"], **ready["admin"], api_key=ready["api_key"], rate_key=ready["rate_key"], seeded=False)
        return
    data = folder / "var"
    data.mkdir()
    with (
        running_sandbox(maildir=data / "mail") as sandbox,
        up(folder, data, DATABASE_URL=database, EMAIL_URL=f"smtp://127.0.0.1:{sandbox.smtp_port}") as ready,
    ):
        secrets = json.loads(
            manage(data, f"from tests.browser.seed import begin; begin({str(data)!r}, {sandbox.url!r})")
        )
        seed.send_requests(ready["url"], secrets["ingest_key"])
        seed.send_ratings(ready["url"], secrets["rate_key"])
        manage(data, f"from tests.browser.seed import pairs; pairs({ready['url']!r}, {secrets['ingest_key']!r})")
        manage(data, "from tests.browser.seed import rating_work, records; rating_work(); records()")
        with web_with_mailbox(folder, data) as url:
            keys = {name: secrets[name] for name in ("api_key", "rate_key")}
            yield Site(url, **secrets["admin"], **keys, seeded=True)


@contextmanager
def up(folder: Path, data: Path, **variables: str) -> Iterator[dict[str, Any]]:
    """`manage.py up`, which sends its mail to our own sink; gives the ready file's content."""
    ready, log = folder / "ready.json", folder / "up.log"
    ports = ["--port", "0", "--gateway-port", "0"]
    command = [sys.executable, "manage.py", "up", "--data", str(data), *ports, "--ready-file", str(ready)]
    with log.open("wb") as file:
        process = subprocess.Popen(command, cwd=BASE, env=free_environment(**variables), stdout=file, stderr=file)
    try:
        wait(process, log, ready.exists)
        yield json.loads(ready.read_text())
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_S)


@contextmanager
def web_with_mailbox(folder: Path, data: Path) -> Iterator[str]:
    """One more web process on the same stack, which shows what the demo shows: the mailbox and the banner."""
    port, log = free_port(), folder / "web.log"
    variables = {"BREAKEVEN_DATA": str(data), "BREAKEVEN_DEMO": "1", "BREAKEVEN_URL": f"http://127.0.0.1:{port}"}
    granian = Path(sys.executable).parent / "granian"
    command = [
        str(granian),
        "--interface",
        "asgi",
        "dashboard.asgi:application",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*command, "--http", "1", "--no-ws"],
            cwd=BASE,
            env={**free_environment(**variables), "DJANGO_SETTINGS_MODULE": "dashboard.settings"},
            stdout=file,
            stderr=file,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait(process, log, lambda: answers(f"{url}/healthz"))
        yield url
    finally:
        process.terminate()
        process.wait(STOP_S)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=10).status_code == 200
    except httpx.TransportError:
        return False


def wait(process: subprocess.Popen[bytes], log: Path, true: Callable[[], bool]) -> None:
    """Until it is true; fails with the log's end where the process ends before."""
    deadline = time.monotonic() + START_S
    while not true():
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.1)


def manage(data: Path, program: str) -> str:
    """The output of a few lines of Python that join the running stack."""
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "--command", program],
        cwd=BASE, env=free_environment(BREAKEVEN_DATA=str(data)), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
