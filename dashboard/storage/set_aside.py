"""Calls of the gateway that could not be stored: lines of its spool that no attempt can move, each with the reason."""

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
    """How many there are, when the last one came, and why that one could not be stored."""

    calls: int
    last_at: datetime
    reason: str


def path() -> Path:
    """Of the gateways that share our data directory; another machine's has its own."""
    return Path(settings.DATA_DIR) / "spool" / SET_ASIDE


def set_aside() -> SetAside | None:
    """None where every call was stored."""
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
    """Empty where the line, perhaps longer than was read, says none."""
    try:
        entry = msgspec.json.decode(line)
    except msgspec.DecodeError:
        return ""
    reason = entry.get("reason") if isinstance(entry, dict) else None
    return "".join(str(reason or "").strip().splitlines()[:1])[:LONGEST_REASON]
