"""`manage.py sandbox`: the simulated vendors and the SMTP sink of the demo."""

from __future__ import annotations

import asyncio
import os
import signal
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from aiohttp import web
from django.core.management.base import BaseCommand

from sandbox.mail import start_sink
from sandbox.server import build_app
from sandbox.state import State


class Command(BaseCommand):
    help = "Serve the simulated vendors on loopback (and the SMTP sink, when it has a port)."
    requires_system_checks: list[str] = []  # it needs no table, and starts before the migrations have run

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=int(os.environ.get("SANDBOX_PORT", 0)))
        parser.add_argument("--smtp-port", type=int, default=int(os.environ.get("SMTP_SINK_PORT", 0)))
        parser.add_argument("--engine", default=os.environ.get("ENGINE_URL", ""), help="URL behind /engine")

    def handle(self, *args: Any, **options: Any) -> None:
        asyncio.run(self._serve(options))

    async def _serve(self, options: dict[str, Any]) -> None:
        data = os.environ.get("BREAKEVEN_DATA")
        state = State(Path(data) / "sandbox.sqlite3" if data else None)
        runner = web.AppRunner(build_app(state, engine_url=options["engine"]), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        await web.TCPSite(runner, options["host"], options["port"]).start()
        self.stdout.write(f"sandbox on http://{options['host']}:{runner.addresses[0][1]}")
        sink = None
        if data and options["smtp_port"]:
            sink = await start_sink(Path(data) / "mail", options["host"], options["smtp_port"])
        await _until_signal()
        if sink is not None:
            sink.close()
        await runner.cleanup()
        state.close()


async def _until_signal() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
