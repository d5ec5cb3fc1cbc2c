"""What tests of vendors share: the sandbox on loopback, and a server that says exactly what a test wants."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.testing import Sandbox, running_sandbox
from tests.providers.answers import Answers


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Every simulated vendor, empty, on a free port."""
    with running_sandbox() as running:
        yield running


@pytest.fixture
def answers() -> Iterator[Answers]:
    """A server that answers what the test puts into it."""
    with Answers() as running:
        yield running
