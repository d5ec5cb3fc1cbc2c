"""Calls of the gateway that could not be stored: lines of its spool that failed for good, each with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from django.conf import settings

from traffic.gateway.aside import SET_ASIDE

LONGEST_REASON = 300
AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class SetAside:
    """How many calls were set aside, when the last one was, and why that one could not be stored."""

    calls: int
    last_at: datetime
    reason: str


def path() -> Path:
    """The file of the gateways that use our data directory; a gateway on another machine has its own."""
    return Path(settings.DATA_DIR) / "spool" / SET_ASIDE


def set_aside() -> SetAside | None:
    """The calls that were set aside; None if every call was stored."""
    try:
        with path().open("rb") as file:
            calls, end, last = 0, b"", b""
            while part := file.read(AT_ONCE):
                calls += part.count(b"\n")
                end = (end + part)[-AT_ONCE:]
            if lines := end.splitlines():
                last = lines[-1]
            written = datetime.fromtimestamp(path().stat().st_mtime, UTC)
    except FileNotFoundError:
        return None
    return SetAside(calls, written, reason_of(last)) if calls else None


def reason_of(line: bytes) -> str:
    """The reason in a line; empty without one, or if the line is longer than what was read."""
    try:
        entry = msgspec.json.decode(line)
    except msgspec.DecodeError:
        return ""
    reason = entry.get("reason") if isinstance(entry, dict) else None
    return "".join(str(reason or "").strip().splitlines()[:1])[:LONGEST_REASON]
