"""Watch the evaluation: a heartbeat to an outside monitor, and a web process that notices when no worker runs."""

from __future__ import annotations

import logging
import threading
from datetime import datetime, timedelta
from functools import partial

from django.db import close_old_connections
from django.utils import timezone

from alerts.channels import remembered
from alerts.delivery import outbox
from alerts.delivery.queries import is_stuck
from alerts.evaluation import queries, services
from alerts.mail.smtp import NotSent, status_of_answer
from alerts.models import Channel
from lib.events import log_event

logger = logging.getLogger(__name__)

EVERY_S = 30.0
HEARTBEAT_EVERY = timedelta(seconds=55)  # beat ticks every 15 s; an outside monitor wants one a minute
_started = threading.Lock()


def heartbeat(now: datetime) -> int:
    """Tell the outside monitors that the rules ran; when one hears nothing, it speaks. How many took it.

    Each is told once a minute whatever the number of workers, and again with the next evaluation while it does not
    answer; its answer stands beside it, and an admin hears of one that is dead.
    """
    from alerts.channels.monitor import ping  # httpx; most installations never need it here

    answered = 0
    for monitor in Channel.objects.monitors():
        if not _is_mine(monitor, now):
            continue
        try:
            remembered(monitor, partial(ping, monitor), now)
            answered += 1
        except NotSent as error:
            # Without its answer, which may quote the secret address.
            failures = monitor.failures + 1
            log_event(
                logger,
                logging.WARNING,
                "monitor_heartbeat_refused",
                channel_id=monitor.pk,
                failures=failures,
                status=status_of_answer(str(error)),
            )
    return answered


def _is_mine(monitor: Channel, now: datetime) -> bool:
    """Whether it is time, and no other worker was quicker."""
    last = monitor.answered_at
    if last and not monitor.failures and now - last < HEARTBEAT_EVERY:
        return False
    return bool(Channel.objects.filter(pk=monitor.pk, answered_at=last).update(answered_at=now))


def stand_in(now: datetime | None = None) -> bool:
    """When nobody evaluates the rules, judge that one rule here and send its mail from here, as anything that nobody
    sends; True when it was so.

    Each web process looks. The lock of the evaluation lets one of them in, the open alert tells the others that it is
    said, and a claim has one sender: one mail for each silence, whatever the number of processes.
    """
    at = now or timezone.now()
    late = queries.is_late(at)
    if late:
        log_event(logger, logging.WARNING, "evaluation_late", late_after_s=int(queries.LATE_AFTER.total_seconds()))
        services.evaluate(now=at, kinds=["late"], stamp=False)
    elif not is_stuck(at):
        return False
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
        except Exception as error:  # the database may be away; whatever it is, the next look comes
            log_event(logger, logging.ERROR, "watch_failed", exc_info=error)
        finally:
            close_old_connections()
