"""Who watches the watchman: a heartbeat to an outside address, and the web process that notices a silent worker."""

from __future__ import annotations

import logging
import threading
from datetime import datetime, timedelta

from django.conf import settings
from django.db import close_old_connections
from django.utils import timezone

from alerts import outbox, reports, services

logger = logging.getLogger(__name__)

EVERY_S = 30.0
HEARTBEAT_EVERY = timedelta(seconds=55)  # beat ticks every 15 s; an outside monitor wants one a minute
_last_heartbeat: datetime | None = None
_started = threading.Lock()


def heartbeat(now: datetime) -> bool:
    """Tell an outside monitor (healthchecks.io or the like) that the rules ran; when it hears nothing, it speaks.

    True when it was told now. Whoever does not answer is logged and asked again with the next evaluation.
    """
    global _last_heartbeat
    if not settings.HEARTBEAT_URL or (_last_heartbeat and now - _last_heartbeat < HEARTBEAT_EVERY):
        return False
    import httpx  # most installations never need it here

    try:
        httpx.get(settings.HEARTBEAT_URL, timeout=5, follow_redirects=False).raise_for_status()
    except httpx.HTTPError as error:
        logger.warning("the heartbeat's address did not take it: %s", type(error).__name__)  # the URL is a secret
        return False
    _last_heartbeat = now
    return True


def stand_in(now: datetime | None = None) -> bool:
    """When nobody evaluates the rules, judge that one rule here and send its mail from here; True when it was so."""
    at = now or timezone.now()
    if not reports.is_late(at):
        return False
    services.evaluate(now=at, kinds=["late"], stamp=False)
    outbox.deliver(seconds=EVERY_S / 2)
    return True


def start() -> None:
    """Look every half minute from a thread of this process; the web process calls it, once."""
    if _started.acquire(blocking=False):
        threading.Thread(target=_look_forever, name="alerts-watch", daemon=True).start()


def _look_forever() -> None:
    pause = threading.Event()
    while not pause.wait(EVERY_S):
        try:
            stand_in()
        except Exception:  # the database may be away; whatever it is, the next look comes
            logger.exception("could not see whether the rules run")
        finally:
            close_old_connections()
