"""`manage.py demo`: the demo company at work on a running stack; `up --demo` starts it."""

from __future__ import annotations

import logging
import os
import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from demo.client import DemoError
from demo.run import Addresses, Demo, utc_now
from traffic.comparisons import services as comparisons


def web_url() -> str:
    """Our own web process on this machine; BREAKEVEN_URL may name a proxy before it."""
    port = os.environ.get("PORT")
    return f"http://127.0.0.1:{port}" if port else str(settings.BASE_URL)


class Command(BaseCommand):
    help = "Loads the demo company's history into a running `up --demo`, then goes on at its pace until it is stopped."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO or not settings.SANDBOX_URL:
            raise CommandError("There is no demo to join: start one with `manage.py up --demo`.")
        # A line for each of the 226 choices would push the address to open, printed just before, off the screen.
        logging.getLogger(comparisons.__name__).setLevel(logging.WARNING)
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        addresses = Addresses(web_url(), settings.GATEWAY_URL, settings.SANDBOX_URL)
        try:
            Demo(settings.DATA_DIR, addresses, self.stdout.write, stop, utc_now()).run()
        except DemoError as error:
            raise CommandError(str(error)) from error
