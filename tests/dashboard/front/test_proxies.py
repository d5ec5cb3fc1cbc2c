"""A proxy that nobody named: noted when its first request comes, told by `manage.py doctor` and at the next start."""

from __future__ import annotations

import asyncio
import errno
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.test import override_settings

from dashboard.front.app import Front
from dashboard.front.proxies import FILE, Proxies
from dashboard.management.commands.doctor import CHECKS, Risk

FORWARDED = {b"x-forwarded-for": b"8.8.4.4"}
NAME = "BREAKEVEN_TRUSTED_PROXIES"


@pytest.fixture(autouse=True)
def directory(tmp_path: Path) -> Iterator[Path]:
    with override_settings(DATA_DIR=tmp_path, TRUSTED_PROXIES=[]):
        yield tmp_path


def doctor() -> str:
    """What the doctor says of proxies."""
    return dict(CHECKS)["proxies"]()


def asked(front: Front, peer: str, headers: dict[bytes, bytes]) -> int:
    """The status of `/healthz` for a client that connects from `peer`."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "GET", "path": "/healthz", "raw_path": b"/healthz", "query_string": b"",
        "headers": list(headers.items()), "client": (peer, 1), "server": ("127.0.0.1", 1), "scheme": "http",
        "http_version": "1.1", "root_path": "",
    }  # fmt: skip
    asyncio.run(front(scope, receive, send))
    return int(sent[0]["status"])


def test_the_doctor_warns_when_requests_come_through_a_proxy_that_is_not_named(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert doctor() == "none was seen"
    front = Front(WSGIHandler())
    assert [asked(front, "10.0.0.5", FORWARDED) for _n in range(3)] == [200, 200, 200]
    assert caplog.text.count(f"not in {NAME}") == 1
    with pytest.raises(Risk, match=f"10.0.0.5 sends X-Forwarded-For .* set {NAME}=10.0.0.5"):
        doctor()
    assert (directory / FILE).stat().st_mode & 0o077 == 0
    with override_settings(TRUSTED_PROXIES=[ip_network("10.0.0.5/32")]):
        assert doctor() == "trusted: 10.0.0.5/32"
    assert "proxy_not_named address=10.0.0.5 what=" in caplog.text


def test_requests_without_a_proxy_or_through_a_named_one_are_not_noted(directory: Path) -> None:
    front = Front(WSGIHandler())
    asked(front, "10.0.0.5", {})
    with override_settings(TRUSTED_PROXIES=[ip_network("10.0.0.5/32")]):
        asked(front, "10.0.0.5", FORWARDED)
    assert not (directory / FILE).exists()


def test_a_stranger_who_makes_the_header_up_does_not_hide_the_proxy_beside_us(directory: Path) -> None:
    for peers in (("8.8.8.8", "10.0.0.5"), ("10.0.0.5", "8.8.8.8")):
        (directory / FILE).unlink(missing_ok=True)
        proxies = Proxies()
        for peer in peers:
            proxies.see(peer, FORWARDED)
        with pytest.raises(Risk, match=r"10\.0\.0\.5 sends"):
            doctor()


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"peer": 1, "at": "x"}', "\0"])
def test_an_unreadable_note_of_a_proxy_is_ignored(directory: Path, content: str) -> None:
    (directory / FILE).write_text(content)
    assert doctor() == "none was seen"


def test_the_start_says_once_what_was_noted_before(directory: Path, caplog: pytest.LogCaptureFixture) -> None:
    started(Front(WSGIHandler()))
    assert NAME not in caplog.text
    (directory / FILE).write_text(json.dumps({"peer": "10.0.0.5", "at": datetime.now(UTC).isoformat()}))
    started(Front(WSGIHandler()))
    assert caplog.text.count(f"10.0.0.5 sends X-Forwarded-For and is not in {NAME}") == 1


def test_a_proxy_that_was_not_seen_for_a_week_is_gone(directory: Path) -> None:
    then = datetime.now(UTC) - timedelta(days=8)
    (directory / FILE).write_text(json.dumps({"peer": "10.0.0.5", "at": then.isoformat()}))
    assert doctor() == "none was seen"


def started(front: Front) -> None:
    """Begin and end a web process's life."""
    messages = [{"type": "lifespan.shutdown"}, {"type": "lifespan.startup"}]

    async def receive() -> dict[str, Any]:
        return messages.pop()

    async def send(message: dict[str, Any]) -> None:
        pass

    async def life() -> None:
        await front({"type": "lifespan"}, receive, send)
        await front._loading

    asyncio.run(life())


def test_a_note_that_cannot_be_written_is_a_line_and_no_refusal(
    directory: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", refuse)
    assert asked(Front(WSGIHandler()), "10.0.0.5", FORWARDED) == 200
    assert 'proxy_note_failed error="No space left on device"' in caplog.text
