"""Detects a proxy that is not in BREAKEVEN_TRUSTED_PROXIES. Behind one all clients seem to have the proxy's address, in
the back-off of the sign-in, in the audit log and in the memory budgets by address.

The first such request of a day is logged and noted in the data directory, where `manage.py doctor` reads it.
"""

from __future__ import annotations

import json
import logging
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from lib.client_address import Address, parsed
from lib.events import log_event

logger = logging.getLogger(__name__)

FILE = "unnamed-proxy.json"
AGAIN_S = 86_400.0  # a process notes a kind of peer (near or far) once a day
OLD = timedelta(days=7)  # a proxy that was not seen for this long counts as gone


@dataclass(frozen=True, slots=True)
class Sighting:
    """The peer that sent X-Forwarded-For, and when it was first seen on that day."""

    peer: str
    at: datetime

    def __str__(self) -> str:
        """A sentence with the finding and what to do about it."""
        return _(
            "%(peer)s sends X-Forwarded-For and is not in BREAKEVEN_TRUSTED_PROXIES. All clients behind it count as "
            "one address. If it is your proxy, set BREAKEVEN_TRUSTED_PROXIES=%(peer)s and restart "
            "(docs/how-to/run-behind-tls.md). If you have no proxy there, the header is forged"
        ) % {"peer": self.peer}


class Proxies:
    """The peers that one web process has seen. It looks into each request's headers until proxies are named."""

    def __init__(self) -> None:
        self._until: dict[bool, float] = {}  # by `is_near`, until when a peer of that kind is not noted again

    def see(self, peer: str, headers: dict[bytes, bytes]) -> None:
        if settings.TRUSTED_PROXIES or b"x-forwarded-for" not in headers:
            return
        address = parsed(peer)
        if address is None or time.monotonic() < self._until.get(is_near(address), 0.0):
            return
        self._until[is_near(address)] = time.monotonic() + AGAIN_S
        if not is_near(address):
            # Any client on the internet can send the header: its note must not replace that of a proxy near us.
            before = sighting()
            if before is not None and is_near(parsed(before.peer)):
                return
        seen = Sighting(str(address), datetime.now(UTC))
        log_event(logger, logging.WARNING, "proxy_not_named", address=seen.peer, what=str(seen))
        note(seen)

    def remind(self) -> None:
        """Log once at the start what was noted before and is still valid."""
        seen = sighting()
        if seen is not None:
            log_event(logger, logging.WARNING, "proxy_not_named", address=seen.peer, what=str(seen))


def is_near(address: Address | None) -> bool:
    """Whether the address is private (this machine or network), as a proxy's mostly is."""
    return address is not None and address.is_private


def note(seen: Sighting) -> None:
    """Write the note atomically with mode 0600. An error is only logged: a full disk must not fail the request."""
    draft = path().with_name(f".{FILE}.{os.getpid()}")
    try:
        draft.write_text(json.dumps({"peer": seen.peer, "at": seen.at.isoformat()}))
        draft.chmod(0o600)
        draft.replace(path())
    except OSError as error:
        log_event(logger, logging.WARNING, "proxy_note_failed", error=error.strerror)


def sighting() -> Sighting | None:
    """The note of the last week; None without one, or if proxies are named."""
    if settings.TRUSTED_PROXIES:
        return None
    try:
        stored = json.loads(path().read_text())
        seen = Sighting(str(stored["peer"]), datetime.fromisoformat(stored["at"]))
        return seen if datetime.now(UTC) - seen.at < OLD and parsed(seen.peer) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def path() -> Path:
    return Path(settings.DATA_DIR) / FILE
