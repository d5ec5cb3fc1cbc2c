"""Delivery of what waits in the outbox, and a port at which nobody listens."""

from __future__ import annotations

import socket
from datetime import timedelta

from alerts.delivery import outbox
from tests.alerts.conftest import Scene


def deliver(scene: Scene, seconds: float = 0) -> outbox.Delivered:
    scene.now += timedelta(seconds=seconds)
    return outbox.deliver(clock=lambda: scene.now)


def closed_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
