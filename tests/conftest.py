"""What every test may ask for; the database is started by `tests.settings`, once per run."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from dashboard.embedded.valkey import Valkey
from tests.servers import home, servers


def pytest_configure() -> None:
    # A time limit around the suite sends SIGTERM, on which Python would end without stopping the servers.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_unconfigure() -> None:
    servers.stop()


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """A queue of this worker's own, or the one that REDIS_URL names."""
    if url := os.environ.get("REDIS_URL"):
        yield url
        return
    valkey = Valkey(home() / f"valkey-{os.getpid()}")
    yield valkey.start()
    valkey.stop()
