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
        while objects._unwritten:
            await asyncio.sleep(0.01)
        await objects.close()

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
            await objects.close()

    with pytest.raises(Refusal) as refused:
        asyncio.run(run())
    assert (refused.value.status, refused.value.code) == (503, "not-ready")


def test_what_waits_to_be_written_is_bounded_and_known(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(held_objects, "MOST_UNWRITTEN", 2)
    monkeypatch.setattr(held_objects, "WAIT_S", 0.0)

    async def run() -> tuple[dict[str, int], set[str]]:
        objects = HeldObjects(NOWHERE)
        await objects.keep(["file-1", "fi\0le", "x" * 201, "file-2", "file-3"], 7, 1)
        mine, waiting = await objects.owned(["file-1", "file-2"], None, 1), set(objects._unwritten)
        for others in ((["file-1"], None, 2), (["file-1"], 8, 1)):
            with pytest.raises(Refusal):  # only Postgres could know
                await objects.owned(*others)
        await objects.close()
        return mine, waiting

    with caplog.at_level(logging.ERROR):
        assert asyncio.run(run()) == ({"file-1": 7, "file-2": 7}, {"file-1", "file-2"})
    assert "object_not_kept deployment_id=7" in caplog.text
