"""What a failed poll leaves: nothing that only a search for garbage would find."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone

from providers.connectors.base import ConnectorError
from providers.models import Feed
from providers.polling import due
from providers.polling.services import poll
from sandbox.testing import Sandbox, running_sandbox
from tests.providers.rows import account


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with running_sandbox() as running:
        yield running


@pytest.fixture
def uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("fault", ["garbage", "500", "html", "truncated", "429", "down"])
@pytest.mark.parametrize("vendor", ["anthropic", "runpod"])
def test_a_failed_poll_frees_its_error_and_with_it_the_answer(
    db: Any, sandbox: Sandbox, uncollected: None, vendor: str, fault: str
) -> None:
    account(sandbox, vendor)
    sandbox.fault(vendor, fault, for_s=60)
    assert not any(poll(feed) for feed in due.claim(timezone.now()))
    assert not Feed.objects.filter(failures=0).exists()
    assert [error for error in gc.get_objects() if isinstance(error, ConnectorError)] == []
