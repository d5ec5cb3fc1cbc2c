"""Processes that ended by themselves and were started again: who supervises them writes, alerts and pages read.

A file of the data directory and no table: the database may be what ended. It imports no Django.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

NAME = "restarts.jsonl"
MOST = 200  # entries that are kept
LONGEST = 200  # characters of a last line
LATELY = timedelta(hours=1)


@dataclass(frozen=True)
class Restart:
    """One of them. `how` continues a sentence about the process: "was ended by SIGKILL"."""

    process: str
    at: datetime
    how: str
    last_line: str = ""


def record(directory: Path, restart: Restart) -> None:
    """Adds one and forgets the oldest past 200. Raises OSError where it cannot be written."""
    entries = [*read(directory), restart][-MOST:]
    lines = "".join(json.dumps({**asdict(entry), "at": entry.at.isoformat()}) + "\n" for entry in entries)
    draft = directory / f".{NAME}.{secrets.token_hex(4)}"
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(lines)
        draft.replace(directory / NAME)
    finally:
        draft.unlink(missing_ok=True)


def read(directory: Path) -> list[Restart]:
    """All that are kept, the newest last; none where nothing was ever started again."""
    try:
        text = (directory / NAME).read_text()
    except OSError:
        return []
    entries = []
    for line in text.splitlines():
        with contextlib.suppress(ValueError, KeyError, TypeError):  # a line that somebody edited
            values = json.loads(line)
            at = datetime.fromisoformat(values["at"]).astimezone(UTC)
            entries.append(Restart(str(values["process"]), at, str(values["how"]), str(values["last_line"])))
    return entries


def lately(directory: Path, now: datetime) -> dict[str, list[Restart]]:
    """Those of the last hour by process, the newest last."""
    rows: dict[str, list[Restart]] = {}
    for restart in read(directory):
        if now - LATELY <= restart.at <= now:
            rows.setdefault(restart.process, []).append(restart)
    return rows


def last_words(lines: Iterable[str]) -> str:
    """The newest line that says something and holds no password, short enough for a mail."""
    for line in reversed(list(lines)):
        words = " ".join("".join(c if c.isprintable() else " " for c in line).split())
        if words and "password" not in words.lower():
            return words[:LONGEST]
    return ""
