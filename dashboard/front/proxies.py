"""Whether requests come through a proxy that nobody named: then all clients have the proxy's address, in the back-off
of the sign-in, in the audit log and where memory is shared out by address.

The first request of a day that says so is noted in the data directory, where `manage.py doctor` reads it, and logged.
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
AGAIN_S = 86_400.0  # a process notes the same kind of peer once a day
OLD = timedelta(days=7)  # a proxy that was not seen for so long is gone


@dataclass(frozen=True, slots=True)
class Sighting:
    """The peer that sent X-Forwarded-For, and when it was first seen that day."""

    peer: str
    at: datetime

    def __str__(self) -> str:
        """What is so, and what to do about it."""
        return _(
            "%(peer)s sends X-Forwarded-For and is not named in BREAKEVEN_TRUSTED_PROXIES, so all clients behind it "
            "count as one address. If it is your proxy, set BREAKEVEN_TRUSTED_PROXIES=%(peer)s and start again "
            "(docs/how-to/run-behind-tls.md); if no proxy of yours stands there, somebody made the header up"
        ) % {"peer": self.peer}


class Proxies:
    """What one web process has seen. It costs a request a look into its headers, and nothing once proxies are named."""

    def __init__(self) -> None:
        self._until: dict[bool, float] = {}  # by whether the peer is near: which none overwrites that is far

    def see(self, peer: str, headers: dict[bytes, bytes]) -> None:
        if settings.TRUSTED_PROXIES or b"x-forwarded-for" not in headers:
            return
        address = parsed(peer)
        if address is None or time.monotonic() < self._until.get(is_near(address), 0.0):
            return
        self._until[is_near(address)] = time.monotonic() + AGAIN_S
        if not is_near(address):
            # Whoever reaches this process from afar can send the header too: it must not hide the proxy beside us.
            before = sighting()
            if before is not None and is_near(parsed(before.peer)):
                return
        seen = Sighting(str(address), datetime.now(UTC))
        log_event(logger, logging.WARNING, "proxy_not_named", address=seen.peer, what=str(seen))
        note(seen)

    def remind(self) -> None:
        """At the start, once: what was noted before and still holds."""
        seen = sighting()
        if seen is not None:
            log_event(logger, logging.WARNING, "proxy_not_named", address=seen.peer, what=str(seen))


def is_near(address: Address | None) -> bool:
    """Whether it is of this machine or network, as a proxy's mostly is."""
    return address is not None and address.is_private


def note(seen: Sighting) -> None:
    """Write it down, whole or not at all, mode 0600; a full disk is no reason to refuse a request."""
    draft = path().with_name(f".{FILE}.{os.getpid()}")
    try:
        draft.write_text(json.dumps({"peer": seen.peer, "at": seen.at.isoformat()}))
        draft.chmod(0o600)
        draft.replace(path())
    except OSError as error:
        log_event(logger, logging.WARNING, "proxy_note_failed", error=error.strerror)


def sighting() -> Sighting | None:
    """What was noted within the last week; None where proxies are named, or none was seen."""
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
