"""Checks whether data can be stored now. Strangers can read `/readyz`, so details are written to the log only."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from django.conf import settings
from django.http import JsonResponse
from django.utils.translation import gettext as _

from dashboard.health.heart import Heart
from dashboard.http.database_away import first_line
from lib.disk import disk_of
from lib.events import log_event
from lib.repeated_events import log_repeated
from traffic.ingest import store_status

if TYPE_CHECKING:
    import redis

logger = logging.getLogger(__name__)

REMEMBERED_S = 1.0
QUEUE_S = 1.0
QUEUE = "celery"  # its name, which is Celery's own


class Readiness:
    """The reasons against readiness, checked at most once a second for all callers; connections are kept open."""

    def __init__(self) -> None:
        self._heart = Heart()
        self._queue: redis.Redis | None = None
        self._lock = threading.Lock()
        self._reasons: list[str] = []
        self._until = float("-inf")

    def reasons(self) -> list[str]:
        """The reasons as sentences; empty if ready. Takes four seconds at most."""
        with self._lock:
            if time.monotonic() > self._until:
                reasons = [reason for reason in (self._disk(), self._database(), self._ask_queue()) if reason]
                if reasons != self._reasons:
                    level = logging.WARNING if reasons else logging.INFO
                    log_event(logger, level, "readiness_changed", ready=not reasons, reasons=" ".join(reasons) or None)
                self._reasons, self._until = reasons, time.monotonic() + REMEMBERED_S
            return self._reasons

    def close(self) -> None:
        self._heart.close()
        if self._queue is not None:
            self._queue.close()

    def _disk(self) -> str:
        disk = disk_of(Path(settings.DATA_DIR))
        return _("The disk of the data directory is nearly full: nothing is taken in.") if disk and disk.low else ""

    def _database(self) -> str:
        if store_status.disk_is_full():
            return DISK
        if store_status.seconds_since_stored() < REMEMBERED_S:
            return ""
        try:
            self._heart.write()
        except psycopg.errors.DiskFull as error:
            log_repeated(logger, logging.WARNING, "database_disk_full", sqlstate=error.sqlstate)
            return DISK
        except psycopg.errors.ReadOnlySqlTransaction:
            return _("The database takes nothing in: it is read-only.")
        except psycopg.Error as error:
            details = {"error": first_line(error)}
            log_repeated(logger, logging.WARNING, "database_away", sqlstate=error.sqlstate, details=details)
            return _("The database does not answer.")
        return ""

    def tasks(self) -> int | None:
        """How many tasks wait in the queue; None if it does not answer. Call `reasons` before, which connects."""
        import redis

        try:
            return int(self._queue.llen(QUEUE)) if self._queue is not None else None
        except redis.RedisError:
            return None

    def _ask_queue(self) -> str:
        import redis  # here, because the import takes a second on a busy machine and would delay the start

        if self._queue is None:
            self._queue = redis.Redis.from_url(
                settings.REDIS_URL, socket_timeout=QUEUE_S, socket_connect_timeout=QUEUE_S, retry=None
            )
        try:
            self._queue.ping()
        except redis.RedisError as error:
            log_repeated(logger, logging.WARNING, "queue_away", details={"error": first_line(error)})
            return _("The queue does not answer.")
        return ""


DISK = _("The disk of the database is full: nothing can be stored.")


def readiness_answer(reasons: list[str]) -> JsonResponse:
    answer = {"status": "unavailable", "reasons": reasons} if reasons else {"status": "ok"}
    return JsonResponse(answer, status=503 if reasons else 200)
