"""The dead letters of the spool: lines that Postgres cannot take, each with the reason, in a file.

Gateways add to it, an erasure and the retention take out of it, each under its lock.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import msgspec

from lib.repeated_events import log_repeated
from traffic.ingest.rows import RequestRow

logger = logging.getLogger(__name__)

SET_ASIDE = "set-aside.jsonl"


def set_aside(path: Path, line: bytes, reason: str) -> None:
    """Keep a line with the reason why it cannot be stored."""
    details = {"file": path, "bytes": len(line)}  # the reason may quote the row
    log_repeated(logger, logging.ERROR, "call_set_aside", details=details)
    text = line.decode("utf-8", "replace")
    entry = msgspec.json.encode({"at": datetime.now(UTC), "reason": reason, "line": text}) + b"\n"
    with _locked(path, "ab") as file:
        file.write(entry)


def remove(path: Path, goes: Callable[[bytes], bool]) -> int:
    """Take out the lines of which `goes` says so; returns how many. A file that is left empty goes too."""
    try:
        with _locked(path, "rb") as file:
            lines = file.read().splitlines(keepends=True)
            remaining = [line for line in lines if not goes(line)]
            if not remaining:
                path.unlink()
            elif len(remaining) < len(lines):
                draft = path.with_suffix(".new")
                with open(draft, "wb", opener=_private) as written:
                    written.writelines(remaining)
                draft.replace(path)
    except FileNotFoundError:
        return 0
    return len(lines) - len(remaining)


def is_older(line: bytes, than: datetime) -> bool:
    """Whether a line was set aside before that moment; one without a moment goes by when its call began.

    One that tells neither is nobody's any more, and old.
    """
    try:
        entry = msgspec.json.decode(line, type=_Entry)
        began = entry.at or msgspec.json.decode(entry.line, type=RequestRow).started_at
    except (msgspec.DecodeError, UnicodeDecodeError):
        return True
    return began < than


class _Entry(msgspec.Struct):
    line: str = ""
    at: datetime | None = None


@contextmanager
def _locked(path: Path, mode: str) -> Iterator[IO[bytes]]:
    """The file with its lock held; opened anew where another one has put a shorter one in its place meanwhile."""
    while True:
        with open(path, mode, opener=_private) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file.fileno()).st_nlink:
                yield file
                return


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
