"""The sandbox in a thread on a free port, for tests of whatever talks to vendors."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from aiohttp import web

from providers.connectors import CONNECTORS
from providers.connectors.base import AccountConfig
from sandbox.anthropic import ADMIN_KEY
from sandbox.google import TABLE
from sandbox.lambda_cloud import KEY as LAMBDA_KEY
from sandbox.mail import start_sink
from sandbox.recorded import KEY as RECORDED_KEY
from sandbox.recorded import Recorded
from sandbox.runpod import KEY as RUNPOD_KEY
from sandbox.server import build_app
from sandbox.state import State, utc_now
from sandbox.vast import KEY as VAST_KEY

SECRETS = {"anthropic": ADMIN_KEY, "runpod": RUNPOD_KEY, "vast": VAST_KEY, "lambda": LAMBDA_KEY}
SIMULATED = {*SECRETS, "google"}


class Sandbox:
    """A running sandbox. `url` has no trailing slash."""

    def __init__(self, url: str, state: State) -> None:
        self.url = url
        self.state = state
        self.smtp_port = 0
        self._google: str | None = None

    def config(self, kind: str, **changes: Any) -> AccountConfig:
        """An account that works here."""
        known: dict[str, Any] = {"base_url": f"{self.url}/{kind}", "local": True, "timeout": 5.0, "pause": _no_pause}
        known["secret"] = SECRETS.get(kind, RECORDED_KEY)
        if kind == "google":
            known |= {"secret": self._service_account(), "settings": {"billing_table": TABLE}}
        return AccountConfig(**(known | changes))

    def _service_account(self) -> str:
        """Google's key is a file, made once per sandbox."""
        if self._google is None:
            self._google = httpx.get(f"{self.url}/google/service-account.json").raise_for_status().text
        return self._google

    def load(self, vendor: str, data: dict[str, Any]) -> None:
        answer = httpx.put(f"{self.url}/state/{vendor}", json=data, timeout=30)
        answer.raise_for_status()

    def belongs_to(self, vendor: str, id_: str | int) -> None:
        """From now on the vendor reports this id of itself: its key is another organisation's."""
        self.state.put(vendor, "account", {"identity": {"id": id_}})

    def fault(self, vendor: str, kind: str, *, for_s: float | None = None, count: int | None = None) -> None:
        httpx.post(
            f"{self.url}/faults", json={"vendor": vendor, "kind": kind, "for_s": for_s, "count": count}
        ).raise_for_status()

    def clear_faults(self) -> None:
        httpx.delete(f"{self.url}/faults").raise_for_status()


@contextmanager
def running_sandbox(
    *,
    now: datetime | None = None,
    path: Path | None = None,
    engine_url: str = "",
    pace: float = 0.0,
    strict: bool = False,
    maildir: Path | None = None,
    recorded: Path | None = None,
) -> Iterator[Sandbox]:
    """Serve the sandbox on loopback until the block ends, with the SMTP sink where there is a `maildir`.

    With `now` its clock stands still there; vendors that nobody simulates answer what is `recorded` of them.
    """
    state = State(path, clock=(lambda: now) if now else utc_now)
    played = [Recorded(state, kind, recorded) for kind in CONNECTORS if kind not in SIMULATED] if recorded else []
    app = build_app(state, engine_url=engine_url, pace=pace, strict=strict, more=played)
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    thread = threading.Thread(target=loop.run_forever, name="sandbox", daemon=True)
    thread.start()
    try:
        port = asyncio.run_coroutine_threadsafe(_start(runner), loop).result(10)
        sandbox = Sandbox(f"http://127.0.0.1:{port}", state)
        if maildir is not None:
            sink = asyncio.run_coroutine_threadsafe(start_sink(maildir, "127.0.0.1", 0), loop).result(10)
            sandbox.smtp_port = sink.sockets[0].getsockname()[1]
        yield sandbox
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
        state.close()


def _no_pause(seconds: float) -> None:
    """The sandbox is not strict about the seconds between two calls unless a test wants it so."""


async def _start(runner: web.AppRunner) -> int:
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port: int = runner.addresses[0][1]
    return port
