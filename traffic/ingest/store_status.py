"""Whether this process could store requests when it last tried, and the sentence of a 503."""

from __future__ import annotations

import logging
import time

import psycopg
from django.utils.translation import gettext as _

from lib.events import log_event

logger = logging.getLogger(__name__)

FULL_S = 10.0  # for so long a full disk is taken for full, unless something could be stored since

_stored_at = _full_at = float("-inf")
_away = False  # whether the last try failed


def stored() -> None:
    """A batch was committed."""
    global _stored_at, _full_at, _away
    _stored_at, _full_at = time.monotonic(), float("-inf")
    if _away:
        _away = False
        log_event(logger, logging.INFO, "ingest_recovered")


def failed(error: BaseException) -> None:
    """A batch was not."""
    global _full_at, _away
    full = is_full(error)
    if full:
        _full_at = time.monotonic()
    if not _away:  # said once, not for each batch that comes meanwhile
        _away = True
        log_event(
            logger, logging.WARNING, "ingest_stopped", reason="disk_full" if full else "database_away",
            error=type(error).__name__,
        )  # fmt: skip


def is_full(error: BaseException | None) -> bool:
    """Whether it is the database's disk that is at fault; Django's errors have the driver's as their cause."""
    return isinstance(error, psycopg.errors.DiskFull) or (error is not None and is_full(error.__cause__))


def seconds_since_stored() -> float:
    return time.monotonic() - _stored_at


def disk_is_full() -> bool:
    """Whether the last try met a full disk, a moment ago."""
    return time.monotonic() - _full_at < FULL_S


def send_again(error: BaseException) -> str:
    """The sentence of a 503."""
    if is_full(error):
        return _("The disk of the database is full. Send the same again when there is room.")
    return _("The database is not available. Send the same again in a moment.")
