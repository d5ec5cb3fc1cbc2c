"""Ids of held objects while Postgres is away, without a gateway."""

from __future__ import annotations

import asyncio
import logging

import pytest

from traffic.gateway import held_objects
from traffic.gateway.held_objects import HeldObjects
from traffic.gateway.refusals import Refusal

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"


def test_an_id_that_is_never_kept_is_an_event(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(held_objects, "KEEP_AGAIN_S", (0.0, 0.0))

    async def run() -> None:
        objects = HeldObjects(NOWHERE)
        await objects.keep(["file-1"], 7, 1)
        while objects._keeping:
            await asyncio.sleep(0.01)
        objects.close()

    with caplog.at_level(logging.ERROR):
        asyncio.run(run())
    assert "object_not_kept deployment_id=7" in caplog.text


def test_few_calls_wait_for_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_objects, "MOST_WAITERS", 0)

    async def run() -> None:
        objects = HeldObjects(NOWHERE)
        try:
            await objects.ready()
        finally:
            objects.close()

    with pytest.raises(Refusal) as refused:
        asyncio.run(run())
    assert (refused.value.status, refused.value.code) == (503, "not-ready")
